"""Pictures of which a part is painted anew, and pictures that go on beyond their borders.

The decoder sees squares of its own size, and its upsamplers draw the details, as far as the picture has pixels.
A picture of another size is shrunk (or enlarged) for them, and what they painted is put back into the picture, so that
every pixel outside the hole stays what it was.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from unclip.core.typing import Images
from unclip.data.loader import to_pixels, to_tensor
from unclip.pipeline.framed import Framed, Sides
from unclip.pipeline.images import KEY, grid
from unclip.pipeline.masked import Hole, Pixels, Squared, pasted, read_masked
from unclip.pipeline.painter import Asked, Painter, Request
from unclip.pipeline.read import Picture, check_large_enough, read_whole
from unclip.pipeline.scene import Scene, mask_of, repeated, way_of
from unclip.pipeline.text_to_image import TextToImage
from unclip.pipeline.windows import windows

GRAY = 200
"""Of what is unknown, in a sheet."""


@dataclass(frozen=True)
class Painted:
    """pictures: one a seed, each with what made it inside; seen: the same as the model saw them, for a sheet."""

    pictures: list[Image.Image]
    seen: list[Image.Image]
    original: Image.Image
    mask: Image.Image
    notes: list[str]

    def sheet(self) -> Image.Image:
        """Original (gray where it is to be painted), mask, results, in one row."""
        zoom = max(1, 128 // self.original.height)
        sheet = grid([[self.original, self.mask, *self.seen]], zoom=zoom)
        sheet.info[KEY] = {name: value for name, value in self.pictures[0].info[KEY].items() if name != "shown"}
        return sheet


def edit(model: TextToImage, picture: Picture, mask: Picture | None, request: Request) -> Painted:
    """Paints where `mask` is white, or, without one, where the picture is transparent; the rest is kept exactly.

    Raises ValueError for a picture, a mask or settings that cannot work (`read_masked`, `Settings`).
    """
    masked = read_masked(picture, mask, model.size)
    scene = Squared(masked, model.size)
    small, hole = scene.at(1)
    if hole.all():
        raise ValueError(
            f"{masked.name}: at the model's {model.size} x {model.size} pixels nothing is kept; make the mask smaller"
        )
    painter = Painter.of(model, request, to_tensor(small[None]), way_of(model, request.settings.size, scene))
    low = painter.fill(repeated(small, request.n), mask_of(hole), "edit")
    asked = Asked("edit", masked.name, {"mask": masked.of_mask} if masked.of_mask else {})
    share = f"paints {masked.hole.mean():.0%} of the picture"
    return _answer(painter, scene, low, [_scaled(masked.rgb, masked.name, painter, scene), share], asked)


def extend(model: TextToImage, picture: Picture, sides: Sides, request: Request) -> Painted:
    """A larger picture that holds the given one unchanged; the model paints windows of its size, half known at least
    where there is room, and the upsamplers all of it. Raises ValueError for a picture, sides or settings that cannot
    work.
    """
    whole, name = read_whole(picture)
    height, width = whole.alpha.shape
    check_large_enough(name, (width, height), model.size)
    scene = Framed.of(whole.rgb, sides, model.size)
    canvas, hole = scene.at(1)
    stages = way_of(model, request.settings.size, scene)
    painter = Painter.of(model, request, to_tensor(canvas[scene.middle][None]), stages)
    low = _outward(painter, canvas, hole)
    asked = Asked("extend", name, {side: share for side, share in vars(sides).items() if share})
    return _answer(painter, scene, low, [_scaled(whole.rgb, name, painter, scene)], asked)


def _outward(painter: Painter, canvas: Pixels, hole: Hole) -> Images:
    """The canvas of each seed, painted window by window."""
    known, x = ~hole, repeated(canvas, painter.request.n).clone()
    for number, place in enumerate(windows(known, painter.model.size)):
        at = (slice(None), slice(None), *place)
        x[at] = painter.fill(x[at], mask_of(~known[place]), f"window{number}")
        known[place] = True
    return x


def _scaled(rgb: Pixels, name: str, painter: Painter, scene: Scene) -> str:
    """What is told where a picture has another size than what is painted."""
    (height, width), size, side = rgb.shape[:2], painter.size, scene.side
    shrunk, enlarged = "shrunk for it, and what it paints is enlarged", "enlarged for it, and what it paints is shrunk"
    if min(width, height) < painter.model.size:
        what = "enlarged first"
    elif side == size:
        return ""
    else:
        what = shrunk if side > size else enlarged
    return f"{name}: is {width} x {height} pixels and the model paints {size} x {size}: {what}"


def _answer(painter: Painter, scene: Scene, low: Images, notes: Sequence[str], asked: Asked) -> Painted:
    """The pictures that the decoder painted, led through the upsamplers and put back into the picture."""
    known, hole = scene.at(painter.size // painter.model.size)
    seen = [pasted(known, hole, p) for p in to_pixels(painter.detailed(low, scene))]
    pictures = [Image.fromarray(scene.back(p)) for p in seen]
    for picture, seed in zip(pictures, painter.request.seeds, strict=True):
        picture.info[KEY] = painter.about(seed, asked)
    before = np.where(hole[..., None], np.uint8(GRAY), known)
    return Painted(
        pictures,
        [Image.fromarray(p) for p in seen],
        Image.fromarray(before),
        Image.fromarray(hole.astype(np.uint8) * 255).convert("RGB"),
        [note for note in [*painter.notes, *notes] if note],
    )
