"""What `unclip explain` is asked for, and what all its parts look at."""

import itertools
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from unclip.core.typing import Float, Images, Tensor
from unclip.diffusion.level import resolvable
from unclip.diffusion.process import Sampling
from unclip.diffusion.samplers import NAMES, Sampler, named
from unclip.diffusion.schedules import BetaTable, Schedule
from unclip.models.autoencoder.space import Codes
from unclip.studies.explain.subject import OpenedRun

STEPS = (5, 10, 20, 50, 1000)
IN_THE_PLANE = ("ancestral", "ddim", "heun", "dpmpp-2m", "dpmpp-2m-sde")
COMPARED = ("ddpm", *IN_THE_PLANE, "unipc")
"""Samplers that are shown unless others are asked for."""
JUDGED = 64
"""Images that figures are taken over."""
MOST = 16
"""Images in one cell of the samples."""


@dataclass(frozen=True)
class ExplainRequest:
    """steps: None means those of `STEPS` that the run's schedule has; samplers: names, none means `COMPARED`;
    n: images a cell, 1 to `MOST`; slides: whether the lecture is made, too."""

    steps: tuple[int, ...] | None = None
    samplers: tuple[str, ...] = ()
    n: int = 4
    seed: int = 0
    slides: bool = False

    def __post_init__(self) -> None:
        if not 1 <= self.n <= MOST:
            raise ValueError(f"n = {self.n}: a cell of the grid holds 1 to {MOST} images")
        for name in self.samplers:
            named(name)


@dataclass(frozen=True)
class Task:
    """One look at a run: what is asked, of what, and where the images go."""

    run: OpenedRun
    ask: ExplainRequest
    out: Path

    @property
    def schedule(self) -> Schedule:
        """The run's."""
        return self.run.subject.diffusion.config.schedule

    @cached_property
    def prompts(self) -> list[str]:
        """`n` prompts that held-out images stand for, as different as there are."""
        distinct = dict.fromkeys(self.run.subject.prompts(self.run.rows.tolist()))
        return [prompt for prompt, _ in zip(itertools.cycle(distinct), range(self.ask.n), strict=False)]

    @cached_property
    def clean(self) -> Codes:
        """The held-out images that figures are taken over, or their codes: x_0 as the run's network knows it."""
        subject = self.run.subject
        return subject.space.encode(subject.images(self.run.rows[:JUDGED].tolist()).to(self.run.device)).cpu()

    def shown(self, x: Codes) -> Images:
        """States as images."""
        return self.run.subject.space.decode(x.to(self.run.device)).cpu()

    @cached_property
    def samplers(self) -> dict[str, Sampler]:
        """Those asked for, by name."""
        asked = self.ask.samplers or COMPARED
        return {name: NAMES[name] for name in asked}

    @cached_property
    def steps(self) -> list[int]:
        """Those asked for. Raises ValueError for a number that the run's schedule does not have."""
        for steps in self.ask.steps or ():
            levels_of(self.run.subject.sampling, self.schedule, steps)
        own = len(self.schedule.betas) if isinstance(self.schedule, BetaTable) else max(STEPS)
        return sorted(set(self.ask.steps or (min(steps, own) for steps in STEPS)))


def levels_of(how: Sampling, schedule: Schedule, steps: int) -> Float[Tensor, " points"]:
    """Where sampling in `steps` steps stops, noisy to clean, +inf last. Raises ValueError where it cannot."""
    schedule = how.schedule or schedule
    return resolvable(how.grid(schedule, steps) if how.grid else schedule.grid(steps))
