"""Every command that writes: one process at a time in a folder, and only in a folder that is unclip's."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.cli.conftest import Call

from unclip.core.disk.lock import hold
from unclip.recipes.settings.run import RunConfig, write_settings
from unclip.runs.folder import RunFolder


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """The folder, while somebody else writes there."""
    ready, end = threading.Event(), threading.Event()

    def writer() -> None:
        with hold(folder, known=True):
            ready.set()
            end.wait(60)

    thread = threading.Thread(target=writer)
    thread.start()
    assert ready.wait(60)
    try:
        yield
    finally:
        end.set()
        thread.join()


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """What looks like a finished run."""
    folder = RunFolder(tmp_path / "run")
    write_settings(folder.settings, RunConfig())
    for stage in ("tokenizer", "clip", "prior", "decoder"):
        folder.finish(stage, {"passed": True, "why": "", "metrics": {}})
    folder.tokenizer.write_text("{}", encoding="utf-8")
    return folder.root


COMMANDS = [
    ("train", "shapes", "--out", "RUN"),
    ("train", "shapes", "--out", "RUN", "--force"),
    ("add", "noisy_clip", "--run", "RUN"),
    ("add", "inpaint", "--run", "RUN", "--restart"),
    ("compare-priors", "RUN"),
    ("demo", "--out", "RUN"),
    ("explain", "another", "--out", "RUN"),
    ("study", "another", "--out", "RUN"),
    ("pack-run", "RUN", "given-away"),
]


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_whoever_is_second_is_refused_by_name(call: Call, run: Path, words: tuple[str, ...]):
    pytest.importorskip("matplotlib")
    before = {p: p.read_bytes() for p in run.iterdir() if p.name != ".unclip"}
    with held(run):
        done = call(*(run if word == "RUN" else word for word in words))
    assert done.code == 2
    assert f"{run}: process {os.getpid()} on " in done.err
    assert {p: p.read_bytes() for p in run.iterdir() if p.name != ".unclip"} == before


@pytest.mark.parametrize("words", [("generate", "x"), ("pack-run", "OUT"), ("evaluate",)], ids=" ".join)
def test_a_run_in_training_names_who_trains_it(call: Call, run: Path, words: tuple[str, ...]):
    RunFolder(run).reopen("clip")
    where = (run, "OUT") if words[0] == "pack-run" else ("x", "--run", run) if words[0] == "generate" else (run,)
    with held(run):
        done = call(words[0], *where)
    assert done.code == 2
    assert f"{run}: process {os.getpid()} on " in done.err
    done = call(words[0], *where)
    assert "unfinished, the stage 'clip' is missing" in done.err


MINE = [
    ("train", "shapes", "--out", "MINE", "--force"),
    ("demo", "--out", "MINE"),
    ("explain", "another", "--out", "MINE"),
    ("study", "another", "--out", "MINE"),
    ("shapes", "MINE"),
    ("pack", "PICTURES", "MINE"),
]


@pytest.mark.parametrize("words", MINE, ids=" ".join)
def test_a_folder_of_somebody_is_refused_and_not_touched(call: Call, tmp_path: Path, words: tuple[str, ...]):
    mine, pictures = tmp_path / "mine", tmp_path / "pictures"
    (mine / "clip").mkdir(parents=True)
    (mine / "clip" / "thesis.txt").write_text("work", encoding="utf-8")
    assert call("shapes", pictures, "-n", 3).code == 0
    places = {"MINE": mine, "PICTURES": pictures}
    done = call(*(places.get(word, word) for word in words))
    assert done.code == 2, done.out
    assert "not empty" in done.err
    assert [p.relative_to(mine) for p in mine.rglob("*")] == [Path("clip"), Path("clip/thesis.txt")]


def test_what_lies_beside_a_packed_folder_is_not_touched(call: Call, tmp_path: Path):
    assert call("shapes", tmp_path / "pictures", "-n", 3).code == 0
    beside = [tmp_path / "shards.tmp" / "thesis.txt", tmp_path / ".shards.99999.part" / "thesis.txt"]
    for path in beside:
        path.parent.mkdir()
        path.write_text("work", encoding="utf-8")
    done = call("pack", tmp_path / "pictures", tmp_path / "shards")
    assert done.code == 0, done.err
    assert [p.name for p in (tmp_path / "shards").iterdir()] == ["shard-00000.tar"]
    assert [path.read_text(encoding="utf-8") for path in beside] == ["work", "work"]


@pytest.mark.parametrize("text", ["my thesis", "[1]", '{"mine": 1}'])
@pytest.mark.parametrize("command", ["evaluate", "compare-priors"])
def test_a_json_of_somebody_is_not_overwritten(call: Call, run: Path, tmp_path: Path, command: str, text: str):
    (tmp_path / "a.json").write_text(text, encoding="utf-8")
    done = call(command, run, "--json", tmp_path / "a.json")
    assert done.code == 2
    assert "a.json: is there already and is not what unclip wrote" in done.err
    assert (tmp_path / "a.json").read_text(encoding="utf-8") == text
