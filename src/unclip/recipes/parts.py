"""What the stages of a text-to-image model have in common."""

from typing import Any

from unclip.pipeline.text_to_image import TextToImage
from unclip.recipes.context import Context
from unclip.recipes.feed import Feed
from unclip.train.trainer import TrainConfig


def feed(ctx: Context, train: TrainConfig) -> Feed:
    """Batches of the training split."""
    return Feed(ctx.prepared, ctx.split[0], ctx.tokenizer, train.batch, ctx.config.seed)


def assembled(ctx: Context, **parts: Any) -> TextToImage:
    """What there is of the model so far."""
    return TextToImage(ctx.tokenizer, device=ctx.device, precision=ctx.precision, **parts)
