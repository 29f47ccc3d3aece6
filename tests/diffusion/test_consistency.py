"""The consistency sampler against what is known exactly: the flow of a Gaussian, and its own noise."""

import torch
from tests.fakes import GaussianData, draw

from unclip.core.noise import Noise
from unclip.core.typing import LogSNR, State
from unclip.diffusion.denoiser import Prediction
from unclip.diffusion.grids import Jumps
from unclip.diffusion.level import alpha, sigma
from unclip.diffusion.samplers import Consistency
from unclip.diffusion.schedules import LogNormal

DATA, CLEAN = GaussianData(), torch.tensor(40.0)


def jump(x: State, log_snr: LogSNR) -> Prediction:
    """The exact consistency function: the end of the flow through x."""
    return Prediction.from_x0(DATA.flow(x, log_snr, CLEAN), x, log_snr)


def test_an_exact_jump_samples_the_data_in_any_number_of_steps():
    for steps in (1, 2, 4):
        grid = Jumps()(LogNormal(), steps)
        *_, end = Consistency()(jump, draw(20_000, 1), grid, Noise.shared(steps))
        assert abs(end.x.mean().item() - DATA.mean) < 0.015
        assert abs(end.x.std().item() - DATA.std) < 0.015
        assert torch.equal(end.x, end.x0)


def test_each_step_noises_what_it_jumped_to():
    grid, x = Jumps()(LogNormal(), 3), draw(5, 2)
    steps = list(Consistency()(jump, x, grid, Noise.shared(0)))
    again = Noise.shared(0)
    for i, step in enumerate(steps[:-1]):
        x0, s = jump(x, grid[i]).x0, grid[i + 1]
        x = alpha(s) * x0 + sigma(s) * again.normal(x.shape)
        assert torch.allclose(step.x, x, atol=1e-6) and torch.equal(step.x0, x0)
    assert [step.log_snr.item() for step in steps] == grid[1:].tolist()
