"""Images of which a part is painted anew, and images that go on beyond their borders (docs/inpainting.md)."""

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
    """By which fraction of its side an image grows."""

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
    """Paints a part of an image anew, n times. Every pixel outside the mask stays as it was.

    Args:
        model: a text-to-image model.
        image: a path or a Pillow image.
        mask: a path or a Pillow image of the image's size: white is painted, black stays. None: the transparent part of
            the image is painted.
        prompt: what the whole image shows when it is done; "": the image's own embedding leads.
        n: the number of results.
        seed: of the first result; result i has seed + i.
        settings: steps, sampler, guidance; None: as the model was stored.
        method: how the hole is filled (docs/inpainting.md); "auto": as the run's stages allow.

    Raises:
        ValueError: for an image, a mask or settings that cannot work.
    """
    model = text_to_image(model, "edit")
    return [*fill_hole(model, image, mask, Request(prompt, n, seed, settings or Settings(), method)).images]


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
    """Paints around an image, n times. The results are larger and hold the image unchanged.

        unclip.extend(model, "cat.png", "a cat on a sofa", left=0.5, right=0.5)

    Args:
        model: a text-to-image model.
        image: a path or a Pillow image.
        prompt: what the whole image shows when it is done; "": the image's own embedding leads.
        n: the number of results.
        seed: of the first result; result i has seed + i.
        settings: steps, sampler, guidance; None: as the model was stored.
        method: how the new part is filled, as for `edit`.
        sides: left, right, up, down: how much is added there, as a fraction of the image's side.

    Raises:
        ValueError: for an image or settings that cannot work.
    """
    model = text_to_image(model, "extend")
    request = Request(prompt, n, seed, settings or Settings(), method)
    return [*grow(model, image, Sides(**sides), request).images]
