"""Edited and extended images fit what is known, keep it pixel for pixel, and say how they were made."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.half import COLOURS, SIZE, model

import unclip
from unclip.editing.canvas import Sides
from unclip.editing.fill import Request
from unclip.editing.hole import read_masked
from unclip.editing.inpaint import fill_hole, grow
from unclip.generation.settings import Settings
from unclip.images.files import KEY

RED, GREEN, BLUE, GRAY = ((round((v + 1) * 127.5) for v in rgb) for rgb in COLOURS.values())
RED, GREEN, BLUE = tuple(RED), tuple(GREEN), tuple(BLUE)
NEAR = 60
"""Of 255: as far as a painted colour may be from the one that is meant."""
FEW = Settings(steps=12)


def picture(colour: tuple[int, ...] = RED, width: int = SIZE, height: int = SIZE) -> Image.Image:
    """A colour with a little grain, so that a pixel that was changed shows."""
    pixels = np.empty((height, width, 3), dtype=np.uint8)
    pixels[:] = colour
    grain = (np.arange(width)[None] * 3 + np.arange(height)[:, None] * 5) % 4
    return Image.fromarray((pixels.clip(0, 250) + grain[..., None]).astype(np.uint8))


def half(width: int = SIZE, height: int = SIZE) -> Image.Image:
    """A mask: the right half is to be painted."""
    pixels = np.zeros((height, width), dtype=np.uint8)
    pixels[:, width // 2 :] = 255
    return Image.fromarray(pixels)


def array(image: Image.Image) -> np.ndarray:
    return np.asarray(image, dtype=int)


def off(image: Image.Image, colour: tuple[int, ...], where: np.ndarray) -> float:
    """How far the mean colour of a part is from a colour."""
    return np.abs(array(image)[where].mean(0) - colour).max()


HALF = np.asarray(half()) > 0


@pytest.mark.parametrize("method", ["model", "repaint"])
@pytest.mark.parametrize("colour", [RED, GREEN, BLUE])
def test_a_half_is_painted_like_the_other_and_the_known_is_kept(method, colour: tuple[int, ...]):
    before = picture(colour)
    pictures = unclip.edit(model(), before, half(), n=3, method=method, settings=FEW)
    assert len(pictures) == 3
    for after in pictures:
        assert np.array_equal(array(after)[~HALF], array(before)[~HALF])
    assert np.median([off(after, colour, HALF) for after in pictures]) < NEAR


@pytest.mark.parametrize("method", ["model", "repaint"])
def test_a_prompt_says_what_to_paint(method):
    """All but a strip is to be painted, and the prompt is guided towards."""
    mask = Image.fromarray(np.where(np.arange(SIZE)[None] < 2, 0, 255).repeat(SIZE, 0).astype(np.uint8))
    how = {"method": method, "settings": Settings(steps=12, guidance=3.0)}
    found = [unclip.edit(model(), picture((140, 140, 140)), mask, f"a {c} image", n=2, **how) for c in ("red", "blue")]
    red, blue = (np.mean([array(p)[:, 4:].mean((0, 1)) for p in pair], 0) for pair in found)
    assert red[0] > blue[0] + 30 and blue[2] > red[2] + 30


def test_each_picture_depends_on_its_own_seed_alone():
    many = unclip.edit(model(), picture(), half(), n=4, seed=5, settings=FEW)
    alone = unclip.edit(model(), picture(), half(), n=1, seed=7, settings=FEW)[0]
    assert np.abs(array(alone) - array(many[2])).max() <= 1
    assert np.abs(array(many[1]) - array(many[2])).max() > 1


@pytest.mark.parametrize("width, height", [(40, 32), (24, 48), (64, 64)])
def test_a_larger_picture_is_kept_outside_the_mask(width: int, height: int):
    before, mask = picture(GREEN, width, height), np.zeros((height, width), dtype=np.uint8)
    mask[-12:-2, -14:-3] = 255
    found = fill_hole(model(), before, Image.fromarray(mask), Request(n=1, settings=FEW))
    [after] = found.images
    assert after.size == (width, height) and found.seen[0].size == (SIZE, SIZE)
    assert np.array_equal(array(after)[mask == 0], array(before)[mask == 0])
    assert off(after, GREEN, mask > 0) < NEAR
    assert any(f"{width} x {height} pixels and the model paints 16 x 16: shrunk" in note for note in found.notes)


def test_a_small_picture_is_enlarged():
    found = fill_hole(model(), picture(RED, 12, 8), half(12, 8), Request(n=1, settings=FEW))
    assert found.images[0].size == (SIZE, SIZE)
    assert any("12 x 8 pixels" in note and "enlarged first" in note for note in found.notes)


def test_transparency_is_the_mask_where_there_is_no_other():
    before = picture(BLUE)
    clear = before.copy()
    clear.putalpha(Image.fromarray(np.where(HALF, 0, 255).astype(np.uint8)))
    [after] = unclip.edit(model(), clear, n=1, seed=3, settings=FEW)
    assert np.array_equal(array(after)[~HALF], array(before)[~HALF])
    assert off(after, BLUE, HALF) < 2 * NEAR  # its embedding saw white there, and captions name the colours


def clear_in_part(width: int = SIZE, height: int = SIZE) -> Image.Image:
    """Blue; the upper half is half transparent, a corner of the lower half is gone, with a colour of its own below."""
    before = np.asarray(picture(BLUE, width, height).convert("RGBA")).copy()
    before[: height // 2, :, 3] = 200
    before[-3:, :2] = (1, 2, 3, 0)
    return Image.fromarray(before)


@pytest.mark.parametrize("side", [SIZE, 24])
def test_transparency_outside_the_mask_is_kept_to_the_last_bit(side: int):
    before, hole = clear_in_part(side, side), np.asarray(half(side, side)) > 0
    [after] = unclip.edit(model(), before, half(side, side), n=1, settings=Settings(steps=2))
    assert after.mode == "RGBA" and np.array_equal(array(after)[~hole], array(before)[~hole])
    assert (array(after)[hole][:, 3] == 255).all()
    [wider] = unclip.extend(model(), before, right=0.5, settings=Settings(steps=2))
    assert np.array_equal(array(wider)[:, :side], array(before)) and (array(wider)[:, side:, 3] == 255).all()


def test_what_cannot_be_kept_is_said_before_it_is_painted():
    said, step = list[str](), Request(n=1, settings=Settings(steps=2))
    deep = Image.fromarray(np.arange(SIZE * SIZE, dtype=np.uint16).reshape(SIZE, SIZE) * 200)
    found = fill_hole(model(), deep, half(), step, said.append)
    assert any("more than 8 bits become 8 bits" in note for note in said) and said == found.notes
    small = fill_hole(model(), clear_in_part(8, 8), half(8, 8), step)
    assert any("its transparency is not kept" in note for note in small.notes)
    assert small.images[0].mode == "RGB"


def test_a_mask_that_can_be_read_in_two_ways_is_told():
    mask = Image.new("RGBA", (SIZE, SIZE))
    mask.paste((255, 255, 255, 255), (0, 0, 4, 4))
    found = read_masked(picture(), mask, SIZE)
    assert found.hole.mean() == pytest.approx(240 / 256)
    [note] = found.notes
    assert "transparent part is painted, 94% of the image, and not its white part, 6%" in note
    mask.paste((0, 0, 0, 255), (0, 0, 4, 4))
    assert read_masked(picture(), mask, SIZE).notes == ()


def test_a_canvas_that_no_memory_holds_is_refused():
    with pytest.raises(ValueError, match="would become 18000 x 18000 pixels, more than 40 million"):
        grow(model(), Image.new("RGB", (2000, 2000)), Sides(4.0, 4.0, 4.0, 4.0), Request())


@pytest.mark.parametrize("mode", ["1", "L", "RGB", "LA", "RGBA", "P"])
def test_masks_of_any_mode(mode: str):
    mask = half().convert(mode)
    if mode in ("LA", "RGBA"):  # transparent is to be painted, whatever its colour
        mask = Image.new(mode, (SIZE, SIZE))
        mask.putalpha(Image.fromarray(np.where(HALF, 0, 255).astype(np.uint8)))
    assert np.array_equal(read_masked(picture(), mask, SIZE).hole, HALF)


@pytest.mark.parametrize(
    "sides, size",
    [(Sides(right=0.5), (24, 16)), (Sides(up=1.0), (16, 32)), (Sides(0.5, 0.5, 0.5, 0.5), (32, 32))],
    ids=["right", "up", "all"],
)
@pytest.mark.parametrize("method", ["model", "repaint"])
def test_a_picture_goes_on_beyond_its_borders(method, sides: Sides, size: tuple[int, int]):
    before = picture(GREEN)
    found = grow(model(), before, sides, Request(n=2, settings=FEW, method=method))
    hole = np.asarray(found.mask)[..., 0] > 0
    for after in found.images:
        assert after.size == size
        assert np.array_equal(array(after)[~hole].reshape(SIZE, SIZE, 3), array(before))
    assert min(off(after, GREEN, hole) for after in found.images) < NEAR


def test_a_larger_picture_is_extended_at_its_own_size():
    before = picture(RED, 48, 32)
    [after] = unclip.extend(model(), before, left=0.25, down=0.5, settings=FEW)
    assert after.size == (60, 48)
    assert np.array_equal(array(after)[:32, 12:], array(before))


def test_what_made_it_is_inside(tmp_path: Path):
    picture().save(tmp_path / "a.png")
    half().save(tmp_path / "m.png")
    request = Request("a red picture", 2, 4, FEW)
    found = fill_hole(model(), tmp_path / "a.png", tmp_path / "m.png", request)
    about = found.images[1].info[KEY]
    assert (about["prompt"], about["seed"], about["sampling"]["steps"]) == ("a red picture", 5, 12)
    assert about["made"]["command"] == "edit"
    assert about["made"]["of"] == [str(tmp_path / "a.png"), "a red picture"]
    assert about["made"]["options"] == {
        "mask": str(tmp_path / "m.png"),
        "seed": 4,
        "n": 2,
        "method": "model",
        "steps": 12,
    }
    assert found.sheet().info[KEY]["made"] == about["made"]
    assert found.original.size == found.mask.size == (SIZE, SIZE)
    assert "paints 50% of the image" in found.notes


def test_without_a_stage_the_decoder_paints_and_says_so():
    alone = model(inpainting=False)
    found = fill_hole(alone, picture(), half(), Request(n=1, settings=FEW))
    assert any("by RePaint" in note for note in found.notes)
    assert any("the image's own embedding" in note for note in found.notes)
    assert found.images[0].info[KEY]["made"]["options"]["method"] == "repaint"
    with pytest.raises(ValueError, match=r"method = 'model': .*unclip add inpaint"):
        unclip.edit(alone, picture(), half(), method="model")


def test_what_cannot_be_edited_is_refused(tmp_path: Path):
    (tmp_path / "words.png").write_text("words", encoding="utf-8")
    tall = np.zeros((16, 40), dtype=np.uint8)
    tall[4, 2:38] = 255
    for image, mask, why in (
        (picture(), half(20, 20), r"MASK: is 20 x 20 pixels and PICTURE is 16 x 16; a mask has its image's size"),
        (picture(), None, r"PICTURE: has no transparent part and there is no mask; give --mask, an image of 16 x 16"),
        (picture(), Image.new("L", (16, 16)), r"MASK: nothing is to be painted"),
        (picture(), Image.new("L", (16, 16), 255), r"MASK: all is to be painted.*unclip generate"),
        (picture(RED, 40, 16), Image.fromarray(tall), r"PICTURE: the mask spans 36 pixels.*square of 16 x 16"),
        (picture(RED, 3, 30), half(3, 30), r"PICTURE: is 3 x 30 pixels, too small for a model of 16 x 16"),
        (tmp_path / "words.png", half(), r"words\.png: no image in a supported format"),
        (picture(), tmp_path / "none.png", r"none\.png: no such image"),
    ):
        with pytest.raises(ValueError, match=why):
            unclip.edit(model(), image, mask)


def test_requests_that_mean_nothing_are_refused():
    for how, why in (
        ({"n": 0}, "n = 0: ask for at least 1"),
        ({"method": "magic"}, "method = 'magic': expected one of 'auto', 'model', 'repaint'"),
    ):
        with pytest.raises(ValueError, match=why):
            unclip.edit(model(), picture(), half(), **how)
    for sides, why in (({}, "nothing to paint"), ({"left": -0.5}, "left = -0.5"), ({"up": 9.0}, "up = 9.0: a share")):
        with pytest.raises(ValueError, match=why):
            unclip.extend(model(), picture(), **sides)
    with pytest.raises(ValueError, match="less than a pixel"):
        unclip.extend(model(), picture(), left=0.01)
