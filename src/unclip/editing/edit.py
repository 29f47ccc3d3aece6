"""Pictures of which a part is painted anew, and pictures that go on beyond their borders (docs/inpainting.md)."""

from typing import Literal, TypedDict, Unpack

from PIL import Image

from unclip.core.config.arguments import checked
from unclip.editing.canvas import Sides
from unclip.editing.fill import Request
from unclip.editing.inpaint import fill_hole, grow
from unclip.generation.base import ImageModel
from unclip.generation.settings import Settings
from unclip.generation.text_to_image import text_to_image
from unclip.images.read import Picture

Method = Literal["auto", "model", "repaint"]
"""What paints: the run's inpainting stage, or its decoder by RePaint; auto: the former where the run has one."""


class Growth(TypedDict, total=False):
    """By which fraction of its side a picture grows."""

    left: float
    right: float
    up: float
    down: float


@checked
def edit(
    model: ImageModel,
    image: Picture,
    mask: Picture | None = None,
    prompt: str = "",
    n: int = 1,
    seed: int = 0,
    settings: Settings | None = None,
    method: Method = "auto",
) -> list[Image.Image]:
    """n pictures in which the white part of `mask` is painted anew; picture i has seed + i.

    image, mask: a path or a Pillow image; the mask has the image's size. Without a mask, the transparent part of the
    image is painted. prompt: what the whole picture shows when it is done; "": its own embedding leads. Every pixel
    outside the mask stays as it was. Raises ValueError for an image, a mask or settings that cannot work.
    """
    model = text_to_image(model, "edit")
    return [*fill_hole(model, image, mask, Request(prompt, n, seed, settings or Settings(), method)).pictures]


@checked
def extend(
    model: ImageModel,
    image: Picture,
    prompt: str = "",
    n: int = 1,
    seed: int = 0,
    settings: Settings | None = None,
    method: Method = "auto",
    **sides: Unpack[Growth],
) -> list[Image.Image]:
    """n larger pictures that hold `image` unchanged; picture i has seed + i.

    sides: left, right, up, down, each the fraction of the image's side by which it grows there. The rest as for `edit`.
    """
    model = text_to_image(model, "extend")
    request = Request(prompt, n, seed, settings or Settings(), method)
    return [*grow(model, image, Sides(**sides), request).pictures]
