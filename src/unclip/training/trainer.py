"""The training loop, as a generator: it yields a `Report` a step and neither prints nor writes."""

import math
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from typing import Annotated

import torch
from torch import Tensor, nn

from unclip.core import processes
from unclip.core.config.base import Config
from unclip.core.config.ranges import Count, Fraction, Range
from unclip.core.noise import Noise
from unclip.core.task import Batch, Losses, Paced, Settles, Task
from unclip.training.ema import EMA
from unclip.training.gradients import Gradients, gradients, threads
from unclip.training.optim import OptimConfig, clip_gradients, optimizers
from unclip.training.plan import COOLDOWN, Plan
from unclip.training.turns import Turns

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
    """

    batch: Count = 32
    optim: OptimConfig = field(default_factory=OptimConfig)
    steps: Annotated[int, Range(0, 10**9)] = 0
    ema_gamma: Annotated[float, Range(0, 1e4)] = 16.0
    ema_decay: Annotated[float, Range(0, 1, below=True)] = 0.0
    cooldown: Fraction = COOLDOWN


@dataclass(frozen=True)
class Report:
    """What `Trainer.steps` yields after each step.

    Args:
        step: its number (1, 2, ...).
        loss: the loss of its batch.
        parts: further figures of the task, by name.
        grad_norm: the L2 norm of the gradient, before it was clipped.
        lr: the learning rate.
        images_per_s: samples for each second.
        elapsed: seconds of training so far.
        remaining: seconds of training left.
        share: how much of the plan is done, in [0, 1].
    """

    step: int
    loss: float
    parts: dict[str, float]
    grad_norm: float
    lr: float
    images_per_s: float
    elapsed: float
    remaining: float
    share: float


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
    ) -> None:
        assert isinstance(task, nn.Module)
        self.task, self.module, self.feed, self.config, self.plan = task, task, feed, config, plan
        self.seed, self.precision = seed, precision
        self.place = next(task.parameters()).device
        self.device = self.place.type
        self.workers = workers if task.per_sample and self.device == "cpu" and processes.count() == 1 else 1
        self.settling = [module for module in task.modules() if isinstance(module, Settles)]
        self.paced = [module for module in task.modules() if isinstance(module, Paced)]
        self.optimizers = optimizers(task, config.optim)
        self.ema = EMA(task, config.ema_gamma, config.ema_decay)
        self.step, self.elapsed, self.skipped = 0, 0.0, 0
        self.recent = 0  # a bit for each of the last WINDOW steps, the last one lowest; set: it was bad
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
        """Raises Diverged where the weights are not worth keeping: amid bad steps, or not finite."""
        if not self.calm:
            raise Diverged(f"it ended while it diverged: {self._lately()}")
        for name, value in (*self.module.state_dict().items(), *self.ema.average.items()):
            if value.is_floating_point() and not bool(torch.isfinite(value).all()):
                raise Diverged(f"the weights {name} are not finite after step {self.step:,}")

    def _lately(self) -> str:
        among = min(WINDOW, self.step)
        return (
            f"in {self.recent.bit_count()} of the last {among} steps up to step {self.step:,} the loss was not finite "
            f"or over {BLOWN:,.0f} times that of the first step"
        )

    def waited(self, seconds: float) -> None:
        """Counts seconds of the budget that were spent outside steps, on samples and checkpoints."""
        self.elapsed += seconds

    def steps(self) -> Generator[Report, None, None]:
        """Trains until the plan is done; yields a report after each step. Raises Diverged where it fails.

        Of several processes the first one decides: the others go on, and end, as it does.
        """
        self.module.train()
        with threads(self.workers) as pool, Turns(self) as turns:
            how = gradients(self.task, self.precision, pool)
            while turns.another():
                start = time.perf_counter()
                losses, norm = self._one(how)
                took = time.perf_counter() - start
                self.elapsed += took
                self.plan.settle(self.step, self.elapsed)
                yield self._report(losses, norm, took)

    def _one(self, how: Gradients) -> tuple[Losses, float]:
        batch = self.feed(self.step).to(self.place)
        noises = [Noise.shared(self.seed, n, self.step, device=self.place) for n in range(self.workers)]
        if processes.count() > 1:
            noises = [noises[0].of(processes.rows(self.config.batch // processes.count()))]
        rate = self.plan.rate(self.step, self.config.optim.warmup)
        for group in (g for optimizer in self.optimizers for g in optimizer.param_groups):
            group["lr"] = group["peak"] * rate
        for part in self.paced:
            part.pace(self.plan.share(self.step, self.elapsed))
        losses = how(batch, noises)
        for part in self.settling:
            part.settle()
        norm = clip_gradients(self.module.parameters(), self.config.optim.clip)
        self._apply(float(losses.total.detach()), norm)
        return losses, norm

    def _apply(self, loss: float, norm: float) -> None:
        finite = math.isfinite(norm) and math.isfinite(loss)
        self.first_loss = loss if self.step == 0 and finite else self.first_loss
        bad = not finite or (self.first_loss is not None and loss > BLOWN * self.first_loss > 0)
        self.step += 1
        self.recent = (self.recent << 1 | bad) & ((1 << WINDOW) - 1)
        if finite:
            for optimizer in self.optimizers:
                optimizer.step()
            self.ema.update(self.module, self.step)
        else:
            self.skipped += 1
        if self.recent.bit_count() >= PATIENCE:
            raise Diverged(f"it diverged: {self._lately()}")

    def _report(self, losses: Losses, norm: float, took: float) -> Report:
        return Report(
            step=self.step,
            loss=float(losses.total.detach()),
            parts=losses.parts,
            grad_norm=norm,
            lr=self.optimizers[0].param_groups[0]["lr"],
            images_per_s=self.config.batch / took,
            elapsed=self.elapsed,
            remaining=self.plan.remaining(self.step, self.elapsed),
            share=self.plan.share(self.step, self.elapsed),
        )

    def state(self) -> tuple[dict[str, Tensor], dict[str, float | int | None]]:
        """All that a resumed run needs, as (tensors, numbers): weights, their average, optimiser, clock and plan."""
        tensors = {f"model.{k}": v for k, v in self.module.state_dict().items()}
        tensors |= {f"ema.{k}": v for k, v in self.ema.average.items()}
        for n, optimizer in enumerate(self.optimizers):
            for i, state in optimizer.state_dict()["state"].items():
                tensors |= {f"optim.{n}.{i}.{k}": v for k, v in state.items()}
        numbers = {name: getattr(self, name) for name in ("step", "elapsed", "skipped", "recent", "first_loss")}
        return tensors, numbers | self.plan.state()

    def load(self, tensors: dict[str, Tensor], numbers: dict[str, float | int | None]) -> None:
        """Continues from what `state` returned."""

        def part(name: str) -> dict[str, Tensor]:
            return {k[len(name) :]: v for k, v in tensors.items() if k.startswith(name)}

        self.module.load_state_dict(part("model."))
        self.ema.load(part("ema."))
        for n, optimizer in enumerate(self.optimizers):
            moments: dict[int, dict[str, Tensor]] = {}
            for key, value in part(f"optim.{n}.").items():
                index, name = key.split(".", 1)
                moments.setdefault(int(index), {})[name] = value
            optimizer.load_state_dict({**optimizer.state_dict(), "state": moments})
        self.step, self.elapsed = int(numbers["step"] or 0), float(numbers["elapsed"] or 0.0)
        self.skipped, self.recent = int(numbers["skipped"] or 0), int(numbers["recent"] or 0)
        self.first_loss = numbers["first_loss"]
        self.plan.load(numbers)

    def restart(self, step: int, elapsed: float) -> None:
        """Continues from the module's own weights, which were trained for `step` steps and `elapsed` seconds."""
        self.step, self.elapsed, self.recent, self.first_loss = step, elapsed, 0, None
        self.ema.load(self.module.state_dict())
