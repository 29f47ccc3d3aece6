"""What a run will take, from what was measured in the self-test: the training's own plan, walked through."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from unclip.recipes.budget import StageTime, due, previews, reserved
from unclip.recipes.foresight import Passes
from unclip.recipes.gates import PICTURES
from unclip.recipes.settings.recipe import Recipe
from unclip.recipes.settings.run import RunConfig, write_settings
from unclip.runs.folder import RunFolder
from unclip.studies.doctor.chain import Trained
from unclip.training.plan import Plan

MOST_WALKED = 200_000
"""Steps beyond which each walked step stands for several."""


@dataclass(frozen=True)
class StageForecast:
    """One stage of the run to come. batch: of a step; seconds: all of it; judging: of these for samples and the gate;
    step: seconds of one; passes: how often it sees each image; expect: what its pictures will show then, where that is
    known."""

    stage: str
    batch: int
    seconds: float
    judging: float
    step: float
    steps: int
    passes: float
    expect: str

    @property
    def speed(self) -> float:
        """Images a second, while it trains."""
        return self.batch / self.step


@dataclass(frozen=True)
class Counts:
    """Images of the run, and those of them that are trained on."""

    images: int
    trained: int

    @classmethod
    def of(cls, images: int, held_out: float) -> "Counts":
        """By the same shares as `split_rows` takes, about."""
        held = max(1, min(500, images // 4, round(held_out * images)))
        return cls(images, max(1, images - 2 * held))


@dataclass(frozen=True)
class Pace:
    """How fast a stage goes. step, preview, gate, save: seconds of each."""

    step: float
    preview: float = 0.0
    gate: float = 0.0
    save: float = 0.0


@dataclass
class Walk:
    """A stage's training as its plan has it, with nothing trained: steps, elapsed and judging are what it comes to."""

    plan: Plan
    recipe: Recipe
    pace: Pace
    every: float  # seconds between checkpoints
    steps: int = 0
    elapsed: float = 0.0
    judging: float = field(default=0.0)

    def to_the_end(self) -> "Walk":
        """All steps, samples and checkpoints, as `StageRun` takes them; then the gate."""
        share, saved, stride, took = 0.0, 0.0, self._stride(), 0.0
        while not self.plan.done(self.steps):
            self.steps += stride
            self.elapsed += stride * self.pace.step
            self.plan.settle(self.steps, self.elapsed)
            now = self.plan.share(self.steps, self.elapsed)
            if self.pace.preview and due(share, now, previews(self.plan, took)):
                took = self.pace.preview
                self._judge(took)
                if now < 1:
                    self.plan.reserve = reserved(self.recipe, took, due(now, 1.0, previews(self.plan, took)))
            share = now
            if self.elapsed - saved > self.every:
                self.elapsed, saved = self.elapsed + self.pace.save, self.elapsed
        self._judge(self.pace.gate)
        return self

    def _stride(self) -> int:
        steps = self.plan.steps or (self.plan.seconds or 0) / max(self.pace.step, 1e-9)
        return max(1, math.ceil(steps / MOST_WALKED))

    def _judge(self, seconds: float) -> None:
        self.elapsed += seconds
        self.judging += seconds
        self.plan.outside += seconds


def forecasts(
    config: RunConfig, counts: Counts, paces: Mapping[str, Pace], place: Path, drawn: bool
) -> Iterator[StageForecast]:
    """Of each stage whose pace is known. place: an empty folder, in which the stages end as a run's would."""
    run = RunFolder(place)
    with run.writing():
        write_settings(run.settings, config)
        for name, pace in paces.items():
            recipe, budget = config.recipes[name], StageTime.of(run, config, name).from_nothing
            train = recipe.train
            plan = Plan(train.steps or None, None if train.steps else budget, cooldown=train.cooldown)
            walk = Walk(plan, recipe, pace, config.checkpoint_seconds).to_the_end()
            metrics = {"steps": walk.steps, "seconds": walk.elapsed}
            run.finish(name, {"passed": True, "why": "forecast", "metrics": metrics})
            passes = Passes.of(config, name, counts.trained, drawn)
            seen = passes.after(walk.steps)
            yield StageForecast(
                name, train.batch, walk.elapsed, walk.judging, pace.step, walk.steps, seen, passes.expected(seen)
            )


def pace_of(seen: Trained, recipe: Recipe, preview: float, anew: float, held: int, few: int) -> Pace:
    """From what was seen in the self-test.

    preview: seconds that it takes with as many images as a run's, 0 where it was not drawn in the self-test. anew:
    those that a run's preview takes besides, for its look for copies, and its gate does not. held:
    images on which the run's gates judge; few: on which those of the self-test did. A gate that draws judges on
    PICTURES at the most, others on twice as many.
    """
    shown = preview or seen.preview
    drawing = recipe.gate_previews * shown * min(1.0, held / PICTURES)
    gate = drawing if shown else seen.gate * max(1.0, min(held, 2 * PICTURES) / few)
    return Pace(seen.step, shown + anew, gate, seen.save)
