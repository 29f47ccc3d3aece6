"""A finished run is trained on; one that diverged goes on with another rate; all on a tiny DDPM."""

import json
import shutil
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from tests.cli.test_ddpm import config
from tests.paint import folder

import unclip
from unclip.core.disk import store
from unclip.data.source import open_source
from unclip.recipes.events import Event, Gate, Note, Progress, Stopped, Working
from unclip.recipes.more import further
from unclip.recipes.run import train_stages
from unclip.recipes.settings.run import RunConfig, read_settings, retrained
from unclip.recipes.stages import DDPMRecipe
from unclip.runs.folder import RunFolder
from unclip.training.checkpoint import read_log
from unclip.training.trainer import Diverged

MORE = 1.0


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return folder(tmp_path_factory.mktemp("more") / "data", each=4)


@pytest.fixture(scope="module")
def done(data: Path) -> Path:
    """A finished run of six steps."""
    list(events(data, data.parent / "run", config(6)))
    return data.parent / "run"


def events(
    data: Path, run: Path, config: RunConfig, more: float | None = None, stop: threading.Event | None = None
) -> Iterator[Event]:
    return train_stages(
        open_source(data, captioned=False), run, config, stop or threading.Event(), force=True, more=more
    )


class Clock:
    """Time that goes on by itself: a step takes 20 ms, whatever else the machine does."""

    def __init__(self) -> None:
        self.now = 0.0

    def perf_counter(self) -> float:
        self.now += 0.02
        return self.now

    def monotonic(self) -> float:
        self.now += 0.001
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("unclip.training.trainer", "unclip.recipes.stage_run"):
        monkeypatch.setattr(f"{module}.time", Clock())


def rates(run: Path) -> dict[int, float]:
    return {line["step"]: line["lr"] for line in read_log(run / "logs" / "ddpm.jsonl")}


@pytest.mark.usefixtures("clock")
@pytest.mark.parametrize("gone", ["nothing", "checkpoints"])
def test_a_finished_run_is_trained_on_from_its_end(data: Path, done: Path, tmp_path: Path, gone: str) -> None:
    run = shutil.copytree(done, tmp_path / "run")
    early = store.load(run / "early" / "ddpm").sha256
    shutil.rmtree(run / gone, ignore_errors=True)
    told = list(events(data, run, config(6), MORE))
    anew = [e for e in told if isinstance(e, Note) and "moments begin anew" in e.text]
    assert len(anew) == (gone == "checkpoints")
    steps = rates(run)
    assert list(steps) == list(range(1, len(steps) + 1)) and len(steps) > 20
    peak = max(steps.values())
    assert steps[6] < peak / 2 and steps[7] == pytest.approx(peak / 5)  # the end of one plan, the warm-up of the next
    assert steps[15] == peak and steps[len(steps)] < peak / 5
    record = RunFolder(run).state()["more"]["metrics"]
    assert (record["added"], record["last"], record["ddpm_steps"]) == (MORE, MORE, 6)
    assert RunFolder(run).state()["ddpm"]["metrics"]["steps"] == len(steps)
    assert store.load(run / "early" / "ddpm").sha256 == early
    unclip.load(run).generate(["red"])
    unclip.train(open_source(data, captioned=False), run, more=MORE, force=True)  # and once more, in Python
    again = further(RunFolder(run))
    assert again is not None and (again.added, again.ends["ddpm"].steps) == (2 * MORE, len(steps))


@pytest.mark.usefixtures("clock")
def test_stopped_on_the_way_the_same_command_continues(data: Path, done: Path, tmp_path: Path) -> None:
    run, stop = shutil.copytree(done, tmp_path / "run"), threading.Event()
    for event in events(data, run, config(6), MORE, stop):
        if isinstance(event, Progress) and event.report.step == 12:
            stop.set()
    assert isinstance(event, Stopped)
    with pytest.raises(ValueError, match="being trained on already, 1 seconds more"):
        list(events(data, run, config(6), 2 * MORE))
    told = list(events(data, run, config(6), MORE))
    assert Note("ddpm", "continues at step 12") in told
    state = further(RunFolder(run))
    assert state is not None and state.added == MORE
    taken = RunFolder(run).state()["ddpm"]["metrics"]["seconds"] - state.ends["ddpm"].seconds
    assert taken < 3 * MORE


def test_more_of_what_is_not_finished_says_what_to_do(data: Path, done: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no finished run; leave it out to train one"):
        list(events(data, tmp_path / "none", config(6), MORE))
    run = shutil.copytree(done, tmp_path / "run")
    RunFolder(run).reopen("ddpm")
    with pytest.raises(ValueError, match="'ddpm' is missing; the command without --more continues it, then"):
        list(events(data, run, config(6), MORE))
    damaged = shutil.copytree(done, tmp_path / "damaged")
    (damaged / "ddpm" / store.WEIGHTS).unlink()
    with pytest.raises(ValueError, match=r"safetensors.*without --more; then --more"):
        list(events(data, damaged, config(6), MORE))


def rated(steps: int, lr: float) -> RunConfig:
    base = config(steps)
    recipe = base.of(DDPMRecipe)
    optim = replace(recipe.train.optim, lr=lr, muon_lr=lr)
    return base.using(ddpm=retrained(recipe, batch=2, optim=optim))


def test_what_diverged_is_never_kept_and_goes_on_with_a_lower_rate(data: Path, tmp_path: Path) -> None:
    run, lr, steps = tmp_path / "run", 1e3, 60  # the largest rate that is a setting at all
    with pytest.raises(Diverged, match=r"ddpm: .*diverged: 3 steps in a row.*--set ddpm.train.optim.lr=0.001"):
        list(events(data, run, rated(steps, lr)))
    assert not (run / "ddpm").exists() and not (run / "early").exists()
    told = list(events(data, run, rated(steps, 1e-3)))
    assert any(isinstance(e, Note) and "ddpm.train.optim.lr = 0.001 from here on" in e.text for e in told)
    assert read_settings(run / "run.toml")["ddpm"]["train"]["optim"]["lr"] == 1e-3
    ended = RunFolder(run).state()["ddpm"]["metrics"]
    assert (ended["steps"], ended["skipped"]) == (steps, 0)
    assert all(torch.isfinite(x).all() for x in store.load(run / "ddpm").tensors.values())


@pytest.mark.usefixtures("clock")
def test_the_rate_of_a_finished_stage_changes_only_with_more(data: Path, done: Path, tmp_path: Path) -> None:
    run = shutil.copytree(done, tmp_path / "run")
    recipe = config(6).of(DDPMRecipe)
    lower = config(6).using(ddpm=retrained(recipe, optim=replace(recipe.train.optim, lr=1e-4)))
    with pytest.raises(ValueError, match=r"ddpm.train.optim.lr: .* has trained ddpm to its end; with --more"):
        list(events(data, run, lower))
    list(events(data, run, lower, MORE))
    assert max(lr for step, lr in rates(run).items() if step > 6) == 1e-4


def test_weights_that_are_not_finite_are_never_drawn_from(done: Path, tmp_path: Path) -> None:
    run = shutil.copytree(done, tmp_path / "run")
    stored = store.load(run / "ddpm")
    name = next(k for k, v in stored.tensors.items() if v.is_floating_point())
    stored.tensors[name].view(-1)[0] = torch.nan
    store.save(run / "ddpm", "ddpm", stored.config, stored.tensors, stored.extra)
    with pytest.raises(ValueError, match=r"ddpm.model.safetensors: the weights .* are not finite.*lower learning rate"):
        unclip.load(run).generate(["red"])


def test_a_budget_holds_samples_and_gate(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 4 s, samples that take 0.2 s and a gate as long as four of them: the training has what is left."""
    import time

    from unclip.recipes import stage_run
    from unclip.recipes.gates import PICTURES
    from unclip.recipes.stages import ddpm

    assert PICTURES
    draw = ddpm.preview

    def slow(*given: object):
        time.sleep(0.2)
        return draw(*given)  # pyright: ignore[reportArgumentType]

    def gate(*given: object) -> Gate:
        time.sleep(0.8)
        return Gate("ddpm", True, "fine", {"odd": float("nan")})

    monkeypatch.setattr(ddpm, "preview", slow)
    monkeypatch.setattr(ddpm, "ddpm_gate", gate)
    monkeypatch.setattr(stage_run.plots, "available", lambda: False)
    timed = replace(config(0), budget=4.0, checkpoint_seconds=60.0)
    began = time.monotonic()
    told = list(events(data, tmp_path / "run", timed))
    assert time.monotonic() - began < 9  # of a busy machine
    judging = next(e for e in told if isinstance(e, Working) and e.what == "judging it")
    assert judging.remaining > 0.5
    metrics = json.loads((tmp_path / "run" / "state.json").read_text(encoding="utf-8"))["ddpm"]
    assert 2 < metrics["metrics"]["seconds"] < 6
    assert metrics["metrics"]["odd"] is None and not metrics["passed"]
    assert "cannot be judged, odd came out as no number" in metrics["why"]
