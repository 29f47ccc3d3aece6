"""One stage from its first step (or its checkpoint) to its gate."""

import copy
import math
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

from PIL.Image import Image
from torch.nn import Module

from unclip.core import processes
from unclip.core.disk import atomic, lock, store
from unclip.core.imports.missing import install
from unclip.core.plugins.returned import returned
from unclip.core.task import Task
from unclip.core.typing import Images
from unclip.figures import plots
from unclip.images.files import save_picture
from unclip.nn.lora import is_small, merged, small_of
from unclip.recipes.budget import StageTime, due, previews, reserved
from unclip.recipes.context import Context
from unclip.recipes.events import Event, Gate, ImageSaved, Note, Progress, Working
from unclip.recipes.feed import news, skipped
from unclip.recipes.foresight import passes_in
from unclip.recipes.gates import believable
from unclip.recipes.more import End
from unclip.recipes.stages.base import Preview, build
from unclip.recipes.stages.clip import CLIPRecipe
from unclip.recipes.stages.copies import CopyWatch, copied
from unclip.recipes.start.given import take_given
from unclip.recipes.start.weights import store_small, take_finished, take_start
from unclip.training.checkpoint import Log, check_room, load_checkpoint, save_checkpoint
from unclip.training.plan import Plan
from unclip.training.report import Report
from unclip.training.trainer import Diverged, Trainer
from unclip.training.turns import call_others

EARLY_AT = 1 / 16
"""Where the weights of the stage that draws are kept for autoguidance (Karras et al. 2024b, section 4: about there)."""
LOWER, SAFE = 10, 1e-3
"""What is advised in the place of a rate with which a training diverged: so many times less, and no more than this."""


class StageRun:
    """Trains one stage of a run, keeps it safe, and judges it."""

    def __init__(self, ctx: Context, name: str) -> None:
        self.ctx, self.name = ctx, name
        self.time = StageTime.of(ctx.folder, ctx.config, name)
        self.stage, self.recipe = build(ctx, name), ctx.config.recipes[name]
        self.checkpoint = ctx.folder.checkpoint(name)
        module = self.stage.module
        assert isinstance(module, Task)
        self.trainer = Trainer(
            module,
            self.stage.feed,
            self.recipe.train,
            self._plan(),
            ctx.config.seed,
            ctx.precision,
            ctx.config.workers,
            ctx.config.shard,
            ctx.config.compile,
        )
        self.averaged: Module = copy.deepcopy(self.stage.module).eval().requires_grad_(False)
        self.kept = 0  # the step of the last checkpoint
        self.previewed = 0.0  # seconds that the last preview took
        timed = 0.0 if self.recipe.train.steps else self.time.from_nothing
        self.copies = CopyWatch(ctx, self.recipe, timed)

    def events(self) -> Iterator[Event]:
        """Progress after every step; previews; the gate last. Sets of files are written as they are ready.

        Raises Diverged, with what can be done about it.
        """
        for told in self._start():
            yield Note(self.name, told)
        check_room(self.checkpoint, self.trainer)
        log = Log(self.ctx.folder.logs / f"{self.name}.jsonl", self.trainer.step)
        try:
            # Set-up is not of the stage's share: the embeddings of all images can take longer than that.
            if self.recipe.trained and (self.recipe.takes_lora or not self.ctx.config.lora):
                yield from self._train(log)
            if not self.ctx.stop.is_set():
                yield from self._finish()
        except Diverged as error:
            self._drop_lost()
            raise Diverged(f"{self.name}: {error}; {self._way_out()}") from error
        finally:
            log.close()

    def _plan(self) -> Plan:
        train = self.recipe.train
        if train.steps:
            return Plan(steps=train.steps, cooldown=train.cooldown)
        return Plan(seconds=self.time.from_nothing, cooldown=train.cooldown)

    def _start(self) -> Iterator[str]:
        """From the last checkpoint; in a further training from where that has come, or else from the stage's end; at
        step 0 from the weights of another run, where the run starts from one."""
        yield from load_checkpoint(self.checkpoint, self.trainer)
        self.kept = self.trainer.step
        if self.time.end is not None:
            yield from self._go_on(self.time.end)
        if self.ctx.config.start and not self.trainer.step and self.name in self.ctx.config.stages:
            yield take_start(self.ctx, self.name, self.stage)
            self.trainer.restart(0, 0.0)
        elif isinstance(self.recipe, CLIPRecipe) and self.recipe.given and not self.trainer.step:
            yield take_given(self.ctx, self.stage)
            self.trainer.restart(0, 0.0)

    def _go_on(self, end: End) -> Iterator[str]:
        trainer, further = self.trainer, Plan(seconds=self.time.further, cooldown=self.recipe.train.cooldown)
        if trainer.plan.first == end.steps:  # the checkpoint is of this further training, and so is its plan
            further.load(trainer.plan.state())
            trainer.plan = further
            return
        if trainer.step != end.steps:
            if not self._take_finished(end):
                yield "its finished weights are gone, so it is trained without them"
                return
            yield f"goes on from its finished weights at step {end.steps}; the optimiser's moments begin anew"
        trainer.plan = replace(further, first=trainer.step, before=trainer.elapsed)

    def _take_finished(self, end: End) -> bool:
        try:
            stored = store.load(self.ctx.folder.root / self.name, self.name)
        except store.Damaged:
            return False
        if stored.extra.get("steps") != end.steps:
            return False
        take_finished(self.ctx, self.stage, stored)
        self.trainer.restart(end.steps, end.seconds)
        return True

    def _train(self, log: Log) -> Iterator[Event]:
        saved, share = time.monotonic(), self.trainer.plan.share(self.trainer.step, self.trainer.elapsed)
        if processes.count() > 1:
            self.stage.feed(self.trainer.step)  # what it makes on disk at its first batch is there before others look
            call_others(self.name, *self.trainer.state())
        with closing(self.trainer.steps()) as steps:
            yield from self._follow(steps, log, saved, share)

    def _follow(self, steps: Iterator[Report], log: Log, saved: float, share: float) -> Iterator[Event]:
        """saved: when it was last saved; share: of the plan that was done."""
        for report in steps:
            yield self._progress(report)
            if report.lost is not None:
                yield Note(self.name, skipped(self.stage.feed, report.step, report.lost))
            yield from (Note(self.name, told) for told in news(self.stage.feed))
            # Amid skipped steps nothing is drawn or kept; what became due meanwhile is done after them.
            end = self.trainer.plan.total
            seen = (yield from self._look(share, report)) if self.trainer.calm else {}
            log.write(report.line() | seen)
            if self.trainer.calm:
                plan, cut = self.trainer.plan, self.trainer.plan.total != end
                share = plan.share(report.step, self.trainer.elapsed) if cut else report.share
                # Only now: what a checkpoint has behind it is never made up for.
                if self.ctx.stop.is_set() or time.monotonic() - saved > self.ctx.config.checkpoint_seconds:
                    self._save()
                    saved = time.monotonic()
            if self.ctx.stop.is_set():
                if not self.trainer.calm:
                    yield Note(self.name, f"step {report.step:,} is not kept: steps before it were not finite")
                return

    def _look(self, share: float, report: Report) -> Generator[Event, None, dict[str, Any]]:
        """What is due between two shares of the run: the early weights, a grid of samples; what the log is to hold of
        it."""
        guided = hasattr(self.recipe, "sampling")  # what is drawn in one pass has no guidance that needs them
        early = guided and self.name == self.ctx.config.stages[-1] and self.time.end is None
        if early and share < EARLY_AT <= report.share:
            self._store(self.ctx.folder.early / self.name)
        if self.stage.preview is None or not due(share, report.share, self._previews):
            return {}
        drawn = yield from self._preview(report, self.stage.preview)
        return {} if drawn is None else (yield from self._compare(report, drawn))

    @property
    def _previews(self) -> tuple[float, ...]:
        return previews(self.trainer.plan, self.previewed, often=self.ctx.config.stop_at_copies > 0)

    def _compare(self, report: Report, drawn: Images) -> Generator[Event, None, dict[str, Any]]:
        """Looks for copies of training images in what was drawn; cools down where they are too many."""
        began = time.monotonic()
        found = self.copies(drawn)
        self.trainer.waited(time.monotonic() - began)
        for told in self.copies.notes(drawn, found):
            yield Note(self.name, told)
        if not found:
            return {}
        limit, plan = self.ctx.config.stop_at_copies, self.trainer.plan
        if copied(found) >= limit > 0 and report.share >= EARLY_AT and plan.cool(report.step):
            told = f"! copies reach stop_at_copies = {limit:g}: it cools down now, to end at step {plan.total:,}"
            yield Note(self.name, told)
        return {"copies": {name: one.figures() for name, one in found.items()}}

    def _save(self) -> None:
        """Raises Diverged where the weights are not worth keeping; the checkpoint before stays."""
        began = time.monotonic()
        self.trainer.check()
        lock.check_held(self.ctx.folder.root)
        save_checkpoint(self.checkpoint, self.trainer)
        self.kept = self.trainer.step
        self.trainer.waited(time.monotonic() - began, again=True)

    def _progress(self, report: Report) -> Progress:
        left = report.remaining + self.trainer.plan.reserve + self.time.later
        return Progress(self.name, report, left, self.time.behind(report.share))

    def _preview(self, report: Report, draw: Callable[[Any], Image | Preview]) -> Generator[Event, None, Images | None]:
        """Draws a grid of samples; returns images in which copies can be looked for, where it has such."""
        began = time.monotonic()
        self.averaged.load_state_dict(self.trainer.averaged())
        path = self.ctx.folder.samples / f"{self.name}-{report.step:06d}.png"
        lock.check_held(self.ctx.folder.root)
        shown = draw(self.averaged)
        save_picture(shown.picture if isinstance(shown, Preview) else shown, path)
        self.previewed = time.monotonic() - began
        self.trainer.waited(self.previewed)
        if report.share < 1:
            self.trainer.plan.reserve = reserved(self.recipe, self.previewed, due(report.share, 1.0, self._previews))
        yield ImageSaved(self.name, path)
        return shown.drawn if isinstance(shown, Preview) else None

    def _finish(self) -> Iterator[Event]:
        self._save()
        trainer = self.trainer
        self.averaged.load_state_dict(trainer.averaged())
        yield Working(self.name, "judging it", trainer.plan.reserve + self.time.later, self.time.behind(1.0))
        began = time.monotonic()
        verdict = returned(self.stage.gate(self.averaged), Gate, f"{self.name}: its gate")
        judged = believable(verdict, trainer.skipped, trainer.step)
        judged = replace(judged, why=judged.why + passes_in(self.ctx, self.name).told(trainer.step, trainer.elapsed))
        trainer.waited(time.monotonic() - began)
        metrics = {"steps": trainer.step, "seconds": round(trainer.elapsed, 1), "skipped": trainer.skipped}
        kept = self.stage.kept(self.averaged)
        metrics["parameters"] = sum(p.numel() for name, p in kept.named_parameters() if not is_small(name))
        result = replace(judged, metrics={**judged.metrics, **metrics})
        known = {k: v if math.isfinite(v) else None for k, v in result.metrics.items()}
        record = {"passed": result.passed, "why": result.why, "metrics": known}
        store_small(self.ctx, self.name, kept)
        sha = self._store(self.ctx.folder.root / self.name, {**metrics, "ended": record})
        self.ctx.folder.finish(self.name, {**record, "sha256": sha})
        yield from self._plot()
        yield result

    def _store(self, place: Path, about: dict[str, Any] | None = None) -> str:
        """Keeps the averaged weights, with what is to be noted beside them; returns their SHA-256."""
        self.trainer.check()
        lock.check_held(self.ctx.folder.root)
        self.averaged.load_state_dict(self.trainer.averaged())
        state = self.stage.kept(self.averaged).state_dict()
        weights = merged(state, small_of(state))
        extra = {**(about or {}), "began": self.ctx.began}
        return store.save(place, self.name, self.stage.config.to_dict(), weights, extra)

    def _drop_lost(self) -> None:
        """Takes a checkpoint away after which not one step was good: whoever went on from it would diverge, too."""
        if self.trainer.lost and self.kept >= self.trainer.step - self.trainer.lost:
            newest = next((place for place in self.checkpoint if place.exists()), None)
            if newest is not None:
                atomic.remove(newest)

    def _way_out(self) -> str:
        """What can be done about a training that diverged."""
        optim, kept = self.recipe.train.optim, any(place.exists() for place in self.checkpoint)
        rates = {"lr": optim.lr, "muon_lr": optim.muon_lr}
        said = [
            f"--set {self.name}.train.optim.{name}={min(rate / LOWER, SAFE):.3g}"
            for name, rate in rates.items()
            if rate
        ]
        where = "continues from its last checkpoint" if kept else "begins this stage again"
        return f"the same command with a lower learning rate, as {' '.join(said)}, {where}"

    def _plot(self) -> Iterator[Event]:
        if not plots.available():
            yield Note(self.name, install("no plots, they need", "matplotlib"))
            return
        config = self.ctx.config
        logs = {n: p for n in (*config.stages, *config.added) if (p := self.ctx.folder.logs / f"{n}.jsonl").exists()}
        path = self.ctx.folder.plots / "loss.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        plots.loss_curves(logs, path)
        yield ImageSaved(self.name, path)
