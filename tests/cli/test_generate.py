"""`unclip generate` and `unclip info` with a fake model that paints plain colours."""

import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from tests.cli.conftest import Call

from unclip.cli.arguments.output import slug
from unclip.diffusion.grids import NAMES as GRIDS
from unclip.diffusion.process import Sampling
from unclip.diffusion.samplers import NAMES
from unclip.generation import load
from unclip.generation.settings import Settings
from unclip.generation.text_to_image import TextToImage
from unclip.images.files import KEY, read_about, save_picture
from unclip.runs import modules as stored


class Painter:
    """Answers as `TextToImage` does."""

    hash = "abc123def456"

    def truncated(self, prompts: Sequence[str]) -> dict[str, tuple[str, str]]:
        return {p: (p[:11], p[12:]) for p in prompts if len(p) > 40}

    def unknown(self, prompts: Sequence[str]) -> dict[str, list[str]]:
        return {p: ["zebra"] for p in prompts if "zebra" in p}

    def draw(self, prompts: Sequence[str], n: int, seed: int, settings: Settings) -> Iterator[Any]:
        how = settings.apply(Sampling()).to_dict()
        for prompt, own in TextToImage.expand_request(self, prompts, n, seed):  # pyright: ignore[reportArgumentType]
            picture = Image.new("RGB", (32, 32), (len(prompt), own - seed, 200))
            about = {"prompt": prompt, "seed": own, "sampling": how, "model": self.hash, "unclip": "0.1.0"}
            picture.info[KEY] = about
            yield picture


@pytest.fixture
def out(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setattr(load, "load", lambda _, **__: Painter())
    monkeypatch.chdir(tmp_path)
    return tmp_path / "out"


@pytest.mark.parametrize(
    "prompt, name",
    [
        ("A red heart!", "a-red-heart"),
        ("../../etc/passwd", "etc-passwd"),
        ("ein grüner Würfel", "ein-grüner-würfel"),
        ("🙂", "image"),
        ("snake_case  and   spaces", "snake-case-and-spaces"),
    ],
)
def test_slugs(prompt: str, name: str):
    assert slug(prompt) == name


def test_long_slugs_are_cut():
    assert len(slug("word " * 100)) <= 60
    assert not slug("word " * 100).endswith("-")


def test_pictures_and_grid(call: Call, out: Path):
    done = call("generate", "a red heart", "two cups", "--run", "runs/x", "-n", 2, "--seed", 7)
    assert done.code == 0, done.err
    names = ["a-red-heart-7.png", "a-red-heart-8.png", "two-cups-7.png", "two-cups-8.png", "grid.png"]
    assert [Path(line).name for line in done.out.splitlines()[:-1]] == names
    assert sorted(p.name for p in out.iterdir()) == sorted(names)
    assert "4 images in" in done.out
    assert "images/s" in done.out
    assert read_about(out / "two-cups-8.png")["prompt"] == "two cups"
    with Image.open(out / "grid.png") as grid:
        assert grid.width > 2 * 128


def test_the_same_request_replaces_its_picture(call: Call, out: Path):
    for _ in range(2):
        assert call("generate", "a red heart", "--run", "runs/x").code == 0
    assert sorted(p.name for p in out.iterdir()) == ["a-red-heart-0.png", "grid.png"]


def test_another_picture_is_never_overwritten(call: Call, out: Path):
    out.mkdir()
    Image.new("RGB", (5, 5)).save(out / "grid.png")
    call("generate", "a red heart", "--run", "runs/x")
    call("generate", "A RED HEART", "--run", "runs/x")
    names = ["a-red-heart-0-2.png", "a-red-heart-0.png", "grid-2.png", "grid-3.png", "grid.png"]
    assert sorted(p.name for p in out.iterdir()) == names
    with Image.open(out / "grid.png") as mine:
        assert mine.size == (5, 5)


def test_cut_prompts_are_told(call: Call, out: Path):
    done = call("generate", "a very long prompt that is longer than the model's context", "--run", "runs/x")
    assert "cut: it reads 'a very long', not 'prompt that is longer than the model's context'" in done.out.replace(
        '"', "'"
    )


def test_unknown_words_are_told(call: Call, out: Path):
    done = call("generate", "a zebra", "--run", "runs/x")
    assert "! no caption of the training data has the word 'zebra': 'a zebra'" in done.out


def test_unknown_words_of_a_negative_prompt_are_told(call: Call, out: Path):
    done = call("generate", "a cup", "--run", "runs/x", "--guidance", 2, "--negative", "a zebra")
    assert done.code == 0, done.err
    assert "! no caption of the training data has the word 'zebra': 'a zebra'" in done.out


@pytest.mark.parametrize("negative", ["blue", "it's, or -5 cats", "-5 cats"])
def test_info_gives_the_negative_prompt(call: Call, out: Path, negative: str):
    words = ["generate", "a cup", "--run", "runs/x", "--guidance", "2", f"--negative={negative}"]
    assert call(*words).code == 0
    before = (out / "a-cup-0.png").read_bytes()
    assert read_about(out / "a-cup-0.png")["sampling"]["guidance"]["prompt"] == negative
    program, *again = shlex.split(call("info", out / "a-cup-0.png").out.splitlines()[-1])
    assert program == "unclip"
    (out / "a-cup-0.png").unlink()
    assert call(*again).code == 0
    assert (out / "a-cup-0.png").read_bytes() == before


def test_an_empty_negative_prompt_is_none(call: Call, out: Path):
    assert call("generate", "a cup", "--run", "runs/x").code == 0
    before = (out / "a-cup-0.png").read_bytes()
    (out / "a-cup-0.png").unlink()
    assert call("generate", "a cup", "--run", "runs/x", "--negative", "").code == 0
    assert (out / "a-cup-0.png").read_bytes() == before


@pytest.mark.parametrize(
    "words, why",
    [
        (["--run", "runs/x"], "no prompt"),
        (["x", "--run", "runs/x", "--guidance", "1", "--negative", "y"], "negative = 'y': ClassifierFree(scale=1.0"),
        ([" ", "--run", "runs/x"], "an empty prompt"),
        (["x", "--run", "runs/x", "--sampler", "eular"], f"known are {', '.join(NAMES)}"),
        (["x", "--run", "runs/x", "--grid", "cubic"], f"known are {', '.join(GRIDS)}"),
        (["x", "--run", "runs/x", "--steps", "0"], "steps = 0: expected a whole number from 1"),
    ],
)
def test_errors(call: Call, out: Path, words: list[str], why: str):
    done = call("generate", *words)
    assert done.code == 2
    assert why in done.err
    assert "Traceback" not in done.err


def test_no_run(call: Call, tmp_path: Path):
    done = call("generate", "x", "--run", tmp_path / "none")
    assert done.code == 2
    assert "no such run; train one with" in done.err


@pytest.mark.parametrize("name", ["a-red-heart-7.png", "grid.png"])
def test_info_gives_the_command_that_makes_it_again(call: Call, out: Path, name: str):
    words = ["generate", "a red heart", "it's", "--run", "runs/x", "--seed", "7", "--steps", "5", "--guidance", "2.5"]
    assert call(*words, "--sampler", "ddim", "--grid", "karras").code == 0
    before = (out / name).read_bytes()
    done = call("info", out / name)
    assert done.code == 0, done.err
    assert "prompt    a red heart" in done.out
    assert "model     abc123def456" in done.out
    assert "sampler   DDIM" in done.out
    assert "--sampler ddim --grid karras" in done.out
    program, *again = shlex.split(done.out.splitlines()[-1])
    assert program == "unclip"
    assert again[again.index("--run") + 1] == "RUN-abc123def456"
    (out / name).unlink()
    assert call(*again).code == 0
    assert (out / name).read_bytes() == before


def test_info_finds_the_run(call: Call, out: Path, monkeypatch: pytest.MonkeyPatch):
    Path("runs/a").mkdir(parents=True)
    Path("runs/b").mkdir()
    monkeypatch.setattr(stored, "model_hash", lambda run: {"b": Painter.hash}.get(run.root.name, "other"))
    call("generate", "x", "--run", "runs/b")
    assert "--run runs/b" in call("info", out / "x-0.png").out


def test_info_on_other_things(call: Call, tmp_path: Path):
    save_picture(Image.new("RGB", (4, 4)), tmp_path / "plain.png")
    (tmp_path / "text.txt").write_text("hello", encoding="utf-8")
    (tmp_path / "folder").mkdir()
    for name, why in [
        ("plain.png", "not a PNG that unclip wrote"),
        ("text.txt", "not a PNG that unclip wrote"),
        ("folder", "holds no run"),
        ("nothing", "no such file or folder"),
    ]:
        done = call("info", tmp_path / name)
        assert done.code == 2
        assert why in done.err.replace("\n", " ")
