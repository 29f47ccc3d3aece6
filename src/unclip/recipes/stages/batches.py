"""What the stages of all text-to-image models share: batches of pairs, and images for held-out captions."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from unclip.core.typing import Images
from unclip.data.loader import to_tensor
from unclip.data.prepare.splits import Splits
from unclip.data.prepare.write import Prepared
from unclip.diffusion.guidance import Unguided
from unclip.evaluation.judging.copies import FEWEST
from unclip.generation.captioned import CaptionedModel
from unclip.generation.classed import ClassModel
from unclip.generation.settings import Settings
from unclip.generation.text_to_image import TextToImage
from unclip.images.files import grid, to_pictures
from unclip.models.autoencoder.space import CodeSpace
from unclip.models.decoder import Decoder
from unclip.nn.backbones.config import ImageNetworkConfig
from unclip.recipes.context import Context
from unclip.recipes.feed import Feed, PictureFeed, distinct_captions
from unclip.recipes.stages.base import Preview
from unclip.training.trainer import TrainConfig

DRAWN, QUICK = 24, 12
"""Images in which copies are looked for, and the steps that they are drawn with at the most."""


def feed(ctx: Context, train: TrainConfig) -> Feed:
    """Batches of the training split."""
    batch, seed = train.batch, ctx.config.seed
    return Feed(ctx.prepared, ctx.splits.train, ctx.tokenizer, batch, seed, ctx.stream(batch), ctx.device)


def decoder_feed(ctx: Context, train: TrainConfig, decoder: Decoder, images: bool = False) -> Feed:
    """Batches for a decoder, or what is made of one: with embeddings, and images or, where it denoises those, codes.

    images: whether they are wanted beside the codes.
    """
    batches = feed(ctx, train)
    batches.embeddings = ctx.embedded
    if isinstance(decoder.space, CodeSpace):
        own = decoder.space.autoencoder  # looked at when training begins: by then it is that of the run it starts from
        batches.with_images, batches.encode = images, lambda: ctx.coded_by(own)
    return batches


def pictures_of(
    ctx: Context,
    batch: int,
    labels: np.ndarray | Mapping[str, int] | None = None,
    channels: int = 3,
    flip: bool = False,
    larger: tuple[Prepared, Splits] | None = None,
) -> PictureFeed:
    """Batches of training images alone. labels, channels, flip: as of `PictureFeed`; larger: the data at another size,
    without images that are smaller."""
    prepared, splits = larger or (ctx.prepared, ctx.splits)
    known = labels if isinstance(labels, Mapping) else None
    stream = ctx.stream(batch, known) if larger is None else ctx.stream(batch, known, prepared.size)
    return PictureFeed(prepared, splits.train, batch, ctx.config.seed, labels, channels, flip, stream, ctx.device)


def check_multiple(size: int, network: ImageNetworkConfig) -> None:
    """Raises ValueError where a network does not draw images of `size` px."""
    multiple = network.multiple
    if size < 1 or size % multiple:
        raise ValueError(
            f"size = {size}: with its patch and its levels this network draws multiples of {multiple} px; "
            "take such a size, or another patch or number of widths"
        )


def assembled(ctx: Context, **parts: Any) -> TextToImage:
    """What there is of the model so far."""
    return TextToImage(ctx.tokenizer, device=ctx.device, precision=ctx.precision, **parts)


def caption_preview(ctx: Context, model: CaptionedModel, captions: int = 4, each: int = 4) -> Preview:
    """A row a caption: the true image, then images drawn for it. First captions that are trained on, then as many of
    validation: what is learnt by heart shows in the first alone."""
    splits = {"trained on": ctx.splits.train, "held out": ctx.splits.validation}
    rows = {which: distinct_captions(ctx.prepared, split, captions) for which, split in splits.items()}
    every = [row for some in rows.values() for row in some]
    asked = [ctx.prepared.captions[row][0] for row in every]
    *_, last = model.steps([c for c in asked for _ in range(each)], [*range(each)] * len(asked))
    drawn, true = to_pictures(last.x.cpu()), to_pictures(to_tensor(ctx.prepared.images[every]))
    lines = [[image, *drawn[i * each : (i + 1) * each]] for i, image in enumerate(true)]
    labels = [f"{which}: {ctx.prepared.captions[row][0]}" for which, some in rows.items() for row in some]
    picture = grid(lines, labels, heads=["true", *(f"seed {seed}" for seed in range(each))])
    return Preview(picture, drawn_anew(ctx, model))


def drawn_anew(ctx: Context, model: CaptionedModel | ClassModel) -> Images:
    """An image for each of at most `DRAWN` captions, or classes, of validation; none where that has too few."""
    rows, size = spread(ctx.splits.validation), ctx.config.size
    if len(rows) < FEWEST:
        return torch.zeros(0, 3, size, size)
    *_, last = model.steps([ctx.prepared.captions[row][0] for row in rows], range(len(rows)), anew(model))
    return last.x


def anew(model: CaptionedModel | ClassModel) -> Settings:
    """How images are drawn in which copies are looked for: in few steps, and without guidance, which draws images more
    typical than the data's, and so nearer to all others."""
    return Settings(steps=min(QUICK, model.sampling.steps), guidance=Unguided())


def spread(rows: np.ndarray) -> np.ndarray:
    """At most `DRAWN` of them, evenly."""
    places = np.linspace(0, len(rows) - 1, min(DRAWN, len(rows)))
    return rows[places.round().astype(int)]
