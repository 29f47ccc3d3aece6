"""RePaint fills what is unknown so that it fits what is known."""

import diffusers
import pytest
import torch
from tests.diffusion.test_against_diffusers import Ours, output
from tests.fakes import draw

from unclip.core.noise import Noise, seeded
from unclip.diffusion.denoiser import Prediction
from unclip.diffusion.level import alpha, sigma
from unclip.diffusion.samplers import DDIM, RePaint
from unclip.diffusion.schedules import Cosine, LinearBeta

COVARIANCE = torch.tensor([[1.0, 0.9], [0.9, 1.0]])
"""Pairs of numbers: who knows one nearly knows the other, N(0.9 a, 0.19)."""


def pairs(x: torch.Tensor, log_snr: torch.Tensor) -> Prediction:
    """E[x0 | x] of the pairs, exact."""
    a, s = alpha(log_snr), sigma(log_snr)
    gain = a * COVARIANCE @ torch.linalg.inv(a**2 * COVARIANCE + s**2 * torch.eye(2))
    return Prediction.from_x0(x @ gain.T, x, log_snr)


def end(steps) -> torch.Tensor:
    *_, last = steps
    return last.x


KNOWN, MASK = torch.tensor([[1.0, -5.0]]).repeat(4000, 1), torch.tensor([1.0, 0.0])


def filled(**how: int) -> torch.Tensor:
    x, noise = draw(4000, 2), Noise.shared("fill")
    return end(RePaint(KNOWN, MASK, **how)(pairs, x, Cosine().grid(30), noise))


def test_the_unknown_follows_the_known():
    """Conditional mean 0.9 and spread 0.44. Without resampling the parts know too little of each other."""
    once, often = filled(resamples=1), filled(jump=3, resamples=10)
    for found in (once, often):
        assert torch.equal(found[:, 0], KNOWN[:, 0])
    assert often[:, 1].mean().item() == pytest.approx(0.9, abs=0.1)
    assert often[:, 1].std().item() == pytest.approx(0.19**0.5, rel=0.2)
    assert abs(often[:, 1].mean() - 0.9) < abs(once[:, 1].mean() - 0.9) / 2


def test_known_everywhere_and_nowhere():
    x, grid = draw(5, 2), Cosine().grid(8)
    assert torch.equal(end(RePaint(x, torch.ones(2), jump=2)(pairs, x, grid, Noise.shared(0))), x)
    nowhere = RePaint(x, torch.zeros(2), resamples=1)(pairs, x, grid, Noise.shared(0))
    plain = DDIM(eta=1.0)(pairs, x, grid, Noise.shared(0))
    assert all(torch.allclose(a.x, b.x, atol=1e-6) for a, b in zip(nowhere, plain, strict=True))


@pytest.mark.parametrize("steps, jump, resamples", [(50, 10, 10), (50, 7, 3), (25, 1, 4), (250, 10, 10), (8, 2, 1)])
def test_the_walk_is_the_papers(steps: int, jump: int, resamples: int):
    """The times of diffusers' scheduler, which go back one by one where ours jump."""
    scheduler = diffusers.RePaintScheduler(1000)
    scheduler.set_timesteps(steps, jump, resamples)
    theirs = (scheduler.timesteps // (1000 // steps)).tolist()
    ours = []
    for i, j in RePaint(draw(1, 2), torch.ones(2), jump, resamples).visits(steps):
        ours += [steps - j] if j > i else range(steps - i + 1, steps - j + 1)
    assert ours == theirs


@pytest.mark.parametrize("eta", [0.0, 1.0])
def test_same_states_as_diffusers(eta: float):
    """With jumps of one step, where going back in one draw or in many is the same."""
    table, known, start = LinearBeta(T=50), draw(2, 3, 8, 8, key="known").clamp(-1, 1), draw(2, 3, 8, 8)
    mask = (draw(1, 1, 8, 8, key="mask") > 0).float()
    scheduler = diffusers.RePaintScheduler(50, beta_start=1e-4, beta_end=0.02, eta=eta, clip_sample=False)
    scheduler.set_timesteps(50, 1, 3)
    noise, x, before = Noise.shared("fill"), start, 50
    twin = seeded(torch.Generator(), noise.seeds[0])
    theirs = []
    for t in scheduler.timesteps.tolist():
        if t < before:
            x = scheduler.step(output(x, table.table[t], "epsilon"), t, x, known, mask, twin).prev_sample
            theirs.append(x)
        else:
            x = scheduler.undo_step(x, before, twin)
        before = t
    ours = list(RePaint(known, mask, 1, 3, eta)(Ours("epsilon"), start, table.grid(50), noise))
    assert max((a.x - b).abs().max().item() for a, b in zip(ours, theirs, strict=True)) < 3e-4


def test_what_cannot_go_together_is_refused():
    known, x, grid = draw(2, 3, 4, 4), draw(2, 3, 4, 4), Cosine().grid(10)
    with pytest.raises(ValueError, match="jump = 0, resamples = 10"):
        RePaint(known, torch.ones(4, 4), jump=0)
    with pytest.raises(ValueError, match="nothing in between"):
        RePaint(known, torch.full((4, 4), 0.5))
    with pytest.raises(ValueError, match=r"mask of shape \(5, 5\) does not fit .* \(2, 3, 4, 4\)"):
        RePaint(known, torch.ones(5, 5))
    with pytest.raises(ValueError, match="eta = 2.0"):
        RePaint(known, torch.ones(4, 4), eta=2.0)
    paint = RePaint(known, torch.ones(4, 4))
    with pytest.raises(ValueError, match="jump = 10: must be below the grid's 10 steps"):
        paint(pairs, x, grid, Noise.shared(0))
    with pytest.raises(ValueError, match="must rise"):
        paint(pairs, x, grid.flip(0), Noise.shared(0))
    with pytest.raises(ValueError, match="the known image has"):
        paint(pairs, x[:1], Cosine().grid(20), Noise.shared(0))
