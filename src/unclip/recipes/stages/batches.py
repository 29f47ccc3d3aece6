"""What the stages of all text-to-image models share: batches of pairs, and images for held-out captions."""

from typing import Any

from PIL import Image

from unclip.generation.captioned import CaptionedModel
from unclip.generation.text_to_image import TextToImage
from unclip.images.files import grid, to_pictures
from unclip.nn.backbones.config import ImageNetworkConfig
from unclip.recipes.context import Context
from unclip.recipes.feed import Feed, distinct_captions
from unclip.training.trainer import TrainConfig


def feed(ctx: Context, train: TrainConfig) -> Feed:
    """Batches of the training split."""
    return Feed(ctx.prepared, ctx.splits.train, ctx.tokenizer, train.batch, ctx.config.seed)


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


def caption_preview(ctx: Context, model: CaptionedModel, captions: int = 8, each: int = 4) -> Image.Image:
    """Images for held-out captions, a row a caption."""
    rows = distinct_captions(ctx.prepared, ctx.splits.validation, captions)
    asked = [ctx.prepared.captions[r][0] for r in rows]
    *_, last = model.steps([c for c in asked for _ in range(each)], [*range(each)] * len(asked))
    pictures = to_pictures(last.x.cpu())
    return grid([pictures[i : i + each] for i in range(0, len(pictures), each)], asked)
