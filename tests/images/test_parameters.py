"""The line that other tools read of an image, and none where none is wanted."""

import re
from pathlib import Path

import pytest
import torch
from PIL import Image

from unclip.diffusion.guidance import ClassifierFree, NegativePrompt
from unclip.diffusion.process import Sampling
from unclip.diffusion.samplers import DDIM, Sampler
from unclip.diffusion.samplers.named import NAMES
from unclip.images.files import KEY, save_picture, to_pictures, unsigned
from unclip.images.parameters import PARAMETERS, THEIRS, parameters


def said(sampler: Sampler = DDIM(), negative: str = "", **more: object) -> dict[str, object]:
    guidance = NegativePrompt(ClassifierFree(3.0), negative) if negative else ClassifierFree(3.0)
    how = Sampling(steps=50, sampler=sampler, guidance=guidance)
    made = {"prompt": "a red heart", "seed": 7, "sampling": how.to_dict(), "model": "0123456789ab", "unclip": "1.2"}
    return {**made, **more}


def test_the_line_is_that_of_the_web_ui():
    last = "Steps: 50, Sampler: DDIM, CFG scale: 3, Seed: 7, Size: 64x32, Model hash: 0123456789, Version: unclip 1.2"
    assert parameters(said(), 64, 32) == f"a red heart\n{last}"
    assert parameters(said(negative="blue"), 64, 32) == f"a red heart\nNegative prompt: blue\n{last}"
    # how the web UI finds its facts again (its regular expression of a name and a value)
    found = dict(re.findall(r'\s*(\w[\w \-/]+):\s*("(?:\\.|[^\\"])+"|[^,]*)(?:,|$)', last))
    assert found["CFG scale"] == "3" and found["Size"] == "64x32"


@pytest.mark.parametrize("name", NAMES)
def test_samplers_go_by_their_names(name: str):
    line = parameters(said(NAMES[name]), 8, 8)
    assert line is not None and f"Sampler: {THEIRS.get(name, name)}, " in line


def test_a_sampler_without_a_name_goes_by_its_class():
    line = parameters(said(DDIM(eta=0.3)), 8, 8)
    assert line is not None and "Sampler: DDIM, " in line


NOT_DRAWN = [{}, {"made": {"command": "search"}}, "text", said(prompt=None)]


@pytest.mark.parametrize("about", NOT_DRAWN, ids=str)
def test_what_was_not_drawn_from_a_prompt_has_none(about: object):
    assert parameters(about, 8, 8) is None


@pytest.mark.parametrize("prompt", ["a red heart", "ein grünes Herz 💚", "a lone \ud800"], ids=ascii)
def test_both_texts_are_in_the_file(prompt: str, tmp_path: Path):
    [picture] = to_pictures(torch.zeros(1, 3, 8, 8))
    picture.info[KEY] = said(prompt=prompt)
    save_picture(picture, tmp_path / "both.png")
    with unsigned():
        save_picture(picture, tmp_path / "none.png")
    save_picture(picture, tmp_path / "again.png")
    with Image.open(tmp_path / "both.png") as both, Image.open(tmp_path / "none.png") as none:
        assert both.info[PARAMETERS].startswith(f"{prompt.encode('utf-8', 'replace').decode()}\nSteps: 50, ")
        assert KEY in both.info and none.info == {}
        assert both.tobytes() == none.tobytes()
    assert (tmp_path / "again.png").read_bytes() == (tmp_path / "both.png").read_bytes()
