"""`unclip edit` and `unclip extend` with a small model, and what `unclip info` says of them."""

import shlex
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.cli.conftest import Call
from tests.half import SIZE, newborn

from unclip.generation import load


@pytest.fixture
def out(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    model = newborn()
    model.hash = "abc123def456"
    monkeypatch.setattr(load, "load", lambda _, **__: model)
    monkeypatch.chdir(tmp_path)
    ramp = np.arange(SIZE * SIZE * 3, dtype=np.uint8).reshape(SIZE, SIZE, 3)
    Image.fromarray(ramp).save("cat.png")
    mask = np.zeros((SIZE, SIZE), dtype=np.uint8)
    mask[4:9, 3:12] = 255
    Image.fromarray(mask).save("mask.png")
    Image.fromarray(mask).resize((20, 20)).save("large.png")
    Image.new("L", (SIZE, SIZE)).save("black.png")
    return tmp_path / "out"


COMMANDS = {
    "edit": ["cat.png", "a red picture", "--mask", "mask.png", "-n", "2", "--seed", "7", "--steps", "2",
             "--guidance", "2"],
    "edit without a prompt": ["cat.png", "--mask", "mask.png", "-n", "1", "--steps", "3"],
    "extend": ["cat.png", "a red picture", "--by", "0.25", "--up", "0", "-n", "2", "--steps", "2"],
    "extend without a prompt": ["cat.png", "--left", "0.5", "-n", "1", "--steps", "2"],
}  # fmt: skip


@pytest.mark.parametrize("name", COMMANDS)
def test_pictures_a_sheet_and_the_command_that_makes_them_again(call: Call, out: Path, name: str):
    command, words = name.split()[0], COMMANDS[name]
    done = call(command, *words, "--run", "runs/x")
    assert done.code == 0, done.err
    count, first = int(words[words.index("-n") + 1]), 7 if "--seed" in words else 0
    names = [f"cat-{command}-{first + i}.png" for i in range(count)] + [f"cat-{command}.png"]
    assert sorted(p.name for p in out.iterdir()) == sorted(names)
    assert all(f"out/{n}" in done.out for n in names)
    assert "by RePaint, slower; `unclip add inpaint" in done.out
    assert ("no prompt: the image's own embedding" in done.out) == ("a red picture" not in words)
    with Image.open(out / names[0]) as picture:
        assert picture.size == {"edit": (16, 16), "extend": (24, 20)}.get(name, picture.size)
    before = {n: (out / n).read_bytes() for n in names}
    told = call("info", out / names[0])
    assert f"made by   unclip {command}, of cat.png" in told.out
    program, *again = shlex.split(told.out.splitlines()[-1])
    assert program == "unclip"
    for n in names:
        (out / n).unlink()
    assert call(*again).code == 0
    assert {n: (out / n).read_bytes() for n in names} == before
    assert call(*again).code == 0  # the same request replaces its images
    assert sorted(p.name for p in out.iterdir()) == sorted(names)


@pytest.mark.parametrize(
    "words, why",
    [
        (["edit", "cat.png"], "cat.png: has no transparent part and there is no mask; give --mask"),
        (["edit", "cat.png", "--mask", "large.png"], "large.png: is 20 x 20 pixels and cat.png is 16 x 16"),
        (["edit", "cat.png", "--mask", "black.png"], "black.png: nothing is to be painted"),
        (["edit", "none.png", "--mask", "mask.png"], "none.png: no such image"),
        (["edit", "cat.png", "--mask", "mask.png", "--method", "model"], "unclip add inpaint"),
        (["edit", "cat.png", "--mask", "mask.png", "--steps", "0"], "steps = 0"),
        (["edit", "cat.png", "--mask", "mask.png", "-n", "0"], "n = 0"),
        (["extend", "cat.png"], "nothing to paint: say by how much the image grows, as --by 0.5"),
        (["extend", "cat.png", "--left=-1"], "left = -1.0: a share of the image's side between 0 and 4"),
        (["extend", "text.txt", "--by", "0.5"], "text.txt: no image in a supported format"),
    ],
)
def test_errors(call: Call, out: Path, words: Sequence[str], why: str):
    Path("text.txt").write_text("hello", encoding="utf-8")
    done = call(*words, "--run", "runs/x")
    assert done.code == 2
    assert why in done.err.replace("\n", " ")
    assert not out.exists()
