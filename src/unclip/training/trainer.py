"""The training loop, as a generator: it yields a `Report` a step and neither prints nor writes."""

import math
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Annotated

import torch
from torch import Tensor, nn

from unclip.core import processes
from unclip.core.config.base import Config
from unclip.core.config.ranges import Count, Fraction, Range
from unclip.core.noise import Noise
from unclip.core.task import Batch, Paced, Settles, Task
from unclip.training.device import Ahead, compiled, tf32
from unclip.training.ema import EMA
from unclip.training.gradients import Gradients, gradients, threads
from unclip.training.lost import lost_rows
from unclip.training.optim import OptimConfig, optimizers
from unclip.training.parts import check_parts
from unclip.training.plan import COOLDOWN, Plan
from unclip.training.recompute import recomputing
from unclip.training.report import Figures, Report
from unclip.training.sharded.parted import Parts, Undivided, state_of
from unclip.training.state import WORDS, enter, whole_tensors
from unclip.training.turns import Turns

UNBROKEN = 3
"""So many steps in a row that are not finite end the run."""
PATIENCE = 20
"""So many bad steps among the last `WINDOW` end the run; so many good ones in a row make it worth keeping."""
WINDOW = 60
BLOWN = 1e4
"""A step is bad whose loss is not finite (it is skipped), or so many times that of the first step."""


@dataclass(frozen=True)
class TrainConfig(Config):
    """Settings of a training.

    Args:
        batch: samples of a batch.
        optim: of the optimiser.
        steps: the number of steps, whatever the time budget; 0: as many as the budget allows.
        ema_gamma: how short the average of the weights is; 16: about the last 6 % of the run.
        ema_decay: a fixed decay of that average in the place of `ema_gamma`; 0: none.
        cooldown: the fraction of the run in which the learning rate falls to zero.
        accumulate: parts in which a batch is computed, one after the other; each takes the memory of a part.
        activation_checkpointing: whether each block is computed again on the way back, in the place of being kept.
    """

    batch: Count = 32
    optim: OptimConfig = field(default_factory=OptimConfig)
    steps: Annotated[int, Range(0, 10**9)] = 0
    ema_gamma: Annotated[float, Range(0, 1e4)] = 16.0
    ema_decay: Annotated[float, Range(0, 1, below=True)] = 0.0
    cooldown: Fraction = COOLDOWN
    accumulate: Count = 1
    activation_checkpointing: bool = False

    def __post_init__(self) -> None:
        if self.batch % self.accumulate:
            raise ValueError(
                f"accumulate = {self.accumulate}: a batch of {self.batch} cannot be cut into so many equal parts; take "
                f"a batch that is a multiple of {self.accumulate}"
            )


class Diverged(ValueError):
    """A training failed: its loss or its weights are not finite."""


class Trainer:
    """Trains a task: `steps()` yields a `Report` after each step, and neither prints nor writes.

    Args:
        task: the model, an `nn.Module` with a loss.
        feed: returns the batch of a step, numbered from 0.
        config: batch size, optimiser, average of the weights.
        plan: for how long.
        seed: of everything random.
        precision: "float32" or "bfloat16".
        workers: on a CPU, threads that each compute a part of a batch, where the task allows that.
        shard: whether several processes share out weights, average and moments, each a part of every tensor.
        compile: whether the task's blocks are compiled, where it is trained on a GPU.
    """

    def __init__(
        self,
        task: Task,
        feed: Callable[[int], Batch],
        config: TrainConfig,
        plan: Plan,
        seed: int,
        precision: str,
        workers: int = 1,
        shard: bool = False,
        compile: bool = False,
    ) -> None:
        assert isinstance(task, nn.Module)
        self.task, self.module, self.feed, self.config, self.plan = task, task, feed, config, plan
        self.seed, self.precision = seed, precision
        self.place = next(task.parameters()).device
        self.device = self.place.type
        self.workers = workers if task.per_sample and self.device == "cpu" and processes.count() == 1 else 1
        processes.check_batch("batch", config.batch, config.accumulate)
        check_parts(task, config.batch, config.accumulate, self.workers)
        self.settling = [module for module in task.modules() if isinstance(module, Settles)]
        self.paced = [module for module in task.modules() if isinstance(module, Paced)]
        self.optimizers = optimizers(task, config.optim)
        self.ema = EMA(task, config.ema_gamma, config.ema_decay)
        self.step, self.elapsed, self.skipped = 0, 0.0, 0
        self.recent = 0  # a bit for each of the last WINDOW steps, the last one lowest; set: it was bad
        self.shard = shard and processes.count() > 1
        self.compile = compile and self.device == "cuda"
        self.batches = Ahead(feed, self.place, ahead=False)
        self.parts: Parts = Undivided()
        self.turns: Turns | None = None
        self.seen: tuple[int, dict[str, Tensor]] | None = None  # a step, and the whole tensors after it
        self.unbroken = 0  # steps in a row that were not finite
        self.first_loss: float | None = None  # the loss of the first step, where that was seen

    @property
    def calm(self) -> bool:
        """Whether the last steps were all good; if not, the weights come from the middle of a divergence."""
        return not self.recent & ((1 << PATIENCE) - 1)

    @property
    def lost(self) -> int:
        """The number of bad steps since the last good one."""
        return (~self.recent & (self.recent + 1)).bit_length() - 1

    def check(self) -> None:
        """Raises Diverged where the state is not worth keeping: amid bad steps, or one that is not finite."""
        if not self.calm:
            raise Diverged(f"it ended while it diverged: {self._lately()}")
        for name, value in self.state()[0].items():
            if value.is_floating_point() and not bool(torch.isfinite(value).all()):
                kind, _, which = name.partition(".")
                raise Diverged(f"the {WORDS[kind]} {which} are not finite after step {self.step:,}")

    def _lately(self) -> str:
        among = min(WINDOW, self.step)
        return (
            f"in {self.recent.bit_count()} of the last {among} steps up to step {self.step:,} the loss was not finite "
            f"or over {BLOWN:,.0f} times that of the first step"
        )

    def waited(self, seconds: float, again: bool = False) -> None:
        """Counts seconds of the budget that were spent between steps, on samples and checkpoints. again: as often as
        there are steps, so they are of the steps' time."""
        self.elapsed += seconds
        self.plan.outside += 0.0 if again else seconds

    def steps(self) -> Generator[Report, None, None]:
        """Trains until the plan is done; yields a report after each step. Raises Diverged where it fails.

        Of several processes the first one decides: the others go on, and end, as it does.
        """
        self.module.train()
        with self._computing(), threads(self.workers) as pool, Turns(self) as turns:
            self.turns = turns
            how = self._shared_out() or gradients(self.task, self.precision, pool, self.config.accumulate)
            while turns.another():
                start = time.perf_counter()
                figures, lost = self._one(how)
                took = time.perf_counter() - start
                self.elapsed += took
                self.plan.settle(self.step, self.elapsed)
                yield self._report(figures, took, lost)
                self._check_going()
            if self.shard:
                self.gather()
        self.turns = None

    @contextmanager
    def _computing(self) -> Generator[None, None, None]:
        """Inside, the device computes as it does fastest, and has its batches in time."""
        again = recomputing(self.module, self.config.activation_checkpointing)
        fast = tf32(self.place, self.precision)
        with fast, compiled(self.module, self.compile), again, Ahead(self.feed, self.place) as self.batches:
            yield

    def _shared_out(self) -> Gradients | None:
        """From here on this process keeps its part of all tensors, where that was asked for."""
        if not self.shard:
            return None
        from unclip.training.sharded.gradients import BySharding  # takes a second, which others need not wait

        whole = dict(whole_tensors(self.module, self.ema, self.optimizers, self.parts))
        how = BySharding(self.task, self.precision, self.config.accumulate)
        self.parts, self.optimizers = how.sharding, optimizers(self.module, self.config.optim, how.sharding)
        self.ema = EMA(self.module, self.config.ema_gamma, self.config.ema_decay)
        enter(whole, self.module, self.ema, self.optimizers, self.parts)
        return how

    def gather(self) -> None:
        """All processes together: the first one has all tensors whole, as they are now, in the CPU's memory."""
        told = whole_tensors(self.module, self.ema, self.optimizers, self.parts)
        kept = {name: value.cpu() for name, value in told if processes.leads()}
        self.seen = self.step, kept

    def _one(self, how: Gradients) -> tuple[Figures, tuple[int, ...] | None]:
        self.seen, batch = None, self.batches(self.step)
        rate = self.plan.rate(self.step, self.config.optim.warmup)
        for group in (g for optimizer in self.optimizers for g in optimizer.param_groups):
            group["lr"] = group["peak"] * rate
        for part in self.paced:
            part.pace(self.plan.share(self.step, self.elapsed))
        losses = how(batch, self._noises())
        for part in self.settling:
            part.settle()
        figures = Figures.of(losses, how.clip(self.config.optim.clip))
        finite = math.isfinite(figures.norm) and math.isfinite(figures.loss)
        lost = None if finite else tuple(lost_rows(self.task, batch, self._noises(), how))
        self._apply(figures.loss, finite)
        return figures, lost

    def _noises(self) -> list[Noise]:
        """Of the shards of this step's batch."""
        noises = [Noise.shared(self.seed, n, self.step, device=self.place) for n in range(self.workers)]
        if processes.count() > 1:
            noises = [noises[0].of(processes.rows(self.config.batch // processes.count()))]
        return noises

    def _apply(self, loss: float, finite: bool) -> None:
        self.first_loss = loss if self.step == 0 and finite else self.first_loss
        bad = not finite or (self.first_loss is not None and loss > BLOWN * self.first_loss > 0)
        self.step += 1
        self.recent = (self.recent << 1 | bad) & ((1 << WINDOW) - 1)
        self.unbroken = 0 if finite else self.unbroken + 1
        if finite:
            for optimizer in self.optimizers:
                optimizer.step()
            self.ema.update(self.module, self.step)
        else:
            self.skipped += 1

    def _check_going(self) -> None:
        """Raises Diverged where there were too many bad steps."""
        if self.unbroken >= UNBROKEN:
            raise Diverged(
                f"it diverged: {self.unbroken} steps in a row, up to step {self.step:,}, had a loss or a gradient that "
                "is not finite"
            )
        if self.recent.bit_count() >= PATIENCE:
            raise Diverged(f"it diverged: {self._lately()}")

    def _report(self, figures: Figures, took: float, lost: tuple[int, ...] | None) -> Report:
        return Report(
            step=self.step,
            loss=figures.loss,
            parts=figures.parts,
            grad_norm=figures.norm,
            lr=self.optimizers[0].param_groups[0]["lr"],
            images_per_s=self.config.batch / took,
            elapsed=self.elapsed,
            remaining=self.plan.remaining(self.step, self.elapsed),
            share=self.plan.share(self.step, self.elapsed),
            lost=lost,
        )

    def state(self) -> tuple[dict[str, Tensor], dict[str, float | int | None]]:
        """All that a resumed run needs, as (tensors, numbers): weights, their average, optimiser, clock and plan."""
        numbers = {name: getattr(self, name) for name in ("step", "elapsed", "skipped", "recent", "first_loss")}
        return self._tensors(), numbers | self.plan.state()

    def averaged(self) -> dict[str, Tensor]:
        """The averaged weights."""
        if isinstance(self.parts, Undivided):
            return self.ema.average
        return {name[4:]: value for name, value in self._tensors().items() if name.startswith("ema.")}

    def _tensors(self) -> dict[str, Tensor]:
        if isinstance(self.parts, Undivided):
            return dict(whole_tensors(self.module, self.ema, self.optimizers, self.parts))
        if self.seen is None or self.seen[0] != self.step:
            assert self.turns is not None, "the others have ended"
            self.turns.call_to_gather()
            self.gather()
        assert self.seen is not None
        return self.seen[1]

    def load(self, tensors: dict[str, Tensor], numbers: dict[str, float | int | None]) -> None:
        """Continues from what `state` returned."""
        enter(tensors, self.module, self.ema, self.optimizers, self.parts)
        self.step, self.elapsed = int(numbers["step"] or 0), float(numbers["elapsed"] or 0.0)
        self.skipped, self.recent = int(numbers["skipped"] or 0), int(numbers["recent"] or 0)
        self.first_loss = numbers["first_loss"]
        self.plan.load(numbers)

    def restart(self, step: int, elapsed: float) -> None:
        """Continues from the module's own weights, which were trained for `step` steps and `elapsed` seconds."""
        self.step, self.elapsed, self.recent, self.first_loss = step, elapsed, 0, None
        self.ema.load(state_of(self.module))
