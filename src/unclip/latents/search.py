"""What of many is nearest to a query, in CLIP's space: images to words, images or captions to an image."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from unclip.core.typing import Float, Tensor, Vectors
from unclip.data.images.colours import WHITE
from unclip.data.item import is_picture
from unclip.data.layouts.kinds import CROP, Fit
from unclip.images.read import ImageInput, read_image
from unclip.latents.zero_shot import Sees


@dataclass(frozen=True)
class Match:
    """row: of the vectors that were searched; cosine: with the query."""

    row: int
    cosine: float


def nearest_rows(query: Float[Tensor, "1 d"], among: Float[Tensor, "n width"], n: int) -> list[Match]:
    """The n rows nearest to one query, [1, d], nearest first; unit vectors both; fewer where there are fewer.

    Raises ValueError for n < 1, and where the vectors are those of another CLIP (their width differs).
    """
    if n < 1:
        raise ValueError(f"n = {n}: ask for at least 1")
    if query.shape[1] != among.shape[1]:
        widths = f"{query.shape[1]} and {among.shape[1]}"
        raise ValueError(f"embeddings of width {widths}: these are of different CLIPs; embed both with one")
    top = (among @ query[0].to(among)).topk(min(n, len(among)))
    return [Match(row, cosine) for row, cosine in zip(top.indices.tolist(), top.values.tolist(), strict=True)]


def is_file(query: str) -> bool:
    """Whether a query names an image file; words otherwise. A missing file with an image's ending is no words."""
    return Path(query).is_file() or is_picture(query)


def read_query(model: Sees, query: str, background: str = WHITE, fit: Fit = CROP) -> str | ImageInput:
    """The query: words, or the image as CLIP sees it, over the background, cropped or whole.

    Raises ValueError for no words, or as `read_image` does.
    """
    if not query.strip():
        raise ValueError("an empty query: write what an image shows, or name an image")
    return read_image(Path(query), model.clip.config.vision.size, background, fit) if is_file(query) else query


def embed_query(model: Sees, query: str | ImageInput) -> Vectors:
    """What was asked as a unit vector, [1, d]."""
    return model.embed_images(query.images) if isinstance(query, ImageInput) else model.embed_captions([query])


def captions_near(model: Sees, query: Vectors, captions: Sequence[str], n: int) -> list[tuple[str, float]]:
    """The n captions nearest to an image's embedding, with their cosines, nearest first."""
    texts = model.embed_captions(captions)
    return [(captions[found.row], found.cosine) for found in nearest_rows(query, texts, n)]
