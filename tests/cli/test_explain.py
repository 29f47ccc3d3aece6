"""`unclip explain` on a tiny run: every image, the page, and what it refuses."""

import importlib
import json
import re
import shutil
from functools import partial
from pathlib import Path

import pytest
from PIL import Image
from tests.cli.conftest import Call
from tests.short import finished

from unclip.studies.explain import study

PICTURES = ("schedules", "noising", "denoising", "levels", "plane-forward", "plane-samplers", "samples")


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run: 64 drawn scenes, one step a stage."""
    return finished(tmp_path_factory.mktemp("explain") / "tiny")


@pytest.fixture
def small_toy(monkeypatch: pytest.MonkeyPatch) -> None:
    """The plane with a few points and steps."""
    small = partial(study.toy.ToyConfig, points=30, samples=20, steps=2, scenes=2, updates=3, batch=8)
    monkeypatch.setattr(study.toy, "ToyConfig", small)


@pytest.mark.usefixtures("small_toy")
def test_a_decoder_of_codes_shows_codes_made_visible(call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("unclip.studies.explain.request.JUDGED", 4)
    done = call("explain", "box", "--out", tmp_path / "out", "--steps", 2, "--samplers", "ddim", "-n", 1)
    assert done.code == 0, done.err
    page = (tmp_path / "out" / "explain.html").read_text(encoding="utf-8")
    assert page.count("x is here the code of an image, 12 numbers for each 4 x 4 pixels") == 2
    with Image.open(tmp_path / "out" / "noising.png") as strip:
        assert strip.convert("L").getextrema()[1] > 200


@pytest.mark.usefixtures("small_toy")
def test_pictures_and_page(call: Call, tiny: Path, tmp_path: Path):
    out = tmp_path / "out"
    done = call("explain", tiny, "--out", out, "--steps", "3,2", "--samplers", "ddim, ddpm", "-n", 2)
    assert done.code == 0, done.err
    assert "2 samplers with 2, 3 steps, 2 images each" in done.out
    assert f"done: open {out / 'explain.html'}" in done.out
    for name in PICTURES:
        with Image.open(out / f"{name}.png") as picture:
            assert picture.width > 250
    with Image.open(out / "plane.gif") as film:
        assert getattr(film, "n_frames") == 2 + 3  # noqa: B009
    levels = json.loads((out / "levels.json").read_text(encoding="utf-8"))
    assert len(levels["levels"]) == 16
    assert set(levels["levels"][0]) == {"log_snr", "x0", "eps", "loss"}
    page = (out / "explain.html").read_text(encoding="utf-8")
    assert "the code of an image" not in page
    assert page.count("<img ") == len(PICTURES) + 1
    assert not re.search(r"https?://|<script", page)
    names = re.findall(r"<code>([\w.]+)</code>", page)
    assert len(names) > 15
    for name in names:
        assert callable(named(name)) or name == "unclip.diffusion.schedules"


def named(name: str) -> object:
    """What a full name stands for; raises where there is no such thing."""
    module, _, inner = name.rpartition(".")
    try:
        return getattr(importlib.import_module(module), inner)
    except ModuleNotFoundError:  # a method
        return getattr(named(module), inner)


@pytest.mark.parametrize(
    "words, why",
    [
        (["--steps", "5,many"], "--steps: 'many' is not a number of steps; write them like 5,10,20,50"),
        (["--steps", "0"], "--steps: '0' is not a number of steps"),
        (["--samplers", "eular"], "sampler = 'eular': did you mean 'euler'? "),
        (["-n", 0], "n = 0: a cell of the grid holds 1 to 16 images"),
    ],
)
def test_errors(call: Call, tiny: Path, tmp_path: Path, words: list[object], why: str):
    done = call("explain", tiny, "--out", tmp_path / "out", *words)
    assert done.code == 2
    assert why in done.err
    assert not (tmp_path / "out").exists()


def test_runs_that_cannot_be_explained(call: Call, tiny: Path, tmp_path: Path):
    assert "no such run; train one with" in call("explain", tmp_path / "none", "--out", tmp_path / "out").err
    shutil.copytree(tiny, tmp_path / "cut")
    shutil.rmtree(tmp_path / "cut" / "data")
    done = call("explain", tmp_path / "cut", "--out", tmp_path / "out")
    assert done.code == 2
    assert "the run's prepared images are gone, and this needs them; the same `unclip train` command again" in done.err
    state = json.loads((tmp_path / "cut" / "state.json").read_text(encoding="utf-8"))
    del state["decoder"]
    (tmp_path / "cut" / "state.json").write_text(json.dumps(state), encoding="utf-8")
    assert "unfinished, the stage 'decoder' is missing" in call("explain", tmp_path / "cut", "--out", "out").err


def test_without_matplotlib(call: Call, tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("unclip.studies.explain.study.available", lambda: False)
    done = call("explain", tiny, "--out", tmp_path / "out")
    assert done.code == 2
    assert "-m pip install matplotlib" in done.err
