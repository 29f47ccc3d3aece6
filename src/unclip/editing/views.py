"""An image with a hole as the stages of a run see it one after the other, and which stages that takes."""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import torch

from unclip.core.typing import Images
from unclip.data.loader import to_tensor
from unclip.data.masks import Known
from unclip.editing.hole import Hole, Pixels
from unclip.generation.text_to_image import TextToImage
from unclip.generation.upsampling import Enlarger, way
from unclip.models.known_region import KnownRegion
from unclip.models.upsampler import LARGEST


@runtime_checkable
class ImageWithHole(Protocol):
    """An image with a hole (`SquareCrop`, `WholeImage`, `Framed`)."""

    @property
    def side(self) -> int:
        """Pixels of the image itself along one side of what the decoder sees."""
        ...

    def at(self, times: int) -> tuple[Pixels, Hole]:
        """What is seen of it and its hole, `times` larger than the decoder sees it."""
        ...

    def back(self, painted: Pixels) -> Pixels:
        """The image at its own size, its hole filled with what was painted at one of these sizes."""
        ...


def way_of(model: TextToImage, size: int | None, scene: ImageWithHole) -> Sequence[Enlarger]:
    """The upsamplers that lead to `size`, those for inpainting where the run has them.

    None: as many as the image has pixels for, or as memory allows. Raises ValueError for a size that is not drawn.
    """
    stages = way(model.enlargers, _wanted(model, scene) if size is None else size, model.size)
    return tuple(stage.inpainting or stage for stage in stages)


def _wanted(model: TextToImage, scene: ImageWithHole) -> int:
    longest, found = max(scene.at(1)[1].shape), model.size
    for size in (stage.size for stage in model.enlargers):
        if found >= scene.side or longest * size // model.size > LARGEST:
            break
        found = size
    return found


def known_regions(scene: ImageWithHole, times: int, n: int) -> KnownRegion:
    """What is known of it, `times` larger than the decoder sees it, for each of n images."""
    pixels, hole = scene.at(times)
    return KnownRegion(repeated(pixels, n), mask_of(hole))


def repeated(pixels: Pixels, n: int) -> Images:
    """n times the same image, in [-1, 1]."""
    return to_tensor(pixels[None]).expand(n, -1, -1, -1)


def mask_of(hole: Hole) -> Known:
    """1 where the image is known, [1, 1, h, w]."""
    return torch.from_numpy(~hole).float()[None, None]
