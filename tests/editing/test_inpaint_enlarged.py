"""Edited and extended images at the sizes of the upsamplers: known pixels are kept, and stay where they were."""

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from tests.enlarging import upsampler
from tests.half import SIZE, newborn

import unclip
from unclip.editing.canvas import Framed, Sides
from unclip.editing.fill import Request
from unclip.editing.inpaint import fill_hole, grow
from unclip.editing.windows import windows
from unclip.generation.settings import Settings
from unclip.generation.text_to_image import TextToImage
from unclip.images.files import KEY
from unclip.models.upsampler import Upsampler
from unclip.runs.modules import Stages

FEW = Settings(steps=2)
LARGE = 2 * SIZE


def model(inpainting: bool = True) -> TextToImage:
    """A decoder of 16 px that learned nothing, and an upsampler to 32 px that is good for any image."""
    painting = Upsampler.start(upsampler()) if inpainting else None
    return replace(newborn(), stages=Stages.of(upsampler=upsampler(), inpaint_upsampler=painting))


def picture(width: int, height: int) -> Image.Image:
    y, x = np.mgrid[:height, :width] / max(width, height)
    return Image.fromarray((255 * np.stack([x, y, (x + y) / 2], axis=-1)).astype(np.uint8))


def masked(width: int, height: int) -> tuple[Image.Image, np.ndarray]:
    """A mask that does not lie on the decoder's pixels."""
    hole = np.zeros((height, width), dtype=bool)
    hole[height // 3 : height - 3, width // 3 : 2 * width // 3] = True
    return Image.fromarray(hole), hole


@pytest.mark.parametrize("inpainting", [True, False], ids=["stage", "no stage"])
@pytest.mark.parametrize(
    "width, height, painted", [(16, 16, 16), (32, 32, 32), (24, 30, 32), (70, 50, 32)],
    ids=["the decoder's size", "the upsampler's", "between", "larger"],
)  # fmt: skip
def test_known_pixels_are_kept_at_every_size(width: int, height: int, painted: int, inpainting: bool):
    before, (mask, hole) = picture(width, height), masked(width, height)
    found = fill_hole(model(inpainting), before, mask, Request(n=2, settings=FEW))
    for after in found.images:
        assert after.size == before.size
        assert np.array_equal(np.asarray(after)[~hole], np.asarray(before)[~hole])
        assert not np.array_equal(np.asarray(after)[hole], np.asarray(before)[hole])
    about = found.images[0].info[KEY]
    used = [name for name in about["stages"] if "upsampler" in name]
    assert used == ([] if painted == SIZE else ["inpaint_upsampler" if inpainting else "upsampler"])
    assert about["size"] == about["made"]["options"]["size"] == painted and found.seen[0].size == (painted, painted)
    assert any("`unclip add inpaint_upsampler" in note for note in found.notes) == (used == ["upsampler"])


def test_the_size_can_be_chosen():
    before, (mask, hole) = picture(LARGE, LARGE), masked(LARGE, LARGE)
    small, large = (unclip.edit(model(), before, mask, settings=Settings(steps=2, size=s))[0] for s in (SIZE, None))
    pixels = [np.asarray(p, dtype=int) for p in (small, large)]
    assert np.array_equal(pixels[0][~hole], pixels[1][~hole]) and not np.array_equal(*pixels)
    with pytest.raises(ValueError, match="size = 100 px: this model draws 16, 32"):
        unclip.edit(model(), before, mask, settings=Settings(steps=2, size=100))


def test_a_small_picture_is_painted_at_the_decoder_s_size_unless_told_otherwise():
    mask, _ = masked(12, 8)
    for size, wanted in ((None, SIZE), (LARGE, LARGE)):
        [after] = unclip.edit(model(), picture(12, 8), mask, settings=Settings(steps=2, size=size))
        assert after.size == (wanted, wanted)


@pytest.mark.parametrize("width, height", [(32, 32), (48, 32), (37, 53), (20, 90)])
def test_extended_pictures_hold_the_one_they_began_with(width: int, height: int):
    before, sides = picture(width, height), Sides(left=0.3, down=0.21)
    found = grow(model(), before, sides, Request(n=2, settings=FEW))
    (_, below), (left, _) = sides.margins(width, height)
    for after in found.images:
        assert after.size == (width + left, height + below)
        assert np.array_equal(np.asarray(after)[:height, left:], np.asarray(before))
    assert "inpaint_upsampler" in found.images[0].info[KEY]["stages"]


@pytest.mark.parametrize("times", [1, 2])
@pytest.mark.parametrize("width, height", [(32, 32), (61, 100), (333, 210)])
def test_what_is_painted_around_a_picture_stays_where_it_was_painted(width: int, height: int, times: int):
    """A ramp that was painted on as it should be goes on without a step at the image's border."""
    frame = Framed.of(ramp(width, height, (0, 0), (0, 0)), Sides(0.13, 0.37, 0.29, 0.07), SIZE)
    canvas, hole = frame.at(times)
    inside = [np.flatnonzero(~hole.all(axis)) for axis in (1, 0)]
    (up, down), (left, right) = ((i[0], n - 1 - i[-1]) for i, n in zip(inside, hole.shape, strict=True))
    painted = ramp(len(inside[1]), len(inside[0]), (left, right), (up, down))
    assert painted.shape == canvas.shape
    (up, down), (left, right) = frame.margins
    wanted = ramp(width, height, (left, right), (up, down))
    assert np.abs(frame.back(painted).astype(int) - wanted).max() <= 3


def test_a_half_is_completed_in_one_look():
    frame = Framed.of(ramp(64, 128, (0, 0), (0, 0)), Sides(right=1.0), SIZE)
    assert frame.side == 128
    _, hole = frame.at(1)
    assert hole.shape == (SIZE, SIZE) and hole.mean() == 0.5
    assert frame.middle == (slice(0, SIZE), slice(0, SIZE))


@pytest.mark.parametrize("width, height", [(40, 40), (10, 37), (101, 40), (33, 200), (97, 150)])
@pytest.mark.parametrize("sides", [Sides(right=1.0), Sides(down=2.7), Sides(0.5, 0.5, 0.5, 0.5), Sides(left=4.0)])
def test_the_first_window_is_half_known_and_every_canvas_holds_one(width: int, height: int, sides: Sides):
    frame = Framed.of(ramp(width, height, (0, 0), (0, 0)), sides, SIZE)
    _, hole = frame.at(1)
    assert (~hole)[next(windows(~hole, SIZE))].mean() >= 0.5
    assert hole[frame.middle].shape == (SIZE, SIZE)
    if width == height:
        assert frame.side == max(width, SIZE)


def ramp(width: int, height: int, across: tuple[int, int], down: tuple[int, int]) -> np.ndarray:
    """Colours that rise with x and y, by 80 of 255 over width and height, and go on so beyond them."""
    x = (np.arange(-across[0], width + across[1]) + 0.5) / width
    y = (np.arange(-down[0], height + down[1]) + 0.5) / height
    x, y = np.broadcast_arrays(x[None], y[:, None])
    return np.stack([80 + 80 * x, 80 + 80 * y, 0 * x], axis=-1).astype(np.uint8)
