"""What is known stays known with every sampler, and the rest follows it where the model can see it."""

import pytest
import torch
from tests.diffusion.test_repaint import COVARIANCE, KNOWN, MASK, end, pairs
from tests.fakes import draw, samplers

from unclip.core.noise import Noise
from unclip.diffusion.denoiser import Prediction
from unclip.diffusion.level import alpha, sigma
from unclip.diffusion.samplers import DDIM, Anchored, Sampler
from unclip.diffusion.schedules import Cosine


def told(x: torch.Tensor, log_snr: torch.Tensor) -> Prediction:
    """E[x0 | x, the first number]: what a network says that sees what is known. Nonsense about the first number."""
    a, s = alpha(log_snr), sigma(log_snr)
    mean, variance = 0.9 * KNOWN[: len(x), 0], 1 - COVARIANCE[0, 1] ** 2
    second = mean + a * variance / (a**2 * variance + s**2) * (x[:, 1] - a * mean)
    return Prediction.from_x0(torch.stack([torch.full_like(second, 7.0), second], dim=1), x, log_snr)


def test_a_model_that_sees_the_known_part_gives_its_conditional():
    """N(0.9, 0.19), without resampling."""
    found = end(Anchored(KNOWN, MASK, DDIM(eta=1.0))(told, draw(4000, 2), Cosine().grid(100), Noise.shared(0)))
    assert torch.equal(found[:, 0], KNOWN[:, 0])
    assert found[:, 1].mean().item() == pytest.approx(0.9, abs=0.03)
    assert found[:, 1].std().item() == pytest.approx(0.19**0.5, rel=0.1)


@pytest.mark.parametrize("sampler", samplers(), ids=lambda s: type(s).__name__)
def test_every_sampler_keeps_the_known_exactly(sampler: Sampler):
    def denoise(x: torch.Tensor, log_snr: torch.Tensor) -> Prediction:
        p = told(x, log_snr)
        return Prediction(p.x0, p.eps, variance_mix=torch.zeros_like(x))

    *rest, last = Anchored(KNOWN[:50], MASK, sampler)(denoise, draw(50, 2), Cosine().grid(10), Noise.shared(0))
    assert torch.equal(last.x[:, 0], KNOWN[:50, 0])
    assert len(rest) == 9
    assert (last.x[:, 1] - 0.9).abs().mean() < 0.7


def test_nothing_known_is_the_sampler_itself():
    x, grid = draw(5, 2), Cosine().grid(8)
    anchored = Anchored(x, torch.zeros(2), DDIM(eta=1.0))(pairs, x, grid, Noise.shared(0))
    plain = DDIM(eta=1.0)(pairs, x, grid, Noise.shared(0))
    assert all(torch.allclose(a.x, b.x, atol=1e-6) for a, b in zip(anchored, plain, strict=True))


def test_bad_masks_are_refused():
    with pytest.raises(ValueError, match="nothing in between"):
        Anchored(draw(2, 3, 4, 4), torch.full((4, 4), 0.5), DDIM())
    with pytest.raises(ValueError, match=r"mask of shape \(5, 5\) does not fit"):
        Anchored(draw(2, 3, 4, 4), torch.ones(5, 5), DDIM())
