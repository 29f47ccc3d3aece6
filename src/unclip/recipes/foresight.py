"""What can be told of a run while there is still time to stop it: opinions on its data, and on its budget."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from unclip.core.config.duration import words
from unclip.data.advice import advice, closer, cut
from unclip.data.prepare.inspect import DataReport
from unclip.data.prepare.write import Prepared
from unclip.data.shapes.world import KIND
from unclip.recipes.context import Context
from unclip.recipes.events import Event, Note, Progress
from unclip.recipes.settings.run import RunConfig
from unclip.text.tokenizer import Tokenizer

STEPS, SHARE = 20, 0.02
"""So many steps, and so much of a stage, tell its speed."""
GLANCE = 1000
"""So many images are looked at for an opinion."""
COLOURS, OUTLINES, KNOWN = 2, 18, 111
"""How often the stage that draws saw each image where it drew colours (CIFAR-10), colours and outlines (1,581 icons),
and where 32 of 40 new prompts were recognised (emoji): docs/results.md."""


def opinions(
    report: DataReport, prepared: Prepared, every: Sequence[tuple[str, ...]], config: RunConfig
) -> Iterator[str]:
    """Lines that begin with "!", on the data of a run. every: the captions of all images, of which some may not be
    prepared."""
    rows = np.arange(0, len(prepared), max(1, len(prepared) // GLANCE))[:GLANCE]
    yield from advice(report, config.reads_captions)
    captions = [prepared.captions[row] for row in rows]
    yield from closer(prepared.images[rows], captions, every, config.reads_captions)


def too_long(tokenizer: Tokenizer, captions: Iterable[str], config: RunConfig) -> Iterator[str]:
    """The same on captions that are not read to their ends."""
    if tokenizer.context >= config.longest_caption:  # else the longest of them sets the context
        yield from cut(tokenizer.lengths(captions), config.longest_caption)


@dataclass(frozen=True)
class Passes:
    """What a stage's passes over its images depend on. images: that it trains on; budget: seconds of the run, 0 where
    a number of steps is set; last: it is the stage that draws; shapes: its images are drawn ones."""

    stage: str
    batch: int
    images: int
    budget: float
    last: bool
    shapes: bool

    @property
    def draws(self) -> bool:
        """Whether it draws what takes as many passes as what is told of here; drawn shapes take fewer."""
        return self.last and not self.shapes

    @classmethod
    def of(cls, config: RunConfig, stage: str, images: int, drawn: bool) -> "Passes":
        """Of a stage of a run. drawn: its data are drawn shapes."""
        train = config.recipes[stage].train
        return cls(stage, train.batch, images, 0.0 if train.steps else config.budget, stage == config.stages[-1], drawn)

    def after(self, steps: int | float) -> float:
        """How often it sees each image in so many steps."""
        return steps * self.batch / self.images

    def expected(self, seen: float) -> str:
        """What pictures can be expected after so many passes, in a few words."""
        if not self.draws or seen >= KNOWN:
            return ""
        steps = (
            (1, "noise, and some colours"),
            (OUTLINES / 2, "colours at most"),
            (KNOWN / 2, "colours and outlines"),
            (KNOWN, "most things"),
        )
        return next(what for below, what in steps if seen < below)

    def opinion(self, seen: float) -> Iterator[str]:
        """A line where so many passes are too few."""
        if seen < 1:
            yield warning(seen)
        elif self.draws and seen < OUTLINES:
            yield (
                f"! the stage sees each image {seen:.1f} times, so expect {self.expected(seen)}: "
                f"CIFAR-10 showed colours after {COLOURS} passes, icons colours and outlines after {OUTLINES}, and "
                f"emoji took {KNOWN} to be recognised; {self._way(seen)}"
            )

    def told(self, steps: int, seconds: float) -> str:
        """How often the stage saw each image, as the end of a sentence, and how much longer it would take to be where
        the images of another run were recognised; of a stage that does not draw nothing. seconds: that it took."""
        if not self.last:
            return ""
        seen = self.after(steps)
        text = f"; it saw each image {seen:,.0f} times" if seen >= 10 else f"; it saw each image {seen:.1f} times"
        if not self.draws or seen >= KNOWN or seen == 0:
            return text
        further = words(seconds * (KNOWN / seen - 1))
        return f"{text}, emoji took {KNOWN} to be recognised: --more {further} would reach that"

    def _way(self, seen: float) -> str:
        if not self.budget:
            return "more steps, or fewer images, give more"
        longer, long = (words(self.budget * wanted / seen) for wanted in (OUTLINES, KNOWN))
        return (
            f"--budget {longer} gives {OUTLINES}, {long} {KNOWN}; a smaller --size or --preset takes less time a step"
        )


def passes_in(ctx: Context, stage: str) -> Passes:
    """Those of a stage of a run in progress."""
    drawn = ctx.source is not None and ctx.source.kind == KIND
    return Passes.of(ctx.config, stage, ctx.trained, drawn)


def foreseen(events: Iterator[Event], passes: Passes) -> Iterator[Event]:
    """The events of a stage and, once its speed is known, an opinion on how often it sees each image."""
    told = False
    for event in events:
        yield event
        if not told and isinstance(event, Progress) and event.report.step >= STEPS and event.report.share >= SHARE:
            told = True
            for line in passes.opinion(passes.after(event.report.step / event.report.share)):
                yield Note(passes.stage, line)


def warning(seen: float) -> str:
    """seen: how often a stage sees each image."""
    return (
        f"! at this speed the stage sees {seen:.0%} of the images, each once: give a new run (another --out) a "
        f"{5 / seen:,.0f} times larger --budget, or fewer or smaller images"
    )
