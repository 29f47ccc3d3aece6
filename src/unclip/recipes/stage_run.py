"""One stage from its first step (or its checkpoint) to its gate."""

import copy
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from PIL.Image import Image

from unclip.core import files, lock, store
from unclip.core.task import Task
from unclip.pipeline import plots
from unclip.pipeline.images import save_png
from unclip.pipeline.run_folder import DRAWS
from unclip.recipes.context import Context
from unclip.recipes.events import Drawn, Event, Note, Progress
from unclip.recipes.stage import Stage
from unclip.recipes.stages import stage
from unclip.train.checkpoint import Log, load_checkpoint, room_for_checkpoints, save_checkpoint
from unclip.train.plan import Plan
from unclip.train.trainer import Report, Trainer

PREVIEWS = (0.06, 0.2, 0.5, 1.0)
"""Shares of a stage's run at which sample grids are drawn."""
EARLY_AT = 1 / 16
"""Where the weights of the stage that draws are kept for autoguidance (Karras et al. 2024b, section 4: about there)."""


class StageRun:
    """Trains one stage of a run, keeps it safe, and judges it."""

    def __init__(self, ctx: Context, name: str) -> None:
        self.ctx, self.name = ctx, name
        self.stage: Stage = stage(ctx, name)
        self.checkpoint = ctx.folder.checkpoint(name)
        assert isinstance(self.stage.module, Task)
        self.trainer = Trainer(
            self.stage.module,
            self.stage.feed,
            self.stage.train,
            self._plan(),
            ctx.config.seed,
            ctx.precision,
            ctx.config.workers,
        )
        self.averaged = copy.deepcopy(self.stage.module).eval().requires_grad_(False)

    def events(self) -> Iterator[Event]:
        """Progress after every step; previews; the gate last. Sets of files are written as they are ready."""
        for told in load_checkpoint(self.checkpoint, self.trainer):
            yield Note(self.name, told)
        files.check_room(self.checkpoint[0], room_for_checkpoints(self.trainer))
        log = Log(self.ctx.folder.logs / f"{self.name}.jsonl", self.trainer.step)
        try:
            yield from self._train(log)
        finally:
            log.close()
        if not self.ctx.stop.is_set():
            yield from self._finish()

    def _plan(self) -> Plan:
        train = self.stage.train
        if train.steps:
            return Plan(steps=train.steps, cooldown=train.cooldown)
        return Plan(seconds=self.ctx.config.budget * self.stage.share, cooldown=train.cooldown)

    def _train(self, log: Log) -> Iterator[Event]:
        saved, share = time.monotonic(), self.trainer.plan.share(self.trainer.step, self.trainer.elapsed)
        for report in self.trainer.steps():
            log.write(line(report))
            yield self._progress(report)
            if self.name == DRAWS[self.ctx.config.model] and share < EARLY_AT <= report.share:
                self._store(self.ctx.folder.early / self.name)
            if self.stage.preview and any(share < p <= report.share for p in PREVIEWS):
                yield self._preview(report, self.stage.preview)
            # Only now: what a checkpoint has behind it is never made up for.
            if self.ctx.stop.is_set() or time.monotonic() - saved > self.ctx.config.checkpoint_seconds:
                self._save()
                saved = time.monotonic()
            if self.ctx.stop.is_set():
                return
            share = report.share

    def _save(self) -> None:
        lock.check_held(self.ctx.folder.root)
        save_checkpoint(self.checkpoint, self.trainer)

    def _progress(self, report: Report) -> Progress:
        config = self.ctx.config
        names = config.stages if self.name in config.stages else (self.name,)
        shares = {n: config.recipe(n).share for n in names}
        later = sum(shares[n] for n in names[names.index(self.name) + 1 :])
        before = sum(shares[n] for n in names[: names.index(self.name)])
        share = (before + shares[self.name] * report.share) / sum(shares.values())
        return Progress(self.name, report, report.remaining + later * config.budget, share)

    def _preview(self, report: Report, draw: Callable[[Any], Image]) -> Drawn:
        self.averaged.load_state_dict(self.trainer.ema.average)
        path = self.ctx.folder.samples / f"{self.name}-{report.step:06d}.png"
        lock.check_held(self.ctx.folder.root)
        save_png(draw(self.averaged), path)
        return Drawn(self.name, path)

    def _finish(self) -> Iterator[Event]:
        self._save()
        trainer = self.trainer
        figures = {"steps": trainer.step, "seconds": round(trainer.elapsed, 1), "skipped": trainer.skipped}
        figures["parameters"] = sum(p.numel() for p in self.stage.kept(self.averaged).parameters())
        self.averaged.load_state_dict(trainer.ema.average)
        result = self.stage.gate(self.averaged)
        result = replace(result, figures={**result.figures, **figures})
        record = {"passed": result.passed, "why": result.why, "figures": result.figures}
        sha = self._store(self.ctx.folder.root / self.name, {**figures, "ended": record})
        self.ctx.folder.finish(self.name, {**record, "sha256": sha})
        yield from self._plot()
        yield result

    def _store(self, place: Path, about: dict[str, Any] | None = None) -> str:
        """Keeps the averaged weights, with what is to be noted beside them; returns their SHA-256."""
        lock.check_held(self.ctx.folder.root)
        self.averaged.load_state_dict(self.trainer.ema.average)
        weights = self.stage.kept(self.averaged).state_dict()
        extra = {**(about or {}), "made_with": self.ctx.made_with}
        return store.save(place, self.name, self.stage.config.to_dict(), weights, extra)

    def _plot(self) -> Iterator[Event]:
        if not plots.available():
            yield Note(self.name, "no plots: pip install 'unclip[plots]'")
            return
        config = self.ctx.config
        logs = {n: p for n in (*config.stages, *config.added) if (p := self.ctx.folder.logs / f"{n}.jsonl").exists()}
        path = self.ctx.folder.plots / "loss.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        plots.loss_curves(logs, path)
        yield Drawn(self.name, path)


def line(report: Report) -> dict[str, Any]:
    """A report as a line of the log; a figure that is not finite becomes null."""
    figures = {**{k: v for k, v in vars(report).items() if k not in ("parts", "remaining", "share")}, **report.parts}
    return {k: v if math.isfinite(v) else None for k, v in figures.items()}
