"""Complete runs by name: each a function that returns every setting."""

from collections.abc import Callable

from unclip.recipes.config import CLIPRecipe, DecoderRecipe, PriorRecipe, RunConfig
from unclip.train.optim import OptimConfig
from unclip.train.trainer import TrainConfig


def tiny(size: int = 64) -> RunConfig:
    """Two CPU cores, minutes: narrow networks that keep 8 x 8 positions in every core, stepped by Muon."""
    if size == 32:
        return RunConfig(size=32, clip=CLIPRecipe(vision_stem=(32, 64), vision_width=128))
    larger = DecoderRecipe(
        widths=(24, 48, 96),
        blocks=(1, 1, 4),
        attention=(False, False, True),
        level_mean=0.6,
        level_std=1.4,
    )
    return RunConfig(size=64, decoder=larger)


def small(size: int = 64) -> RunConfig:
    """One GPU, an hour or more: the same design, about ten times the parameters and larger batches."""
    return RunConfig(
        size=size,
        budget=3600.0,
        clip=CLIPRecipe(
            width=256,
            text_width=256,
            text_layers=6,
            vision_stem=(64, 128, 256),
            vision_width=384,
            vision_layers=8,
            train=TrainConfig(512, OptimConfig(lr=5e-4, decay=0.1, warmup=500)),
        ),
        prior=PriorRecipe(width=512, layers=8, train=TrainConfig(512, OptimConfig(lr=3e-4, warmup=500))),
        decoder=DecoderRecipe(
            patch=2 if size == 32 else 4,
            widths=(128, 256, 384),
            blocks=(2, 2, 4),
            attention=(False, True, True),
            train=TrainConfig(256, OptimConfig(lr=5e-4, warmup=500)),
        ),
    )


PRESETS: dict[str, Callable[[int], RunConfig]] = {"tiny": tiny, "small": small}
"""Preset name -> settings for a picture size."""
