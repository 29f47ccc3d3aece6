"""Every command of a tiny run, where stdout cannot show a letter, is narrow, or is read by nobody: the same files."""

import io
import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from PIL import Image
from tests.cli.conftest import Call
from tests.end_to_end.test_run import short

import unclip
from unclip.cli.screen import console
from unclip.core.watching import watching
from unclip.data.shapes.world import World
from unclip.recipes.run import train_stages

LETTERS = "ein grüner Würfel ❤ :heart: [bold]x[/b]"
COMMANDS = {
    "shapes": ["shapes", "OUT/drawn :heart: é", "-n", "6"],
    "pack": ["pack", "data é", "OUT/shards"],
    "data": ["data", "data é"],
    "info": ["info", "run é [b]"],
    "generate": ["generate", LETTERS, "a red circle", "--run", "run é [b]", "-n", "2", "--out", "OUT"],
    "vary": ["vary", "ü.png", "--run", "run é [b]", "-n", "2", "--steps", "2", "--out", "OUT"],
    "blend": ["blend", "ü.png", "ü.png", "--run", "run é [b]", "-n", "2", "--steps", "2", "--out", "OUT"],
    "diff": ["diff", "ü.png", "--to", LETTERS, "--run", "run é [b]", "-n", "2", "--steps", "2", "--out", "OUT"],
    "invert": ["invert", "ü.png", "--run", "run é [b]", "--steps", "2", "--out", "OUT"],
    "probe": ["probe", "ü.png", "--labels", LETTERS, "x", "--run", "run é [b]", "--steps", "2", "--out", "OUT"],
    "edit": ["edit", "ü.png", LETTERS, "--mask", "mask.png", "--run", "run é [b]", "-n", "1", "--out", "OUT"],
    "classify": ["classify", "ü.png", "--labels", LETTERS, "x", "--run", "run é [b]"],
    "search": ["search", LETTERS, "--run", "run é [b]", "--out", "OUT"],
    "evaluate": ["evaluate", "run é [b]", "-n", "2", "--json", "OUT/é.json"],
}
EVERY = ("utf-8", "ascii", "cp1252", "latin-1", "gone")
"""What stdout is; "gone": a pipe that nobody reads."""
FEW = ("utf-8", "ascii", "gone")
"""Enough for most: `benchmarks/terminals.py` takes all of them, as processes of their own."""


class Gone(io.RawIOBase):
    """A pipe that nobody reads."""

    def writable(self) -> bool:
        return True

    def write(self, data: object) -> int:
        raise BrokenPipeError


class Full(Gone):
    """A full disk."""

    def write(self, data: object) -> int:
        raise OSError(28, "No space left on device")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with a trained run, its images, and names that few encodings have."""
    root = tmp_path_factory.mktemp("place")
    list(train_stages(World(32, scenes=48), root / "run é [b]", short(1), threading.Event(), force=True))
    (root / "data é").mkdir()
    lines = [{"file_name": f"ü{i}.png", "text": f"{LETTERS} {i}"} for i in range(3)]
    for i, line in enumerate(lines):
        Image.new("RGB", (32, 32), (80 * i, 0, 0)).save(root / "data é" / line["file_name"])
    text = "".join(json.dumps(line) + "\n" for line in lines)
    (root / "data é" / "metadata.jsonl").write_text(text, encoding="utf-8")
    Image.new("RGB", (32, 32), "red").save(root / "ü.png")
    mask = Image.new("L", (32, 32))
    mask.paste(255, (0, 0, 16, 16))
    mask.save(root / "mask.png")
    before = Path.cwd()
    os.chdir(root)
    yield root
    os.chdir(before)


def files(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def stream(encoding: str) -> io.TextIOWrapper:
    raw = {"gone": Gone, "full": Full}.get(encoding)
    if raw is not None:
        return io.TextIOWrapper(io.BufferedWriter(raw()), encoding="utf-8", write_through=True)
    return io.TextIOWrapper(io.BytesIO(), encoding=encoding, errors="strict", write_through=True)


@pytest.mark.parametrize("name", COMMANDS)
def test_same_files_whatever_stdout_is(name: str, place: Path, call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    kept: dict[str, dict[str, bytes]] = {}
    monkeypatch.setenv("COLUMNS", "40")
    for kind in EVERY if name in ("generate", "data") else FEW:
        out = place / "out"
        monkeypatch.setattr(sys, "stdout", stream(kind))
        done = call(*(word.replace("OUT", "out") for word in COMMANDS[name]))
        assert (kind, done.code, done.err) == (kind, 0, "")
        if kind == "ascii":
            shown = sys.stdout.buffer.getvalue().decode("ascii")  # pyright: ignore
            assert shown or name == "pack"
            assert "\x1b" not in shown
        monkeypatch.undo()
        monkeypatch.setenv("COLUMNS", "40")
        kept[kind] = files(out) if out.exists() else {}
        if out.exists():
            out.rename(place / f"{name}-{kind}")
    for kind, found in kept.items():
        assert found == kept["utf-8"], kind


def test_same_files_where_the_locale_knows_ascii_only(place: Path) -> None:
    """A process of its own: what was typed, and names of files, are decoded before any of our code runs."""
    ascii_only = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    for name in ("generate", "blend"):
        kept: list[dict[str, bytes]] = []
        for added in ({"PYTHONUTF8": "1"}, ascii_only):
            out = place / "out é"
            typed = [word.replace("OUT", "out é") for word in COMMANDS[name]]
            words = [sys.executable, "-m", "unclip", *typed]
            done = subprocess.run(words, cwd=place, env={**os.environ, **added}, capture_output=True, check=False)
            assert (done.returncode, done.stderr) == (0, b"")
            kept.append(files(out))
            shutil.rmtree(out)
        assert kept[0] == kept[1]
        assert any("ü" in path for path in kept[1])


def test_a_full_disk_is_told(place: Path, call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", stream("full"))
    done = call("info", "run é [b]")
    assert done.code == 2
    assert "what was to be shown on stdout is lost (no space left on device)" in done.err


def test_no_stdout_at_all(place: Path, call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", None)
    assert call("info", "run é [b]").code == 0


def test_letters_that_are_not_there_are_escaped_and_ours_have_a_twin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", stream("ascii"))
    console.stdout().print("0.5 ± 0.1 … é :heart: [red]\x1b[31m\u202e")
    assert sys.stdout.buffer.getvalue() == b"0.5 +- 0.1 ... \\xe9 :heart: [red]\\x1b[31m\\u202e\n"  # pyright: ignore


def test_lines_are_styled_by_us_alone() -> None:
    text = console.line(("passed:", "green"), " [red]x[/] \x1b[0m")
    assert text.plain == "passed: [red]x[/] \\x1b[0m"
    assert [span.style for span in text.spans] == ["green"]


def test_a_run_is_given_away_without_its_pictures(place: Path, call: Call) -> None:
    done = call("pack-run", "run é [b]", "given")
    assert done.code == 0, done.err
    names = sorted(p.name for p in Path("given").iterdir())
    assert names == ["clip", "decoder", "early", "prior", "run.toml", "state.json", "tokenizer.json"]
    whole = files(place / "given")
    for run, out in (("run é [b]", "a"), ("given", "b")):
        assert call("generate", "a red circle", "--run", run, "--steps", "2", "--out", out).code == 0
    assert files(place / "a") == files(place / "b")
    assert "is there already" in call("pack-run", "run é [b]", "given").err
    assert "lies in the run itself" in call("pack-run", "run é [b]", "run é [b]/copy").err
    assert files(place / "given") == whole


def test_prompts_come_from_a_generator_and_pictures_one_by_one(place: Path) -> None:
    model = unclip.load(place / "run é [b]")
    settings = unclip.Settings(steps=2)
    model.batch = 1
    some = model.draw((word for word in ("a red circle\n", "a blue square")), settings=settings)
    assert next(some).info["unclip"]["prompt"] == "a red circle"
    assert [picture.info["unclip"]["prompt"] for picture in some] == ["a blue square"]
    seen: list[tuple[int, int]] = []
    with watching(lambda done, of: seen.append((done, of))):
        model.generate(["a red circle"], settings=settings)
    assert seen[-2:] == [(1, 2), (2, 2)]
    with pytest.raises(ValueError, match="draw with --sampler ddpm"):
        model.generate(["a red circle"], settings=unclip.Settings(steps=2, sampler="ddpm-learned"))


def test_load_changes_nothing_of_the_process(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A library is a guest: no threads, no seed, no allocator, no environment are set."""

    def process() -> tuple[object, ...]:
        return torch.get_num_threads(), torch.get_default_dtype(), torch.is_grad_enabled(), dict(os.environ)

    def refused(*_: object) -> None:
        raise AssertionError("the allocator was set")

    monkeypatch.setattr("ctypes.CDLL", refused)
    before, drawn = process(), torch.get_rng_state()
    unclip.load("run é [b]").generate(["a red circle"], settings=unclip.Settings(steps=2))
    assert process() == before
    assert torch.equal(torch.get_rng_state(), drawn)
