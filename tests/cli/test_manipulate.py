"""`unclip vary`, `blend`, `diff`, `invert`, `probe` with a model in closed form, and what `unclip info` tells."""

import shlex
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests import arrays
from tests.cli.conftest import Call
from tests.latents.gaussian import gaussian, picture

from unclip.core.disk import store
from unclip.generation import load
from unclip.images.files import read_about
from unclip.runs.folder import RunFolder
from unclip.runs.modules import Stages

COUNTS = {"a red heart": 3, "a blue heart": 2, "a green leaf": 1}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """The data and the CLIP of a run; its other files are not looked at."""
    folder = RunFolder(tmp_path_factory.mktemp("run"))
    captions = [caption for caption, n in COUNTS.items() for _ in range(n)]
    images = [np.asarray(picture(i)) for i in range(len(captions))]
    arrays.prepared(folder.data, images, [(caption,) for caption in captions])
    store.save(folder.root / "clip", "clip", {}, gaussian().clip.state_dict())
    return folder


@pytest.fixture
def out(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, run: RunFolder) -> Path:
    model = gaussian()
    model.hash, model.stages = "abc123def456", Stages(run)
    monkeypatch.setattr(load, "load", lambda _, **__: model)
    monkeypatch.chdir(tmp_path)
    for key, name in enumerate(("cat.png", "dog.png")):
        picture(key).save(tmp_path / name)
    return tmp_path / "out"


COMMANDS = {
    "vary": (["cat.png", "--eta", "0.5", "-n", "2", "--seed", "7", "--steps", "5"], "cat-vary", 2),
    "blend": (["cat.png", "dog.png", "-n", "3", "--noise", "fixed", "--steps", "5"], "cat-dog-blend", 3),
    "diff": (["cat.png", "--from", "a red heart", "--to", "a blue heart", "-n", "3", "--steps", "5"],
             "cat-a-blue-heart", 3),
    "invert": (["cat.png", "--prompt", "a red heart", "--steps", "20"], "cat-invert", 1),
    "probe": (["cat.png", "--labels", "a cat", "a dog", "--steps", "5"], "cat-probe", 5),
}  # fmt: skip


@pytest.mark.parametrize("command", COMMANDS)
def test_pictures_a_sheet_and_the_command_that_makes_them_again(call: Call, out: Path, command: str):
    words, stem, count = COMMANDS[command]
    done = call(command, *words, "--run", "runs/x")
    assert done.code == 0, done.err
    sheet = out / f"{stem}.png"
    singles = sorted(p for p in out.glob("*.png") if p != sheet)
    assert len(singles) == count
    assert all(p.stem.startswith(stem) and str(p.relative_to(out.parent)) in done.out for p in singles)
    with Image.open(sheet) as picture:
        assert picture.width > 128 * (count + 1)
    before = {p: p.read_bytes() for p in (sheet, *singles)}
    told = call("info", singles[0])
    assert f"made by   unclip {command}, of {', '.join(w for w in words if w.endswith('.png'))}" in told.out
    assert f"shown     {read_about(singles[0])['shown']}" in told.out
    program, *again = shlex.split(told.out.splitlines()[-1])
    assert program == "unclip"
    for path in before:
        path.unlink()
    assert call(*again).code == 0
    assert {p: p.read_bytes() for p in before} == before


def test_an_inverted_picture_takes_its_place(call: Call, out: Path):
    done = call("invert", "cat.png", "--run", "runs/x", "--steps", 30)
    assert "drawn again: PSNR " in done.out
    psnr = float(done.out.split("PSNR ")[1].split()[0])
    assert psnr > 40
    assert "error     PSNR" in call("info", out / "cat-invert.png").out
    done = call("vary", out / "cat-invert", "--run", "runs/x", "--eta", 0, "-n", 1)
    assert done.code == 0, done.err
    assert (out / "cat-invert-vary-seed-0.png").exists()


def test_probe_tells_labels_and_variance(call: Call, out: Path):
    done = call("probe", "cat.png", "--run", "runs/x", "--steps", 2)
    assert done.code == 0, done.err
    assert "  12 dimensions hold 100.0% of the variance" in done.out
    assert all(name in done.out for name in COUNTS)
    chances = [float(line.split("%")[0]) for line in done.out.splitlines()[-3:]]
    assert sum(chances) == pytest.approx(100, abs=0.2)
    assert chances == sorted(chances, reverse=True)


def test_what_a_person_should_know(call: Call, out: Path):
    picture(side=8).save("small.png")
    done = call("diff", "small.png", "--to", "a purple zebra", "--run", "runs/x", "--steps", 2, "-n", 2)
    assert "! small.png: has 8 pixels along the model's 16, enlarged to them" in done.out
    assert "! no caption of the training data has the words 'purple', 'zebra': 'a purple zebra'" in done.out
    assert "! too long for this model, cut: it reads 'a p" in done.out and "', not '" in done.out


@pytest.mark.parametrize(
    "words, why",
    [
        (["vary", "none.png"], "none.png: no such image"),
        (["vary", "text.txt"], "no image in a supported format"),
        (["vary", "tiny.png"], "too small for a model of 16 x 16; take one whose shorter side has at least 4"),
        (["vary", "."], "is a folder; name an image"),
        (["diff", "cat.png", "--from", "a leaf", "--to", "A leaf"], "both mean the same to the model"),
        (["diff", "cat.png", "--to", ""], "an empty caption"),
        (["probe", "cat.png", "--labels", "a cat"], "at least 2 different ones"),
        (["blend", "cat.png", "dog.png", "-n", "1"], "a blend has at least 2 images"),
        (["invert", "cat.png", "--guidance", "-1"], "guidance = -1"),
    ],
)
def test_errors(call: Call, out: Path, words: Sequence[str], why: str):
    Path("text.txt").write_text("hello", encoding="utf-8")
    picture(side=3).save("tiny.png")
    done = call(*words, "--run", "runs/x")
    assert done.code == 2
    assert why in done.err
    assert not out.exists()
