"""The upsamplers of a text-to-image run, as stages that `unclip add` trains on its pictures at a larger size."""

from dataclasses import replace

import numpy as np
import torch
from PIL import Image

from unclip.data.images.resize import enlarge, shrink
from unclip.data.loader import to_tensor
from unclip.data.prepare.write import Prepared
from unclip.evaluation import upsampling as scores
from unclip.generation.upsampling import Enlarger, upsampled
from unclip.images.files import grid, to_pictures
from unclip.models.upsampler import Upsampler, UpsamplerConfig, crop_side
from unclip.recipes.context import Context
from unclip.recipes.events import Gate
from unclip.recipes.feed import PictureFeed
from unclip.recipes.gates import FEW
from unclip.recipes.settings.upsampler import UpsamplerRecipe
from unclip.recipes.stages.base import Stage
from unclip.recipes.stages.ddpm import fitted

JUDGED = 32
"""Held-out pictures that the gate looks at."""
MARGIN = 0.5
"""dB above bicubic interpolation: what counts as clearly better."""
NEARER = 0.7
"""Or sharpness: its distance from the real pictures' must be less than this share of bicubic's."""
FAITHFUL = 30.0
"""dB of consistency at least: made small again, a picture is off by 8 of 255 levels (root mean square) at the most."""
FITTED = 256
"""Pictures over which the spread of the details is taken."""
ROWS = 6
"""Of a preview."""


def first_upsampler(ctx: Context) -> Stage:
    """From the decoder's size."""
    return upsampler_stage(ctx, "upsampler", ctx.config.size)


def second_upsampler(ctx: Context) -> Stage:
    """From the first one's size. Raises ValueError where there is no first one."""
    if "upsampler" not in ctx.folder.state():
        raise ValueError("stage 'upsampler2': enlarges what the stage 'upsampler' draws; add that one first")
    return upsampler_stage(ctx, "upsampler2", config_of(ctx.config.upsampler, ctx.config.size).size)


def upsampler_stage(ctx: Context, name: str, low: int) -> Stage:
    """An upsampler from `low` px on random crops of the data at its own size."""
    r: UpsamplerRecipe = getattr(ctx.config, name)
    config = config_of(r, low)
    prepared = ctx.prepared_at(config.size)
    train, held = split_at(ctx, prepared)
    module = Upsampler(config)
    module.fit(to_tensor(prepared.images[train[:FITTED]]))
    left_out = len(ctx.prepared) - len(prepared)
    note = f"; {left_out:,} pictures smaller than {config.size} px were left out" if left_out else ""

    def judge(model: Upsampler) -> Gate:
        rows = held if len(held) >= FEW else train
        found = upsampler_gate(ctx, name, model, to_tensor(prepared.images[rows[:JUDGED]]))
        return replace(found, why=found.why + note)

    return Stage(
        name,
        module.to(ctx.device),
        PictureFeed(prepared, train, r.train.batch, ctx.config.seed, flip=True),
        r.train,
        r.share,
        judge,
        lambda model: preview(model, to_tensor(prepared.images[(held if len(held) else train)[:ROWS]])),
    )


def config_of(r: UpsamplerRecipe, low: int) -> UpsamplerConfig:
    """The upsampler that these settings mean for pictures of `low` px."""
    size = r.size or 2 * low
    network = fitted(r.network, image_channels=r.network.channels, vector_width=1)
    if size % low:
        raise ValueError(f"size = {size}: must be a multiple of {low} px, from which this upsampler starts")
    step = int(np.lcm(size // low, network.multiple))
    crop = r.crop or crop_side(size, step)
    return UpsamplerConfig(low, size, crop, network, r.diffusion, r.sampling, r.degradation)


def split_at(ctx: Context, prepared: Prepared) -> tuple[np.ndarray, np.ndarray]:
    """(training, held-out) rows at another size: a picture that the run held out stays so. Raises ValueError where
    nothing is left to train on."""
    out = {ctx.prepared.keys[row] for row in ctx.split[1]}
    held = np.array([key in out for key in prepared.keys], dtype=bool)
    train = np.flatnonzero(~held)
    if not len(train):
        raise ValueError(f"none of the pictures with {prepared.size} px is left to train on; choose a smaller size")
    return train, np.flatnonzero(held)


@torch.no_grad()
def upsampler_gate(ctx: Context, name: str, model: Upsampler, real: torch.Tensor) -> Gate:
    """Nearer to the real pictures than bicubic interpolation, or about as sharp as they are; true to its input."""
    found = scores.restored(Enlarger(model), real, ctx.config.seed)
    gain = found["psnr"]["upsampled"] - found["psnr"]["bicubic"]
    sharp = {k: abs(v - 1) for k, v in found["sharpness"].items()}
    figures = {f"{group}_{k}": v for group, parts in found.items() for k, v in parts.items()}
    better = gain >= MARGIN or sharp["upsampled"] < NEARER * sharp["bicubic"]
    why = (
        f"PSNR {found['psnr']['upsampled']:.2f} dB, bicubic {found['psnr']['bicubic']:.2f}; sharpness "
        f"{found['sharpness']['upsampled']:.2f}x the data's, bicubic {found['sharpness']['bicubic']:.2f}x; made small "
        f"again {found['consistency']['upsampled']:.1f} dB ({len(real)} pictures)"
    )
    return Gate(name, better and found["consistency"]["upsampled"] >= FAITHFUL, why, figures)


def preview(model: Upsampler, real: torch.Tensor) -> Image.Image:
    """Rows of held-out pictures: bicubic, the upsampler's, the real one."""
    factor = model.config.factor
    low = shrink(real, factor)
    made = upsampled([Enlarger(model)], low, range(len(low)))
    columns = [to_pictures(x) for x in (enlarge(low, factor), made, real)]
    return grid(list(zip(*columns, strict=True)), ["bicubic | upsampled | real"] * len(real), zoom=1)
