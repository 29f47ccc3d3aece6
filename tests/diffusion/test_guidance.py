"""Classifier-free guidance is one line in x0, and one batch."""

import pytest
import torch
from tests.fakes import Recorded, draw, family

from unclip.core.condition import Condition
from unclip.diffusion.denoiser import Denoiser
from unclip.diffusion.guidance import ClassifierFree, Guidance, Unguided
from unclip.diffusion.level import alpha, sigma
from unclip.diffusion.parameterization import EDM

X, LEVEL = draw(3, 4), torch.tensor(0.3)
COND, NULL = Condition(vector=draw(3, 1, key="c")), Condition(vector=torch.zeros(3, 1))


def guided(scale: float, level: torch.Tensor = LEVEL) -> torch.Tensor:
    return ClassifierFree(scale)(Denoiser(Recorded(), EDM()), COND, NULL)(X, level).x0


def test_scale_1_is_the_conditional_prediction_and_0_the_unconditional():
    denoiser = Denoiser(Recorded(), EDM())
    assert torch.allclose(guided(1.0), denoiser(X, LEVEL, COND).x0, atol=1e-6)
    assert torch.allclose(guided(0.0), denoiser(X, LEVEL, NULL).x0, atol=1e-6)
    assert torch.equal(Unguided()(denoiser, COND, NULL)(X, LEVEL).x0, guided(1.0))


def test_linear_in_the_scale():
    step = guided(1.0) - guided(0.0)
    assert step.abs().max() > 0.05
    for scale in (0.999, 3.0, 7.5):
        assert torch.allclose(guided(scale), guided(0.0) + scale * step, atol=1e-5)


def test_guidance_in_eps_is_the_same_line():
    """Ho & Salimans 2022, Eq. 6, with their 1 + w = 3."""
    denoiser = Denoiser(Recorded(), EDM())
    with_cond, without = denoiser(X, LEVEL, COND).eps, denoiser(X, LEVEL, NULL).eps
    found = ClassifierFree(3.0)(denoiser, COND, NULL)(X, LEVEL)
    assert torch.allclose(found.eps, without + 3 * (with_cond - without), atol=1e-5)


def test_both_branches_run_as_one_batch():
    network = Recorded()
    ClassifierFree(3.0)(Denoiser(network, EDM()), COND, NULL)(X, LEVEL)
    assert [len(x) for x, _, _ in network.calls] == [6]
    ClassifierFree(1.0)(Denoiser(network, EDM()), COND, NULL)(X, LEVEL)
    assert [len(x) for x, _, _ in network.calls] == [6, 3]  # no branch that would not count


def test_a_level_each_means_the_same_as_one_for_all():
    assert torch.allclose(guided(3.0), guided(3.0, LEVEL.expand(3)), atol=1e-6)


@pytest.mark.parametrize("scale", [0.0, 1.001, 9.0])
def test_the_limit_holds_at_every_scale(scale: float):
    big = Condition(vector=torch.full((3, 1), 50.0))
    found = ClassifierFree(scale, limit=1.0)(Denoiser(Recorded(), EDM()), big, NULL)(X, LEVEL)
    assert found.x0.abs().max() <= 1
    assert torch.allclose(alpha(LEVEL) * found.x0 + sigma(LEVEL) * found.eps, X, atol=1e-5)


@pytest.mark.parametrize("member", family(Guidance), ids=lambda m: m.__name__)
def test_every_guidance_does_nothing_where_the_condition_says_nothing(member: type[Guidance]):
    denoiser = Denoiser(Recorded(), EDM())
    assert torch.allclose(member()(denoiser, NULL, NULL)(X, LEVEL).x0, denoiser(X, LEVEL, NULL).x0, atol=1e-6)
