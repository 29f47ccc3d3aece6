"""The upsamplers of a text-to-image run, as stages that `unclip add` trains on its images at a larger size: the first
enlarges what the decoder draws, each further one what the one before it draws."""

from dataclasses import dataclass, field, replace
from typing import Annotated, ClassVar

import numpy as np
import torch
from PIL import Image
from torch import nn

from unclip.core.config.base import options
from unclip.core.config.ranges import Range, Share
from unclip.data.degradation import BSR
from unclip.data.images.resize import enlarge, shrink
from unclip.data.loader import to_tensor
from unclip.data.prepare.splits import Splits, splits_of_keys
from unclip.data.prepare.write import Prepared
from unclip.evaluation.fidelity import upsampling as scores
from unclip.generation.upsampling import Enlarger, numbered, upsampled
from unclip.images.files import grid, to_pictures
from unclip.models.upsampler import Upsampler, UpsamplerConfig, UpsamplerOptions, crop_side, upsampler_sampling
from unclip.recipes.context import Context
from unclip.recipes.events import Gate
from unclip.recipes.gates import judged_rows
from unclip.recipes.settings.recipe import stages_before
from unclip.recipes.settings.run import RunConfig
from unclip.recipes.stages.base import Stage, StageRecipe, TokenizerSize
from unclip.recipes.stages.batches import pictures_of
from unclip.training.optim import OptimConfig
from unclip.training.trainer import TrainConfig

JUDGED = 32
"""Held-out images that the gate looks at."""
MARGIN = 0.5
"""dB above bicubic interpolation: what counts as clearly better."""
NEARER = 0.7
"""Or sharpness: its distance from the real images' must be less than this share of bicubic's."""
FAITHFUL = 30.0
"""dB of consistency at least: made small again, an image is off by 8 of 255 levels (root mean square) at the most."""
FITTED = 256
"""Images over which the spread of the details is taken."""
ROWS = 6
"""Of a preview."""


@dataclass(frozen=True)
class UpsamplerRecipe(UpsamplerOptions, StageRecipe):
    """size: side of the larger images, px; 0: twice the smaller ones. crop: of the training crops; 0: a quarter of the
    side, but not less than 64. network: without attention, its image_channels and vector_width follow.
    """

    name: ClassVar[str] = "upsampler"
    added_to: ClassVar[tuple[str, ...]] = ("unclip",)
    reads_captions: ClassVar[bool] = False
    numbered: ClassVar[bool] = True

    size: Annotated[int, Range(0, 4096)] = 0
    crop: Annotated[int, Range(0, 4096)] = 0
    share: Share = 0.5
    train: TrainConfig = field(default_factory=lambda: TrainConfig(16, OptimConfig(lr=2e-3, muon_lr=3e-3)))

    @classmethod
    def default(cls, number: int) -> "UpsamplerRecipe":
        """After the first: with BSR degradation, as the paper's second one, and fewer steps."""
        return cls() if number == 1 else cls(sampling=upsampler_sampling(8), degradation=BSR())

    @classmethod
    def after(cls, number: int) -> tuple[str, ...]:
        """What draws the images that it enlarges."""
        return ("decoder",) if number == 1 else (numbered("upsampler", number - 1),)

    def config(self, low: int) -> UpsamplerConfig:
        """The upsampler that these settings mean for images of `low` px."""
        size = self.size or 2 * low
        network = self.network.changed(image_channels=self.network.channels, vector_width=1)
        if size % low:
            raise ValueError(f"size = {size}: must be a multiple of {low} px, from which this upsampler starts")
        step = int(np.lcm(size // low, network.multiple))
        chosen = options(self, UpsamplerOptions, network=network)
        return UpsamplerConfig(**chosen, low=low, size=size, crop=self.crop or crop_side(size, step))

    def largest(self, config: RunConfig, words: TokenizerSize) -> nn.Module:
        return self.network.build()

    def build(self, ctx: Context, name: str) -> Stage[Upsampler]:
        """On random crops of the data at its own size. Raises ValueError where what it enlarges is not there."""
        config = self.config(lower_size(ctx, name))
        prepared = ctx.prepared_at(config.size)
        splits = splits_at(ctx, prepared)
        module = Upsampler(config)
        module.fit(to_tensor(prepared.images[splits.train[:FITTED]]))
        left_out = len(ctx.prepared) - len(prepared)
        note = f"; {left_out:,} images smaller than {config.size} px were left out" if left_out else ""

        def judge(model: Upsampler) -> Gate:
            rows, on = judged_rows(splits)
            found = upsampler_gate(ctx, name, model, to_tensor(prepared.images[rows[:JUDGED]]))
            return replace(found, why=found.why + on + note)

        return Stage(
            module.to(ctx.device),
            pictures_of(ctx, self.train.batch, flip=True, larger=(prepared, splits)),
            gate=judge,
            preview=lambda model: upsampler_preview(model, to_tensor(prepared.images[judged_rows(splits)[0][:ROWS]])),
        )


def lower_size(ctx: Context, name: str) -> int:
    """The side of the images that this upsampler enlarges, px. Raises ValueError where nothing draws them."""
    (before,) = stages_before(name)
    if before not in ctx.folder.state():
        raise ValueError(f"stage {name!r}: enlarges what the stage {before!r} draws; add that one first")
    return ctx.config.size if before == "decoder" else ctx.finished(before, Upsampler).config.size


def splits_at(ctx: Context, prepared: Prepared) -> Splits:
    """The run's splits at another size: each image stays in its own. Raises ValueError where nothing is left to train
    on."""
    found = splits_of_keys(ctx.splits, ctx.prepared.keys, prepared.keys)
    if not len(found.train):
        raise ValueError(f"none of the images with {prepared.size} px is left to train on; choose a smaller size")
    return found


@torch.no_grad()
def upsampler_gate(ctx: Context, name: str, model: Upsampler, real: torch.Tensor) -> Gate:
    """Nearer to the real images than bicubic interpolation, or about as sharp as they are; true to its input."""
    found = scores.restored(Enlarger(model), real, ctx.config.seed)
    gain = found["psnr"]["upsampled"] - found["psnr"]["bicubic"]
    sharp = {k: abs(v - 1) for k, v in found["sharpness"].items()}
    metrics = {f"{group}_{k}": v for group, parts in found.items() for k, v in parts.items()}
    better = gain >= MARGIN or sharp["upsampled"] < NEARER * sharp["bicubic"]
    why = (
        f"PSNR {found['psnr']['upsampled']:.2f} dB, bicubic {found['psnr']['bicubic']:.2f}; sharpness "
        f"{found['sharpness']['upsampled']:.2f}x the data's, bicubic {found['sharpness']['bicubic']:.2f}x; made small "
        f"again {found['consistency']['upsampled']:.1f} dB"
    )
    return Gate(name, better and found["consistency"]["upsampled"] >= FAITHFUL, why, metrics)


def upsampler_preview(model: Upsampler, real: torch.Tensor) -> Image.Image:
    """Rows of held-out images: bicubic, the upsampler's, the real one."""
    factor = model.config.factor
    low = shrink(real, factor)
    made = upsampled([Enlarger(model)], low, range(len(low)))
    columns = [to_pictures(x) for x in (enlarge(low, factor), made, real)]
    return grid(list(zip(*columns, strict=True)), ["bicubic | upsampled | real"] * len(real), zoom=1)
