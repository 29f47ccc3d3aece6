"""The recipe of the judges: seeded first weights, images drawn on the way, a fixed number of steps.

    judges.train("supervised", "runs/judge")                     # what is shipped, anew
    judges.train("self-supervised", "runs/judge", images="runs/mine")   # every other batch from your own images

Nothing is read but what is asked for: the images are drawn by `judges.procedural`. On one machine and one version of
torch and Pillow the same command gives the same weights, bit for bit, on one thread; elsewhere nearly so, which is why
the trained nets are shipped and known by their hash.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Literal, get_args

import torch

from unclip.core.config.base import Config
from unclip.core.config.ranges import Range, quote
from unclip.core.disk import store
from unclip.core.noise import Noise, initial_weights
from unclip.core.shown import printable
from unclip.core.task import Batch
from unclip.judges.judge import Judge
from unclip.judges.network import FeatureNet, FeatureNetConfig
from unclip.judges.own_images import OwnImages
from unclip.judges.procedural import scenes
from unclip.judges.self_supervised import CROP, SelfSupervised
from unclip.judges.shipped import KIND, load
from unclip.judges.supervised import AskedBatch, Supervised
from unclip.training.optim import OptimConfig
from unclip.training.plan import Plan
from unclip.training.report import Report
from unclip.training.trainer import TrainConfig, Trainer

Kind = Literal["supervised", "self-supervised", "random"]
KINDS: tuple[Kind, ...] = get_args(Kind)
SIDES = (32, 32, 48, 24, 64)
"""Of the images of one chunk and the next, px; the larger, the fewer."""
CHUNK = 4
"""Batches that are drawn at once: many images at a time take less time each."""
AT_ONCE = 256
"""Images that the features are measured on at a time."""


@dataclass(frozen=True)
class Recipe(Config):
    """Settings of a judge's training.

    Args:
        net: of the network.
        train: of the trainer; `steps` is needed.
        seed: of first weights, images and crops.
        usual: how many drawn images the features are standardised by.
    """

    net: FeatureNetConfig = field(default_factory=FeatureNetConfig)
    train: TrainConfig = field(
        default_factory=lambda: TrainConfig(batch=64, steps=2400, optim=OptimConfig(lr=3e-3, warmup=100))
    )
    seed: Annotated[int, Range(0, 2**63 - 1)] = 0
    usual: Annotated[int, Range(2, 10**6)] = 4096


def shipped_recipe(kind: Kind) -> Recipe:
    """The recipe of a shipped judge, about 8 minutes of a core of its own."""
    recipe = Recipe()
    if kind != "self-supervised":
        return recipe
    return replace(recipe, net=replace(recipe.net, first_spread=1), train=replace(recipe.train, steps=1500))


def train(
    kind: Kind,
    out: str | Path,
    recipe: Recipe | None = None,
    minutes: float | None = None,
    images: str | Path | None = None,
    on_report: Callable[[Report], None] | None = None,
) -> Judge:
    """Trains a judge and writes it to a folder that `judges.load` reads; returns it.

    Args:
        kind: "supervised", "self-supervised", or "random", which keeps its first weights.
        out: the folder, which must not be there yet.
        recipe: the settings; None: `shipped_recipe`.
        minutes: a time budget in the place of the recipe's steps.
        images: a prepared data set or a run, whose training images fill every other batch. The supervised judge takes
            their captions as classes.
        on_report: is called after each step.

    Raises:
        ValueError: where `out` is there, for an unknown kind, and for images that the kind cannot use.
    """
    if kind not in KINDS:
        raise ValueError(f"kind = {quote(kind)}: train one of {', '.join(KINDS)}")
    recipe, place = recipe or shipped_recipe(kind), Path(out)
    if place.exists():
        raise ValueError(f"{printable(place)}: is there already; name another folder")
    own = None
    if images is not None and kind != "random":
        own = OwnImages(images, recipe.train.batch, recipe.seed, labelled=kind == "supervised")
    with initial_weights(recipe.seed, "judge", kind):
        net = recipe.net.build()
        task = Supervised(net, len(own.names) if own else 0) if kind == "supervised" else SelfSupervised(net)
    extra: dict[str, object] = {"recipe": recipe.to_dict(), "name": kind, "images": str(images or "")}
    if kind != "random":
        plan = Plan(seconds=60 * minutes) if minutes else Plan(steps=recipe.train.steps)
        plan.cooldown = recipe.train.cooldown
        trainer = Trainer(task, Feed(kind, recipe, own), recipe.train, plan, recipe.seed, "float32")
        for report in trainer.steps():
            if on_report is not None:
                on_report(report)
        trainer.check()
        task.load_state_dict(trainer.ema.average)
        extra |= {"steps": trainer.step, "seconds": round(trainer.elapsed)}
    standardise(net, recipe.seed, recipe.usual)
    store.save(place, KIND, recipe.net.to_dict(), {k: v.half() for k, v in net.state_dict().items()}, extra)
    return load(place)


class Feed:
    """The batches of a training: drawn scenes, and every other one of the user's own images where there are some."""

    def __init__(self, kind: str, recipe: Recipe, own: OwnImages | None) -> None:
        self.kind, self.recipe, self.own = kind, recipe, own
        self.chunk = lru_cache(maxsize=2)(self._chunk)

    def __call__(self, step: int) -> Batch:
        if self.own is not None and step % 2:
            return self.own(step // 2)
        step = step // 2 if self.own is not None else step
        drawn, n = self.chunk(step // CHUNK), step % CHUNK
        each = len(drawn.images) // CHUNK
        part = slice(n * each, (n + 1) * each)
        if self.kind == "self-supervised":
            return Batch(images=drawn.images[part])
        return AskedBatch(images=drawn.images[part], classes=drawn.classes[part], amounts=drawn.amounts[part])

    def _chunk(self, number: int) -> scenes.Scenes:
        side, batch = SIDES[number % len(SIDES)], self.recipe.train.batch
        each, noise = round(batch * (SIDES[0] / side) ** 2), Noise.shared(self.recipe.seed, "scenes", number)
        if self.kind == "self-supervised":  # two crops of that side of each; covariances need not too few
            return scenes.draw(CHUNK * max(batch // 2, each), round(side / CROP), noise, faulty=0.0)
        return scenes.draw(CHUNK * each, side, noise)


@torch.no_grad()
def standardise(net: FeatureNet, seed: int, usual: int) -> None:
    """Measures the features on so many drawn scenes, of which half are damaged."""
    parts = [
        net.pooled(scenes.draw(min(AT_ONCE, usual - start), SIDES[0], Noise.shared(seed, "usual", n)).images)
        for n, start in enumerate(range(0, usual, AT_ONCE))
    ]
    net.standardise(torch.cat(parts))
