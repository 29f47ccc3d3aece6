"""A stage that draws tells of copies on the way, and may stop for them; the training itself is as without."""

import threading
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from tests.arrays import Arrays
from tests.cli.test_ddpm import config as tiny
from tests.short import events as pairs
from tests.short import short

from unclip.core.disk import store
from unclip.data.shapes.world import World
from unclip.data.source import Source
from unclip.recipes.context import Context
from unclip.recipes.events import Event, Gate, Note, Progress
from unclip.recipes.run import train_stages
from unclip.recipes.settings.run import RunConfig
from unclip.recipes.stages import DDPMRecipe, ddpm
from unclip.recipes.stages.base import Preview
from unclip.recipes.stages.copies import LEAST, MOST, CopyWatch, most
from unclip.runs.folder import RunFolder
from unclip.training.checkpoint import read_log
from unclip.training.plan import Plan

STEPS = 10


def scenes(count: int) -> Source:
    images = [image[::4, ::4].copy() for image, _, _ in World(counts={3: 1.0}).sample(count, 0)]
    return Arrays(images, [()] * count)


def config(**changes: object) -> RunConfig:
    run = replace(tiny(STEPS), size=16, held_out=0.2, **changes)
    return run.using(ddpm=replace(run.of(DDPMRecipe), classes=False, flip=False))


def events(out: Path, settings: RunConfig, count: int = 120) -> list[Event]:
    return [*train_stages(scenes(count), out, settings, threading.Event(), force=True)]


def told(found: Sequence[Event], word: str) -> list[str]:
    return [e.text for e in found if isinstance(e, Note) and word in e.text and e.stage not in ("data", "settings")]


@pytest.fixture
def copying(monkeypatch: pytest.MonkeyPatch) -> None:
    """A DDPM that draws nothing but its training images."""

    def preview(ctx: Context, model: object) -> Preview:
        images = torch.from_numpy(ctx.prepared.images[ctx.splits.train[:32]]).permute(0, 3, 1, 2) / 127.5 - 1
        return Preview(Image.new("RGB", (8, 8)), images)

    monkeypatch.setattr(ddpm, "preview", preview)


@pytest.fixture(scope="module", autouse=True)
def ungated() -> Iterator[None]:
    """Nothing is judged at the end: that takes longest."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ddpm, "ddpm_gate", lambda *_: Gate("ddpm", True, "not judged", {"seen": 0.0}))
        yield


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Event]]:
    out = tmp_path_factory.mktemp("copies") / "run"
    return out, events(out, config())


def steps(run: Path) -> int:
    return int(RunFolder(run).state()["ddpm"]["metrics"]["steps"])


def lines(run: Path) -> dict[int, dict[str, dict[str, Any]]]:
    return {line["step"]: line["copies"] for line in read_log(run / "logs" / "ddpm.jsonl") if "copies" in line}


def test_each_preview_says_it_in_a_line_and_in_the_log(plain: tuple[Path, list[Event]]) -> None:
    run, seen = plain
    said = told(seen, "copies:")
    assert len(said) == 4 and all("copies: of 32 images" in line and "x held-out" in line for line in said)
    assert not told(seen, "by heart")
    assert list(lines(run)) == [1, 2, 5, 10]
    assert list(lines(run)[STEPS]) == ["supervised", "pixels"]
    assert set(lines(run)[STEPS]["pixels"]) == {"nearest", "near_copies", "expected", "p", "n"}


def test_the_weights_are_the_same_without(
    plain: tuple[Path, list[Event]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(CopyWatch, "__call__", lambda *_: {})
    events(tmp_path / "run", config())
    assert lines(tmp_path / "run") == {}
    a, b = (store.load(run / "ddpm").sha256 for run in (plain[0], tmp_path / "run"))
    assert a == b


def test_a_continued_run_finds_the_same(plain: tuple[Path, list[Event]], tmp_path: Path) -> None:
    stop = threading.Event()
    for event in train_stages(scenes(120), tmp_path / "run", config(), stop, force=True):
        if isinstance(event, Progress) and event.report.step == 3:
            stop.set()
    events(tmp_path / "run", config())
    assert lines(tmp_path / "run") == lines(plain[0])
    assert store.load(plain[0] / "ddpm").sha256 == store.load(tmp_path / "run" / "ddpm").sha256


@pytest.mark.usefixtures("copying")
def test_a_model_that_copies_is_warned_of(tmp_path: Path) -> None:
    seen = events(tmp_path / "run", config())
    (once,) = told(seen, "by heart")
    assert "--set ddpm.flip=true" in once and "stop_at_copies" in once
    assert lines(tmp_path / "run")[STEPS]["pixels"]["near_copies"]["mean"] == 1
    assert steps(tmp_path / "run") == STEPS


@pytest.mark.usefixtures("copying")
def test_it_stops_for_copies_with_its_cooldown(tmp_path: Path) -> None:
    seen = events(tmp_path / "run", config(stop_at_copies=0.5))
    assert told(seen, "to end at step 2") and len(told(seen, "to end at step")) == 1
    assert steps(tmp_path / "run") == 2


def test_a_sound_run_is_not_stopped(plain: tuple[Path, list[Event]], tmp_path: Path) -> None:
    events(tmp_path / "run", config(stop_at_copies=0.2))
    assert steps(tmp_path / "run") == STEPS
    assert store.load(plain[0] / "ddpm").sha256 == store.load(tmp_path / "run" / "ddpm").sha256


@pytest.mark.usefixtures("copying")
def test_of_too_few_images_nothing_is_said(tmp_path: Path) -> None:
    seen = events(tmp_path / "run", config(stop_at_copies=0.1), count=36)
    (only,) = told(seen, "copies")
    assert only == "copies: cannot be known, 7 validation images are too few to compare with, 8 would do"
    assert steps(tmp_path / "run") == STEPS and lines(tmp_path / "run") == {}


def test_a_model_that_reads_captions_is_asked_for_those_of_validation(tmp_path: Path) -> None:
    seen = [*pairs(tmp_path / "run", replace(short(4), held_out=0.3))]
    assert {e.stage for e in seen if isinstance(e, Note) and "copies:" in e.text} == {"decoder"}


def test_how_many_training_images_follows_the_time() -> None:
    assert {t: most(t) for t in (0.0, 10.0, 120.0, 900.0)} == {0.0: MOST, 10.0: LEAST, 120.0: 1200, 900.0: MOST}


def test_a_plan_cools_down_once() -> None:
    plan = Plan(steps=1000, cooldown=0.5)
    assert plan.cool(100) and plan.total == 200
    assert not plan.cool(150) and plan.total == 200
    assert [plan.rate(step, 1) for step in (99, 100, 150)] == [1.0, 1.0, 0.5]
    timed = Plan(seconds=10.0, cooldown=0.5)
    assert timed.cool(30) and timed.total == 60
