"""`unclip train` with a fake in the place of the training."""

import json
import os
import signal
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.cli.conftest import Call

from unclip.data.prepare.write import prepare
from unclip.data.shapes.world import World
from unclip.recipes import run
from unclip.recipes.events import Event, Gate, ImageSaved, Note, Progress, Stopped
from unclip.recipes.settings.run import RunConfig, write_settings
from unclip.runs.folder import RunFolder
from unclip.training.report import Report
from unclip.training.trainer import Diverged


def report(step: int) -> Report:
    return Report(step, 0.5 / step, {}, 1.0, 1e-3, 100.0, float(step), 10.0 - step, step / 10)


class Fake:
    """Plays `events`, or continues until stopped where there are none; remembers what it was called with."""

    def __init__(self) -> None:
        self.events: list[Event | Exception] = []
        self.calls: list[tuple[Any, Path, RunConfig, bool]] = []
        self.more: float | None = None

    def __call__(
        self,
        source: Any,
        folder: Path,
        config: RunConfig,
        stop: threading.Event,
        force: bool = False,
        more: float | None = None,
    ) -> Iterator[Event]:
        self.calls.append((source, folder, config, force))
        self.more = more
        for event in self.events:
            if isinstance(event, Exception):
                raise event
            yield event
        if not self.events:
            os.kill(os.getpid(), signal.SIGINT)
            assert stop.wait(5)
            yield Stopped("clip")

    @property
    def config(self) -> RunConfig:
        return self.calls[-1][2]


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Fake:
    fake = Fake()
    fake.events = [Note("data", "12 pairs [all good]"), Progress("clip", report(1), 65.0, 0.1)]
    fake.events += [ImageSaved("decoder", Path("runs/x/samples/a.png")), Gate("clip", True, "R@1 50.0%")]
    monkeypatch.setattr(run, "train_stages", fake)
    return fake


def begun(out: Path, config: RunConfig) -> None:
    """A run that has trained something, on shapes."""
    folder = RunFolder(out)
    write_settings(folder.settings, config)
    folder.finish("clip", {"passed": True, "why": "", "metrics": {}})
    folder.data.mkdir()
    (folder.data / "prepared.json").write_text(
        json.dumps({"fingerprint": World(config.size, seed=config.seed).fingerprint()}), encoding="utf-8"
    )


def test_a_run_is_told_line_by_line(call: Call, fake: Fake, tmp_path: Path):
    done = call("train", "shapes", "--out", tmp_path / "run", "--budget", "2m", "--seed", 4)
    assert done.code == 0, done.err
    lines = done.out.splitlines()
    assert lines[0] == "data: 12 pairs [all good]"
    assert lines[1] == "clip (1 of 3)   10%  step 1  100 images/s  loss 0.5000  1m05s left"
    assert lines[2:4] == ["decoder: drew runs/x/samples/a.png", "clip: passed, R@1 50.0%"]
    assert "unclip generate" in lines[4]
    assert isinstance(fake.calls[0][0], World)
    assert (fake.config.budget, fake.config.seed, fake.config.size) == (120.0, 4, 32)


def test_the_size_comes_from_the_data(call: Call, fake: Fake, tmp_path: Path):
    assert call("shapes", tmp_path / "big", "-n", 3, "--size", 64).code == 0
    assert call("train", tmp_path / "big", "--out", tmp_path / "run").code == 0
    assert fake.config.size == 64
    assert call("train", tmp_path / "big", "--out", tmp_path / "run", "--size", 32).code == 0
    assert fake.config.size == 32
    assert call("train", "shapes", "--out", tmp_path / "run", "--size", 64).code == 0
    assert (fake.calls[-1][0].size, fake.config.size) == (64, 64)


def test_environment_and_options(call: Call, fake: Fake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("UNCLIP_SEED", "8")
    monkeypatch.setenv("UNCLIP_BUDGET", "3m")
    words = ["--budget", "90s", "--set", "decoder.train.batch=16", "--set", "clip.width=[1]"]
    done = call("train", "shapes", "--out", tmp_path / "run", *words)
    assert done.code == 2
    assert "error: --set: clip.width = [1]" in done.err
    done = call("train", "shapes", "--out", tmp_path / "run", *words[:-1], "clip.width=64")
    assert done.code == 0, done.err
    assert (fake.config.seed, fake.config.budget, fake.config.recipes["decoder"].train.batch) == (8, 90.0, 16)


def test_a_failed_gate(call: Call, fake: Fake, tmp_path: Path):
    fake.events = [Gate("clip", False, "R@1 1.0%, chance 1.0%")]
    done = call("train", "shapes", "--out", tmp_path / "run")
    assert done.code == 1
    assert "clip: failed, R@1 1.0%" in done.out
    assert "--force" in done.out
    assert call("train", "shapes", "--out", tmp_path / "run", "--force").code == 0
    assert fake.calls[-1][3] is True


def test_ctrl_c_saves(call: Call, fake: Fake, tmp_path: Path):
    fake.events = []
    before = signal.getsignal(signal.SIGINT)
    done = call("train", "shapes", "--out", tmp_path / "run")
    assert done.code == 130
    assert "the same command continues" in done.out
    assert "once more ends at once" in done.err
    assert signal.getsignal(signal.SIGINT) is before


def test_ctrl_c_twice_ends_at_once(call: Call, fake: Fake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def stubborn(*given: object) -> Iterator[Event]:
        yield Note("clip", "begins")
        for _ in range(2):
            os.kill(os.getpid(), signal.SIGINT)
        raise AssertionError("went on")

    monkeypatch.setattr(run, "train_stages", stubborn)
    done = call("train", "shapes", "--out", tmp_path / "run")
    assert (done.code, "error: stopped" in done.err) == (130, True)


@pytest.mark.parametrize("error", [ValueError("size = 3: too small"), Diverged("size = 3: too small")])
def test_errors_are_one_line(call: Call, fake: Fake, tmp_path: Path, error: Exception):
    fake.events = [error]
    done = call("train", "shapes", "--out", tmp_path / "run")
    assert (done.code, done.err) == (2, "error: size = 3: too small\n")


def test_debug_shows_the_traceback(call: Call, fake: Fake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    fake.events = [ValueError("boom")]
    monkeypatch.setenv("UNCLIP_DEBUG", "1")
    with pytest.raises(ValueError, match="boom"):
        call("train", "shapes", "--out", tmp_path / "run")


def test_a_missing_extra_is_named(call: Call, fake: Fake, tmp_path: Path):
    fake.events = [ModuleNotFoundError("No module named 'pyarrow'", name="pyarrow")]
    assert "-m pip install pyarrow" in call("train", "shapes", "--out", tmp_path / "run").err


def test_no_data(call: Call, fake: Fake, tmp_path: Path):
    done = call("train", tmp_path / "nowhere", "--out", tmp_path / "run")
    assert done.code == 2
    assert "no such file or folder" in done.err
    assert not fake.calls


def test_a_begun_run_keeps_its_settings(call: Call, fake: Fake, tmp_path: Path):
    out = tmp_path / "run"
    stored = RunConfig(size=64, seed=7, budget=99.0, precision="float32")
    begun(out, stored)
    assert call("train", "shapes", "--out", out).code == 0
    assert fake.config == stored
    assert fake.calls[-1][0].size == 64
    assert call("train", "shapes", "--out", out, "--seed", 7, "--budget", "99s").code == 0
    done = call("train", "shapes", "--out", out, "--seed", 8)
    assert done.code == 2
    assert "--seed: seed = 8" in done.err
    assert "seed = 7" in done.err
    assert "another --out" in done.err


def test_a_begun_run_keeps_its_data(call: Call, fake: Fake, tmp_path: Path):
    begun(tmp_path / "run", RunConfig(size=32))
    assert call("shapes", tmp_path / "other", "-n", 3).code == 0
    done = call("train", tmp_path / "other", "--out", tmp_path / "run")
    assert done.code == 2
    assert "begun with other data" in done.err


def test_settings_of_a_run_that_never_began_may_change(call: Call, fake: Fake, tmp_path: Path):
    folder = RunFolder(tmp_path / "run")
    with folder.writing():
        write_settings(folder.settings, RunConfig(max_bad=0.01))
    assert call("train", "shapes", "--out", tmp_path / "run", "--max-bad", "1").code == 0
    assert fake.config.max_bad == 1.0
    assert run.settle(folder, replace(fake.config, precision="float32")).max_bad == 1.0


def test_a_settings_file_of_somebody_is_no_run(call: Call, fake: Fake, tmp_path: Path):
    """`unclip train DATA --config exp/run.toml --out exp`: it was deleted."""
    write_settings(tmp_path / "exp" / "run.toml", RunConfig())
    done = call("train", "shapes", "--config", tmp_path / "exp" / "run.toml", "--out", tmp_path / "exp")
    assert (done.code, fake.calls) == (2, [])
    assert "not empty and was not made by unclip (it holds run.toml)" in done.err
    assert [p.name for p in (tmp_path / "exp").iterdir()] == ["run.toml"]


def test_nothing_is_left_of_a_run_that_could_not_begin(call: Call, fake: Fake, tmp_path: Path):
    assert call("train", tmp_path / "no data", "--out", tmp_path / "run").code == 2
    assert not (tmp_path / "run").exists()


def test_a_run_inside_its_own_pictures_continues(
    call: Call, fake: Fake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    assert call("shapes", "cat", "-n", 4).code == call("shapes", "dog", "-n", 4).code == 0
    for kind in ("cat", "dog"):
        (tmp_path / kind / "metadata.jsonl").unlink()
    command = ("train", ".", "--out", "runs/x", "--captions", "folders")
    assert call(*command).code == 0
    source, out, config, _ = fake.calls[-1]
    run = RunFolder(out)
    with run.writing():
        write_settings(run.settings, config)
        prepare(source, run.data, config.size)
        run.finish("clip", {"passed": True, "why": "", "metrics": {}})
    for name in ("data", "clip-000001"):
        run.samples.mkdir(exist_ok=True)
        (run.samples / f"{name}.png").write_bytes((tmp_path / "cat" / "000001.png").read_bytes())
    for again in (command, command[:-2]):
        done = call(*again)
        assert done.code == 0, done.err
        assert len(list(fake.calls[-1][0])) == 8
    done = call(*command[:-1], "names")
    assert (done.code, "captions = 'names', but runs/x was begun with" in done.err) == (2, True), done.err


def test_a_begun_run_may_take_another_rate_and_another_machine(call: Call, fake: Fake, tmp_path: Path):
    out = tmp_path / "run"
    begun(out, RunConfig(size=32, precision="float32"))
    words = ["--set", "decoder.train.optim.lr=1e-4", "--set", "workers=4", "--precision", "bfloat16"]
    assert call("train", "shapes", "--out", out, *words).code == 0
    assert (fake.config.workers, fake.config.precision) == (4, "bfloat16")
    assert fake.config.recipes["decoder"].train.optim.lr == 1e-4
    done = call("train", "shapes", "--out", out, "--set", "decoder.train.optim.muon_lr=0")
    assert done.code == 2 and "decoder.train.optim.muon_lr" in done.err  # its moments would be of no use


def test_more_is_a_length_of_time(call: Call, fake: Fake, tmp_path: Path):
    assert call("train", "shapes", "--out", tmp_path / "run", "--more", "2m").code == 0
    assert fake.more == 120.0
    done = call("train", "shapes", "--out", tmp_path / "run", "--more", "soon")
    assert done.code == 2 and "--more 'soon'" in done.err
