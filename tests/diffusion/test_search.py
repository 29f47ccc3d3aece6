"""A searched grid is better than every common one, also from noises that it was not searched with."""

import pytest
import torch
from tests.fakes import MixtureData, draw

from unclip.core.noise import Noise
from unclip.diffusion.grids import FixedLevels, Grid
from unclip.diffusion.samplers import DDIM, DPMSolverPP2M, DPMSolverPP3M, Heun, Sampler
from unclip.diffusion.schedules import Cosine, LinearBeta, Schedule
from unclip.diffusion.search import STARTS, Search

DATA = MixtureData()


def end(sampler: Sampler, grid: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    *_, last = sampler(DATA.denoise, x, grid, Noise.shared(0))
    return last.x


@pytest.mark.parametrize(
    "sampler, steps, schedule, share",
    [
        (DDIM(), 5, Cosine(), 0.95),  # here the cosine's own grid is nearly the best
        (DDIM(), 5, LinearBeta(), 0.6),
        (DPMSolverPP2M(), 6, Cosine(), 0.75),
        (DPMSolverPP2M(), 6, LinearBeta(), 0.75),
        (Heun(), 4, LinearBeta(), 0.4),
    ],
)
def test_better_than_every_common_grid(sampler: Sampler, steps: int, schedule: Schedule, share: float):
    found = Search()(DATA.denoise, sampler, schedule, steps, draw(512, key="search"))
    x = draw(2000, key="fresh")
    exact = DATA.flow(x.double(), schedule(torch.ones(1).squeeze()).double(), torch.tensor(40.0).double())

    def error(grid: Grid) -> float:
        return (end(sampler, grid(schedule, steps), x) - exact).square().mean().item()

    assert isinstance(found, FixedLevels)
    assert error(found) < share * min(error(grid) for grid in STARTS)


def test_a_searched_grid_can_be_stored():
    found = Search(1)(DATA.denoise, DDIM(), Cosine(), 3, draw(32))
    assert Grid.from_dict(found.to_dict()) == found
    assert found(Cosine(), 3)[0] == -15


def test_what_cannot_be_searched_is_refused():
    x = draw(4)
    with pytest.raises(ValueError, match="draws noise"):
        Search(1)(DATA.denoise, DPMSolverPP3M(eta=1.0), Cosine(), 4, x)
    with pytest.raises(ValueError, match="steps = 21.*T = 20"):
        Search(1)(DATA.denoise, DDIM(), LinearBeta(T=20), 21, x)
    with pytest.raises(ValueError, match="rounds = 0"):
        Search(rounds=0)
