"""The same numbers as the guiders of `diffusers`, given the same two branches."""

import pytest
import torch
from diffusers.guiders import AdaptiveProjectedGuidance, ClassifierFreeGuidance, ClassifierFreeZeroStarGuidance
from diffusers.guiders.adaptive_projected_guidance import MomentumBuffer
from diffusers.guiders.guider_utils import rescale_noise_cfg
from tests.fakes import Function, draw

from unclip.core.condition import Condition
from unclip.diffusion.denoiser import Denoiser, Prediction
from unclip.diffusion.guidance import APG, ClassifierFree, Guidance, Rescale, ZeroStar
from unclip.diffusion.level import alpha, sigma
from unclip.diffusion.parameterization import V

X, LEVELS = draw(4, 3, 8, 8), [torch.tensor(level) for level in (-6.0, -2.0, 0.5, 4.0)]
COND, NULL = Condition(vector=torch.ones(4, 1)), Condition(vector=torch.zeros(4, 1))


def network(x: torch.Tensor, log_snr: torch.Tensor, cond: Condition) -> torch.Tensor:
    assert cond.vector is not None
    l, c = (t.view(-1, 1, 1, 1) for t in (log_snr, cond.vector))
    return torch.sin(3 * x + l) + c * torch.cos(5 * x + l) - 0.3 * c


DENOISER = Denoiser(Function(network), V())


def branches(level: torch.Tensor) -> tuple[Prediction, Prediction]:
    return DENOISER(X, level, COND), DENOISER(X, level, NULL)


def walk(guidance: Guidance) -> list[Prediction]:
    denoise = guidance(DENOISER, COND, NULL)
    return [denoise(X, level) for level in LEVELS]


def v(p: Prediction, level: torch.Tensor) -> torch.Tensor:
    return alpha(level) * p.eps - sigma(level) * p.x0


@pytest.mark.parametrize("form", ["x0", "eps"])
def test_classifier_free(form: str):
    theirs = ClassifierFreeGuidance(guidance_scale=4.0)
    for level, p in zip(LEVELS, walk(ClassifierFree(4.0)), strict=True):
        expected = theirs.forward(*(getattr(q, form) for q in branches(level))).pred
        assert torch.allclose(getattr(p, form), expected, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("phi", [0.0, 0.7, 1.0])
def test_rescale(phi: float):
    for level, p in zip(LEVELS, walk(Rescale(ClassifierFree(4.0), phi)), strict=True):
        with_cond, without = (q.x0 for q in branches(level))
        expected = rescale_noise_cfg(without + 4 * (with_cond - without), with_cond, phi)
        assert torch.allclose(p.x0, expected, atol=1e-5)


@pytest.mark.parametrize("eta", [0.0, 0.4, 1.0])
@pytest.mark.parametrize("threshold", [0.0, 5.0])
@pytest.mark.parametrize("momentum", [0.0, -0.5])
def test_adaptive_projected(eta: float, threshold: float, momentum: float):
    """Their `original formulation` counts the scale from the condition: ours less 1."""
    theirs = AdaptiveProjectedGuidance(
        guidance_scale=3.0, adaptive_projected_guidance_rescale=threshold, eta=eta, use_original_formulation=True
    )
    theirs.momentum_buffer = MomentumBuffer(momentum)
    for level, p in zip(LEVELS, walk(APG(4.0, eta, threshold, momentum)), strict=True):
        expected = theirs.forward(*(q.x0 for q in branches(level))).pred
        assert torch.allclose(p.x0, expected, atol=1e-4)


@pytest.mark.parametrize("zero_steps", [0, 1, 2])
def test_zero_star(zero_steps: int):
    theirs = ClassifierFreeZeroStarGuidance(guidance_scale=4.0, zero_init_steps=zero_steps)
    for i, (level, p) in enumerate(zip(LEVELS, walk(ZeroStar(4.0, zero_steps)), strict=True)):
        theirs.set_state(i, len(LEVELS), level)  # pyright: ignore[reportArgumentType]
        expected = theirs.forward(*(v(q, level) for q in branches(level))).pred
        assert torch.allclose(v(p, level), expected, atol=1e-4)
