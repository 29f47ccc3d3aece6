"""A grid searched for one denoiser and one sampler: the levels at which its few steps end nearest to where many end.

Coordinate descent, in the spirit of Watson et al. 2021 ("Learning to efficiently sample"): start with the best of the
common grids, move one level at a time towards a neighbour, keep what lowers the mean square distance of the final
states to those of `fine` steps of DPM-Solver++ 3M from the same noise; halve the moves where nothing does.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

import torch
from torch import Tensor

from unclip.core.config.base import Config
from unclip.core.config.ranges import Range, Steps
from unclip.core.noise import Noise
from unclip.core.typing import Float, State
from unclip.core.untyped import floats
from unclip.diffusion.denoiser import Denoise
from unclip.diffusion.grids import FixedLevels, Grid, KarrasSteps, QuadraticTime, UniformLogSNR, UniformTime, ends
from unclip.diffusion.samplers import DPMSolverPP3M, Sampler
from unclip.diffusion.schedules import Schedule
from unclip.diffusion.schedules.base import Levels, to_clean

STARTS: tuple[Grid, ...] = (UniformTime(), QuadraticTime(), UniformLogSNR(), KarrasSteps())


@dataclass(frozen=True)
class Search(Config):
    """Searches the best grid for a denoiser and a sampler, by coordinate descent on its levels.

    Args:
        rounds: passes over the levels, each about 2 steps^2 evaluations of the batch.
        fine: the number of steps of the reference that it is compared with.
    """

    rounds: Annotated[int, Range(1, 100_000)] = 12
    fine: Steps = 100

    @torch.no_grad()
    def __call__(self, denoise: Denoise, sampler: Sampler, schedule: Schedule, steps: int, x: State) -> FixedLevels:
        """Returns the grid, a `FixedLevels` of `steps` levels.

        Args:
            denoise: the denoiser.
            sampler: a deterministic sampler.
            schedule: the schedule whose levels may be used.
            steps: the number of steps.
            x: noise to start from, [b, ...]; with few samples, the grid fits only them.

        Raises:
            ValueError: where the sampler draws noise (its result would say nothing about the grid), or where no common
                grid has so many steps on this schedule.
        """
        reference = _end(denoise, DPMSolverPP3M(), x, UniformLogSNR()(schedule, self.fine, x.device))

        def error(levels: Levels) -> float:
            return (_end(denoise, sampler, x, to_clean(levels, x.device)) - reference).square().mean().item()

        levels = min((grid(schedule, steps)[:-1].double() for grid in STARTS), key=error)
        _check_deterministic(denoise, sampler, x, to_clean(levels, x.device))
        return FixedLevels(tuple(floats(self._descended(levels, ends(schedule)[1], error))))

    def _descended(self, levels: Levels, clean: float, error: Callable[[Levels], float]) -> Levels:
        reach, best = 0.5, error(levels)
        for _ in range(self.rounds):
            before = best
            for i in range(1, len(levels)):
                for moved in _moves(levels, i, clean, reach):
                    if (found := error(moved)) < best:
                        levels, best = moved, found
            reach = reach / 2 if best == before else reach
        return levels


def _moves(levels: Levels, i: int, clean: float, reach: float) -> list[Levels]:
    """Level i moved by a share of the way to either neighbour; beyond the last one lies the schedule's clean end."""
    after = levels[i + 1].item() if i + 1 < len(levels) else clean + 1e-9
    found: list[Levels] = []
    for neighbour in (levels[i - 1].item(), after):
        moved = levels.clone()
        moved[i] += reach * (neighbour - levels[i].item())
        found.append(moved)
    return found


def _end(denoise: Denoise, sampler: Sampler, x: State, grid: Float[Tensor, " points"], seed: int = 0) -> State:
    *_, last = sampler(denoise, x, grid, Noise.shared("search", seed, device=x.device))
    return last.x


def _check_deterministic(denoise: Denoise, sampler: Sampler, x: State, grid: Float[Tensor, " points"]) -> None:
    if not torch.equal(_end(denoise, sampler, x, grid, 0), _end(denoise, sampler, x, grid, 1)):
        raise ValueError(f"sampler = {sampler}: draws noise, so its end says nothing about the grid; search with its "
                         "deterministic form (eta or s_churn 0) and sample with either")  # fmt: skip
