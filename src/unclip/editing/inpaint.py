"""Images of which a part is painted anew, and images that go on beyond their borders.

The decoder sees squares of its own size, and its upsamplers draw the details, as far as the image has pixels.
An image of another size is shrunk (or enlarged) for them, and what they painted is put back into the image, so that
every pixel outside the hole stays what it was.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from unclip.core.shown import printable
from unclip.core.typing import Images
from unclip.data.images.decode import MOST_WHOLE
from unclip.data.loader import to_pixels, to_tensor
from unclip.editing.canvas import Framed, Sides
from unclip.editing.fill import Painter, Request, TypedCommand
from unclip.editing.hole import Hole, Pixels, pasted, read_masked, scene_of
from unclip.editing.transparency import Kept, kept_of, kept_within, lost
from unclip.editing.views import ImageWithHole, mask_of, repeated, way_of
from unclip.editing.windows import windows
from unclip.generation.text_to_image import TextToImage
from unclip.images.files import KEY, grid, sign
from unclip.images.read import Picture, check_large_enough, read_whole

GRAY = 200
"""Of what is unknown, in a sheet."""


@dataclass(frozen=True)
class Inpainted:
    """pictures: one a seed, each with what made it inside; seen: the same as the model saw them, for a sheet."""

    images: Sequence[Image.Image]
    seen: list[Image.Image]
    original: Image.Image
    mask: Image.Image
    notes: list[str]

    def sheet(self) -> Image.Image:
        """Original (gray where it is to be painted), mask, results, in one row."""
        zoom = max(1, 128 // self.original.height)
        sheet = grid([[self.original, self.mask, *self.seen]], zoom=zoom)
        sheet.info[KEY] = {name: value for name, value in self.images[0].info[KEY].items() if name != "shown"}
        return sheet


Tell = Callable[[str], None]
"""Takes what a person should know, before anything is painted."""


def fill_hole(
    model: TextToImage, picture: Picture, mask: Picture | None, request: Request, tell: Tell | None = None
) -> Inpainted:
    """Paints where `mask` is white, or, without one, where the image is transparent; the rest is kept exactly.

    tell: is called with each of the notes before the painting begins.
    Raises ValueError for an image, a mask or settings that cannot work (`read_masked`, `Settings`).
    """
    masked = read_masked(picture, mask, model.size, **model.look)
    scene = scene_of(masked, model.size, model.look)
    small, hole = scene.at(1)
    if hole.all():
        raise ValueError(
            f"{masked.name}: at the model's {model.size} x {model.size} pixels nothing is kept; make the mask smaller"
        )
    painter = Painter.of(model, request, to_tensor(small[None]), way_of(model, request.settings.size, scene))
    share = f"paints {masked.hole.mean():.0%} of the image"
    enlarged = scene.side < model.size
    whole, kept = masked.whole, kept_of(masked.whole, masked.hole, enlarged)
    scaled = _scaled(whole.rgb, masked.name, painter, scene, enlarged)
    notes = [*masked.notes, lost(whole, masked.name, kept), scaled, share]
    notes = _told([*painter.notes, *notes], tell)
    low = painter.fill(repeated(small, request.n), mask_of(hole), "edit")
    asked = TypedCommand("edit", masked.name, {"mask": masked.of_mask} if masked.of_mask else {})
    return _answer(painter, scene, low, (asked, kept, notes))


def grow(model: TextToImage, picture: Picture, sides: Sides, request: Request, tell: Tell | None = None) -> Inpainted:
    """A larger image that holds the given one unchanged; the model paints windows of its size, half known at least
    where there is room, and the upsamplers all of it. Raises ValueError for an image, sides or settings that cannot
    work.
    """
    whole, name = read_whole(picture, background=model.background)
    height, width = whole.alpha.shape
    check_large_enough(name, (width, height), model.size)
    _check_canvas(name, (width, height), sides)
    scene = Framed.of(whole.rgb, sides, model.size)
    canvas, hole = scene.at(1)
    stages = way_of(model, request.settings.size, scene)
    painter = Painter.of(model, request, to_tensor(canvas[scene.middle][None]), stages)
    enlarged = min(width, height) < model.size
    kept = kept_within(whole, scene.margins, enlarged)
    notes = [f"{name}: {note}" for note in whole.notes]
    notes += [lost(whole, name, kept), _scaled(whole.rgb, name, painter, scene, enlarged)]
    notes = _told([*painter.notes, *notes], tell)
    low = _outward(painter, canvas, hole)
    asked = TypedCommand("extend", name, {side: share for side, share in vars(sides).items() if share})
    return _answer(painter, scene, low, (asked, kept, notes))


def _told(notes: Sequence[str], tell: Tell | None) -> list[str]:
    """The notes that say something, told."""
    found = [note for note in notes if note]
    if tell is not None:
        for note in found:
            tell(note)
    return found


def _check_canvas(name: str, sides: tuple[int, int], grows: Sides) -> None:
    width, height = sides
    (above, below), (left, right) = grows.margins(width, height)
    across, down = left + width + right, above + height + below
    if across * down > MOST_WHOLE:
        raise ValueError(
            f"{printable(name)}: would become {across} x {down} pixels, more than {MOST_WHOLE / 1e6:.0f} million; let "
            "it grow less, or make it smaller first"
        )


def _outward(painter: Painter, canvas: Pixels, hole: Hole) -> Images:
    """The canvas of each seed, painted window by window."""
    known, x = ~hole, repeated(canvas, painter.request.n).clone()
    for number, place in enumerate(windows(known, painter.model.size)):
        at = (slice(None), slice(None), *place)
        x[at] = painter.fill(x[at], mask_of(~known[place]), f"window{number}")
        known[place] = True
    return x


def _scaled(rgb: Pixels, name: str, painter: Painter, scene: ImageWithHole, enlarged: bool) -> str:
    """What is told where an image has another size than what is painted."""
    (height, width), size, side = rgb.shape[:2], painter.size, scene.side
    less, more = "shrunk for it, and what it paints is enlarged", "enlarged for it, and what it paints is shrunk"
    if enlarged:
        what = "enlarged first"
    elif side == size:
        return ""
    else:
        what = less if side > size else more
    return f"{name}: is {width} x {height} pixels and the model paints {size} x {size}: {what}"


def _answer(
    painter: Painter, scene: ImageWithHole, low: Images, of: tuple[TypedCommand, Kept | None, list[str]]
) -> Inpainted:
    """The images that the decoder painted, led through the upsamplers and put back into the image."""
    known, hole = scene.at(painter.size // painter.model.size)
    seen = [pasted(known, hole, p) for p in to_pixels(painter.detailed(low, scene))]
    (asked, kept, notes), back = of, [scene.back(p) for p in seen]
    pictures = [sign(Image.fromarray(p) if kept is None else kept.back(p)) for p in back]
    for picture, seed in zip(pictures, painter.request.seeds, strict=True):
        picture.info[KEY] = painter.about(seed, asked)
    before = np.where(hole[..., None], np.uint8(GRAY), known)
    return Inpainted(
        pictures,
        [Image.fromarray(p) for p in seen],
        Image.fromarray(before),
        Image.fromarray(hole.astype(np.uint8) * 255).convert("RGB"),
        notes,
    )
