"""An image with a hole in a run that sees whole images: all of it is before the model, and the rest is kept."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.enlarging import upsampler
from tests.half import SIZE, newborn

from unclip.data.images.decode import decode_opened
from unclip.editing.fill import Request
from unclip.editing.hole import WholeImage, read_masked
from unclip.editing.inpaint import fill_hole
from unclip.generation.settings import Settings
from unclip.generation.text_to_image import TextToImage
from unclip.runs.folder import RunFolder
from unclip.runs.modules import Stages

FEW = Request(n=1, settings=Settings(steps=2))


def model(place: Path, fit: str = "pad") -> TextToImage:
    """A decoder of 16 px that learned nothing, of a run that says how it sees images."""
    (place / "run.toml").write_text(f'fit = "{fit}"\n', encoding="utf-8")
    (place / "state.json").write_text("{}", encoding="utf-8")
    return replace(newborn(), stages=Stages(RunFolder(place)))


def stripes(width: int, height: int) -> tuple[Image.Image, Image.Image, np.ndarray]:
    """A ramp on blue, and a mask from its one end to the other."""
    pixels = np.full((height, width, 3), (10, 40, 220), dtype=np.uint8)
    pixels[2:-2, 2:-2, 0] = np.linspace(0, 255, width - 4).astype(np.uint8)
    hole = np.zeros((height, width), dtype=bool)
    hole[height // 3 : height // 2, 1:-1] = True
    return Image.fromarray(pixels), Image.fromarray(hole), hole


@pytest.mark.parametrize("width, height", [(48, 20), (21, 50), (16, 9), (16, 16)])
def test_what_is_kept_is_kept_wherever_the_hole_reaches(width: int, height: int, tmp_path: Path):
    before, mask, hole = stripes(width, height)
    [after] = fill_hole(model(tmp_path), before, mask, FEW).images
    assert after.size == before.size
    assert np.array_equal(np.asarray(after)[~hole], np.asarray(before)[~hole])
    assert not np.array_equal(np.asarray(after)[hole], np.asarray(before)[hole])


def test_a_hole_that_no_square_holds_is_refused_where_images_are_cropped(tmp_path: Path):
    before, mask, _ = stripes(48, 20)
    with pytest.raises(ValueError, match="the mask spans 46 pixels"):
        fill_hole(model(tmp_path, "crop"), before, mask, FEW)


@pytest.mark.parametrize("times", [1, 2, 4])
@pytest.mark.parametrize("width, height", [(48, 20), (21, 50), (90, 11)])
def test_the_model_sees_it_as_it_saw_those_that_it_learned_from(width: int, height: int, times: int):
    before, mask, hole = stripes(width, height)
    scene = WholeImage(read_masked(before, mask, SIZE, fit="pad"), SIZE, "white")
    seen, small = scene.at(times)
    if times == 1:
        assert np.abs(seen.astype(int) - decode_opened(before, SIZE, fit="pad").pixels).mean() < 1
    assert (seen[0, 0] == (10, 40, 220)).all(), "the border's colour"
    assert small.any() and not small[0, 0]  # what lies around it is known
    assert small.shape == (times * SIZE, times * SIZE)
    painted = np.where(small[..., None], np.uint8(0), seen)
    assert np.median(scene.back(painted)[hole]) < 30
    assert np.array_equal(scene.back(painted)[~hole], np.asarray(before)[~hole])


def test_a_small_one_comes_back_as_it_was_painted_without_what_lies_around_it(tmp_path: Path):
    before, mask, _ = stripes(12, 9)
    [after] = fill_hole(model(tmp_path), before, mask, FEW).images
    assert after.size == (16, 12)


def test_what_is_transparent_outside_the_hole_tells_the_background(tmp_path: Path):
    icon = Image.new("RGBA", (30, 20), (0, 0, 0, 0))
    icon.paste((200, 0, 0, 255), (8, 5, 22, 15))
    mask = Image.new("L", icon.size, 0)
    mask.paste(255, (12, 8, 18, 12))
    scene = WholeImage(read_masked(icon, mask, SIZE, "black", "pad"), SIZE, "black")
    assert (scene.at(1)[0][0] == 0).all()
    [after] = fill_hole(model(tmp_path), icon, mask, FEW).images
    assert after.mode == "RGBA" and np.asarray(after)[0, 0, 3] == 0 and np.asarray(after)[10, 15, 3] == 255


def test_upsamplers_paint_it_too(tmp_path: Path):
    before, mask, hole = stripes(60, 25)
    enlarging = model(tmp_path)
    enlarging.stages = replace(Stages.of(upsampler=upsampler()), folder=RunFolder(tmp_path))
    found = fill_hole(enlarging, before, mask, FEW)
    assert found.seen[0].size == (2 * SIZE, 2 * SIZE)
    assert np.array_equal(np.asarray(found.images[0])[~hole], np.asarray(before)[~hole])
