"""What holds for every guidance, and classifier-free guidance: one line in x0, and one batch."""

import json
import re
import tomllib
from collections.abc import Callable
from dataclasses import fields, replace

import pytest
import tomli_w
import torch
from tests.fakes import Function, Recorded, draw, family

from unclip.core.condition import Condition
from unclip.core.noise import Noise
from unclip.diffusion.denoiser import Denoise, Denoiser, Prediction
from unclip.diffusion.guidance import (
    APG,
    Autoguidance,
    ClassifierFree,
    ClassifierGuidance,
    Guidance,
    LimitedInterval,
    Rescale,
    StaticThreshold,
    Unguided,
    ZeroStar,
)
from unclip.diffusion.level import alpha, sigma
from unclip.diffusion.parameterization import EDM
from unclip.diffusion.process import Sampling
from unclip.diffusion.samplers import DDIM
from unclip.diffusion.schedules import Cosine

X, LEVEL = draw(3, 4) / 2, torch.tensor(0.3)
COND, NULL = Condition(vector=draw(3, 1, key="c")), Condition(vector=torch.zeros(3, 1))


def guided(scale: float, level: torch.Tensor = LEVEL) -> torch.Tensor:
    return ClassifierFree(scale)(Denoiser(Recorded(), EDM()), COND, NULL)(X, level).x0


def bent(power: float = 1.0) -> Denoiser:
    """A network that its condition bends differently in every dimension."""
    return Denoiser(
        Function(lambda x, l, c: torch.sin(3 * x + l[:, None]) + power * c.vector * torch.cos(5 * x)), EDM()
    )  # pyright: ignore


def silent(x: torch.Tensor, log_snr: torch.Tensor) -> torch.Tensor:
    """A classifier to which every state is alike."""
    return 0 * x.sum(1)


def bumpy(x: torch.Tensor, log_snr: torch.Tensor) -> torch.Tensor:
    """A classifier with a preference."""
    return torch.sin(2 * x).sum(1)


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


# What every guidance promises; a new member is tested by existing. Those that need another model get one.

MEMBERS = [pytest.param(m, id=m.__name__) for m in family(Guidance)]
every = pytest.mark.parametrize("member", MEMBERS)


def ready(
    member: type[Guidance], log_p: Callable = bumpy, worse: Callable | None = None, negative: Condition = NULL
) -> Guidance:
    other = worse or bent(0.3)
    return member().using(log_p=log_p, worse=other, student=other, negative=lambda prompt: negative)


def walk(denoise: Denoise, levels: tuple[float, ...] = (-3.0, -1.0, 0.3)) -> list[Prediction]:
    return [denoise(X, torch.tensor(level)) for level in levels]


@every
def test_does_nothing_where_neither_condition_nor_model_says_anything(member: type[Guidance]):
    """From the second level on: CFG-Zero* does not move the first."""
    denoiser = bent()
    found = walk(ready(member, silent, denoiser)(denoiser, NULL, NULL))[1:]
    for p, q in zip(found, walk(Unguided()(denoiser, NULL, NULL))[1:], strict=True):
        assert torch.allclose(p.x0, q.x0, atol=1e-5)


@every
def test_does_something_where_there_is_something_to_say(member: type[Guidance]):
    if member is Unguided:
        pytest.skip("does nothing")
    found, plain = walk(ready(member)(bent(), COND, NULL))[-1], walk(Unguided()(bent(), COND, NULL))[-1]
    assert (found.x0 - plain.x0).abs().max() > 0.01


@every
def test_state_clean_estimate_and_noise_fit_together(member: type[Guidance]):
    for p, level in zip(walk(ready(member)(bent(), COND, NULL)), (-3.0, -1.0, 0.3), strict=True):
        l = torch.tensor(level)
        assert torch.allclose(alpha(l) * p.x0 + sigma(l) * p.eps, X, atol=1e-5)


@every
def test_each_walk_starts_afresh(member: type[Guidance]):
    guidance = ready(member)
    first, second = (walk(guidance(bent(), COND, NULL)) for _ in range(2))
    assert all(torch.equal(p.x0, q.x0) for p, q in zip(first, second, strict=True))


@every
def test_a_level_a_sample_is_the_same_as_one_for_all(member: type[Guidance]):
    one, each = (ready(member)(bent(), COND, NULL) for _ in range(2))
    for level in (-3.0, -1.0, 0.3):
        l = torch.tensor(level)
        assert torch.allclose(one(X, l).x0, each(X, l.expand(3)).x0, atol=1e-6)


@every
def test_a_sample_does_not_depend_on_its_neighbours(member: type[Guidance]):
    together = walk(ready(member)(bent(), COND, NULL))
    cond, null = (c.map(lambda t: t[1:2]) for c in (COND, NULL))
    alone = ready(member, negative=null)(bent(), cond, null)
    for p, level in zip(together, (-3.0, -1.0, 0.3), strict=True):
        assert torch.allclose(alone(X[1:2], torch.tensor(level)).x0, p.x0[1:2], atol=1e-6)


@every
@pytest.mark.parametrize("level", [-20.0, 20.0])
def test_finite_in_float32_at_both_ends(member: type[Guidance], level: float):
    p = walk(ready(member)(bent(), COND, NULL), (level, level + 0.01))[-1]
    assert torch.isfinite(p.x0).all()
    assert torch.isfinite(p.eps).all()


@every
def test_a_learned_variance_is_the_conditionals(member: type[Guidance]):
    """As in GLIDE: the mean is guided, the variance is not."""

    def denoiser(x: torch.Tensor, log_snr: torch.Tensor, cond: Condition) -> Prediction:
        return replace(bent()(x, log_snr, cond), variance_mix=cond.vector.expand_as(x))  # pyright: ignore

    for p in walk(ready(member, worse=denoiser)(denoiser, COND, NULL)):
        assert p.variance_mix is not None
        assert torch.equal(p.variance_mix, COND.vector.expand_as(X))  # pyright: ignore[reportOptionalMemberAccess]


@every
def test_samples_with_gradients_switched_off(member: type[Guidance]):
    with torch.no_grad():
        denoise = ready(member)(bent(), COND, NULL)
        *_, end = DDIM()(denoise, 2 * X, Cosine().grid(5), Noise.shared(0))
    assert torch.isfinite(end.x).all()
    assert not end.x.requires_grad


@every
def test_is_kept_in_settings_without_its_model(member: type[Guidance]):
    how = Sampling(guidance=StaticThreshold(LimitedInterval(ready(member), low=-1.0), limit=2.0))
    for text, read in ((json.dumps(how.to_dict()), json.loads), (tomli_w.dumps(how.to_dict()), tomllib.loads)):
        found = Sampling.from_dict(read(text))
        assert found == how
        assert found.guidance.using(log_p=bumpy, worse=bent()) == how.guidance
    data = member().to_dict()
    with pytest.raises(ValueError, match="unknown setting"):
        member.from_dict({**data, "worse": "model", "log_p": "model"})


def test_a_model_reaches_through_wrappers():
    model = bent()
    found = LimitedInterval(Rescale(Autoguidance(3.0))).using(worse=model)
    assert found.of.of.worse is model  # pyright: ignore[reportAttributeAccessIssue]
    assert replace(found, low=-1.0).of == found.of


@pytest.mark.parametrize(
    "guidance, words",
    [(Autoguidance(), "using(worse="), (ClassifierGuidance(), "using(log_p=classifier.log_p(labels))")],
    ids=["autoguidance", "classifier"],
)
def test_a_missing_model_is_named(guidance: Guidance, words: str):
    with pytest.raises(ValueError, match=re.escape(words)):
        Rescale(guidance)(bent(), COND, NULL)


@pytest.mark.parametrize("wrapper", [m for m in family(Guidance) if "of" in {f.name for f in fields(m)}])
def test_a_wrapper_evaluates_nothing_twice(wrapper: type[Guidance]):
    network = Recorded()
    guidance = replace(wrapper(), of=ClassifierFree(3.0))  # pyright: ignore
    guidance = guidance.using(log_p=bumpy, negative=lambda prompt: NULL)
    walk(guidance(Denoiser(network, EDM()), COND, NULL), (0.3, 0.4))
    assert [len(x) for x, _, _ in network.calls] == [6, 6]


@pytest.mark.parametrize(
    "make, words",
    [
        (lambda: LimitedInterval(low=1.0, high=1.0), "low = 1.0, high = 1.0"),
        (lambda: Rescale(phi=1.5), "phi = 1.5"),
        (lambda: StaticThreshold(limit=0.0), "limit = 0.0"),
        (lambda: ZeroStar(zero_steps=-1), "zero_steps = -1"),
        (lambda: APG(norm_threshold=-1.0), "norm_threshold = -1.0"),
        (lambda: APG(momentum=-1.0), "momentum = -1.0"),
    ],
)
def test_settings_that_cannot_be_are_refused(make: Callable, words: str):
    with pytest.raises(ValueError, match=words):
        make()
