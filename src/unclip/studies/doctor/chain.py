"""The self-test's training: every stage of a run, by the user's own recipe, on a few of the user's images."""

import math
import threading
import time
from collections.abc import Generator, Iterator
from dataclasses import dataclass, field, replace
from statistics import median

import numpy as np

from unclip.data.prepare.splits import Splits
from unclip.data.prepare.splits_file import write_splits
from unclip.data.prepare.write import Prepared
from unclip.diffusion.process import Sampling
from unclip.recipes.events import Event, Gate, ImageSaved, Progress, Working
from unclip.recipes.run import train_stages
from unclip.recipes.settings.recipe import Recipe
from unclip.recipes.settings.run import RunConfig, retrained
from unclip.runs.folder import RunFolder
from unclip.studies.doctor.look import Looked
from unclip.training.trainer import Diverged

FEW = 12
"""Images that are trained on."""
STEPS = {"clip": 30, "prior": 50, "decoder": 60, "autoencoder": 40, "latent": 60, "ddpm": 60, "gan": 150}
"""Steps in which a sound stage has learned so few; `OTHERS` of a stage of a plugin."""
OTHERS = 60
BUDGET = 60.0
"""Seconds, which only the time that is shown as left depends on."""
HASTY = 4
"""Steps of the previews on the way."""
WARM = 5
"""Steps at first that tell nothing of the speed."""
LONGEST = 150.0
"""Seconds for one stage; one that would take longer is only measured."""
Stops = tuple[threading.Event, threading.Event]
"""Of whoever waits for the doctor, and of the training that he watches."""


@dataclass
class Trained:
    """What was seen of one stage. seconds: of each step; setup: before the first; preview: of a grid of samples; gate:
    for its verdict; save: for a checkpoint; plot: of the losses. parameters: numbers of the model; 0: not told."""

    name: str
    batch: int
    setup: float = 0.0
    preview: float = 0.0
    gate: float = 0.0
    save: float = 0.0
    plot: float = 0.0
    parameters: int = 0
    seconds: list[float] = field(default_factory=list[float])
    losses: list[float] = field(default_factory=list[float])
    failure: str = ""
    done: bool = False

    @property
    def step(self) -> float:
        """Seconds a step, the median of those after the first few."""
        return median(self.seconds[WARM:] or self.seconds or [math.nan])

    @property
    def fell(self) -> float:
        """The loss of the last tenth of the steps, as a share of that of the first few."""
        few = max(1, len(self.losses) // 10)
        first, last = (float(np.mean(part)) for part in (self.losses[:few], self.losses[-few:]))
        return last / first if self.losses and first else math.nan


def few_rows(prepared: Prepared, batch: int, captioned: bool = True) -> list[int]:
    """Rows with pixels and, where they are `captioned`, captions of their own, evenly spread.

    The longest caption among them is as long as that of a batch is at the median, for a step takes as long.
    """
    names = [captions[0] if captioned else f"{row}" for row, captions in enumerate(prepared.captions)]
    length = np.array([len(name.split()) for name in names])
    longest = np.quantile(length, 0.5 ** (1 / batch), method="nearest")
    order: list[int] = np.argsort(np.abs(length - longest), kind="stable")[:1].tolist()
    every = max(1, len(prepared) // FEW)
    order += [row for start in range(every) for row in range(start, len(prepared), every) if length[row] <= longest]
    rows, captions, pixels = list[int](), set[str](), set[str]()
    for row in order:
        if names[row] not in captions and prepared.digests[row] not in pixels:
            rows.append(row)
            captions.add(names[row])
            pixels.add(prepared.digests[row])
        if len(rows) == FEW:
            break
    return rows


def brief(config: RunConfig) -> RunConfig:
    """The user's settings with few steps, from random weights; what is told in steps (warm-up, a fixed average) is
    shortened with them.

    Previews on the way are drawn in a few steps, too; images that are judged are drawn in as many as a run's.
    """
    last = config.stages[-1]
    short: dict[str, Recipe] = {name: _brief(name, config.recipes[name]) for name in config.stages}
    if isinstance(sampling := getattr(short[last], "sampling", None), Sampling):
        hasty = replace(sampling, steps=min(sampling.steps, HASTY))
        short[last] = replace(short[last], sampling=hasty)  # pyright: ignore[reportArgumentType]
    return replace(config.using(**short), max_bad=1.0, budget=BUDGET, start="", start_hash="", lora=0)


def _brief(name: str, recipe: Recipe) -> Recipe:
    steps, train = STEPS.get(name, OTHERS), recipe.train
    optim = replace(train.optim, warmup=min(train.optim.warmup, steps // 10))
    return retrained(recipe, steps=steps, optim=optim, ema_decay=0.0)


def only(rows: list[int], count: int) -> Splits:
    """Splits that train on these rows alone; two others are previewed."""
    others = np.setdiff1d(np.arange(count), rows)
    if not len(others):
        rows, others = rows[:-1], np.array(rows[-1:])
    return Splits(np.array(sorted(rows)), others[:2], others[2:])


def train_few(
    looked: Looked, rows: list[int], config: RunConfig, run: RunFolder, stop: threading.Event
) -> Generator[Event, None, dict[str, Trained]]:
    """Trains the stages in the folder `run`, in which the first images are prepared; returns what was seen of each.

    A stage that fails or takes too long ends it; those after it are not in what is returned.
    """
    found, own = dict[str, Trained](), threading.Event()
    write_splits(run.splits, only(rows, len(looked.prepared)), {"held_out": config.held_out})
    events = train_stages(looked.head, run.root, brief(config), own, force=True)
    try:
        yield from _watched(events, run, config, found, (stop, own))
    except Diverged as error:
        name = str(error).partition(":")[0]
        found.setdefault(name, Trained(name, 0)).failure = "it diverged: its loss or its weights are not finite"
    return found


def _watched(
    events: Iterator[Event], run: RunFolder, config: RunConfig, found: dict[str, Trained], stops: Stops
) -> Iterator[Event]:
    last, elapsed = (judging := time.monotonic()), 0.0
    for event in events:
        now = time.monotonic()
        if isinstance(event, Progress):
            name, report, batch = event.stage, event.report, config.recipes[event.stage].train.batch
            took = batch / report.images_per_s
            if name not in found:
                found[name] = Trained(name, batch, now - last - took)
            seen = found[name]
            seen.seconds.append(took)
            elapsed = report.elapsed
            seen.losses.append(report.loss)
            if (len(seen.seconds) >= 3 and sum(seen.seconds) + report.remaining > LONGEST) or stops[0].is_set():
                stops[1].set()
            yield event
        elif isinstance(event, ImageSaved) and event.stage in found and event.path.parent == run.samples:
            found[event.stage].preview = now - last
        elif isinstance(event, Working) and event.stage in found:
            judging, found[event.stage].save = now, now - last
        elif isinstance(event, Gate) and event.stage in found:
            seen, whole = found[event.stage], event.metrics["seconds"]
            seen.done, seen.gate = True, max(0.0, whole - elapsed - seen.preview - seen.save)
            seen.plot, seen.parameters = max(0.0, now - judging - seen.gate), int(event.metrics["parameters"])
        last = time.monotonic()
