"""`unclip doctor`: what it says of sound and of broken chains, and that nothing of it stays."""

import json
import tempfile
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.half import newborn
from tests.short import short

from unclip.clip.model import CLIP
from unclip.data.item import Source
from unclip.data.shapes.world import World
from unclip.evaluation.judging.copies import FEWEST
from unclip.recipes.events import Event, Gate, Note, Progress, Stopped
from unclip.recipes.gates import PICTURES
from unclip.recipes.settings.run import RunConfig, retrained
from unclip.recipes.stages import DDPMRecipe
from unclip.recipes.stages.batches import DRAWN, QUICK
from unclip.recipes.stages.clip import clip_of
from unclip.recipes.start.fits import Longest, measured
from unclip.studies.doctor import chain, learned
from unclip.studies.doctor.chain import Trained, brief, few_rows
from unclip.studies.doctor.forecast import Counts, Pace, Walk, forecasts, pace_of
from unclip.studies.doctor.look import look
from unclip.studies.doctor.selftest import verdicts
from unclip.studies.doctor.study import Diagnosis, examine
from unclip.training.plan import Plan

SIZES = {"clip": 70_000, "prior": 19_248, "decoder": 154_755}
"""Parameters of the tiny run's networks; CLIP's depend on the words."""
Seen = tuple[list[Event], Diagnosis | None]


def told(source: Source, config: RunConfig, stop: threading.Event | None = None) -> Seen:
    """All events, and what they end with."""
    events: list[Event] = []
    steps = examine(source, config, stop or threading.Event())
    while True:
        try:
            events.append(next(steps))
        except StopIteration as end:
            return events, end.value


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where temporary folders are made."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def test_the_whole_of_it(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chain, "STEPS", dict.fromkeys(("clip", "prior", "decoder"), 7))
    config = replace(short(0).timed(), budget=60.0)
    events, found = told(World(32, scenes=80), config)
    assert list(place.glob("unclip-*")) == []
    assert found is not None and found.forecast is not None
    gates = [event for event in events if isinstance(event, Gate)]
    assert [gate.stage for gate in gates] == ["clip", "prior", "decoder"] == [gate.stage for gate in found.selftest]
    assert not found.sound  # seven steps are too few
    assert all("its loss fell to" in gate.why for gate in gates)
    data = [event.text for event in events if isinstance(event, Note) and event.stage == "data"]
    assert data[0] == "80 pairs (drawn shapes)" and any("80 images are very few" in line for line in data)
    stages = {stage.stage: stage for stage in found.forecast.stages}
    assert sum(stage.seconds for stage in stages.values()) == pytest.approx(60, rel=0.1)
    assert stages["decoder"].passes == pytest.approx(4 * stages["decoder"].steps / 72)
    assert found.forecast.disk["prepared images"] > 80 * 32 * 32 * 3 and found.forecast.free > 0
    assert found.forecast.parameters == {gate.stage: pytest.approx(SIZES[gate.stage], rel=0.05) for gate in gates}
    assert [stage.speed for stage in stages.values()] == [4 / stage.step for stage in stages.values()]
    assert found.forecast.memory is None or found.forecast.memory > 1e8
    json.dumps(found.as_dict(), allow_nan=False)


def test_a_stage_that_was_not_trained_has_the_size_of_its_network(place: Path) -> None:
    words = Longest(300, 20)
    built = CLIP(clip_of(short(1), words))
    assert measured(short(1), "clip", words) == sum(p.numel() for p in built.parameters())


def test_ctrl_c_ends_it_and_leaves_nothing(place: Path) -> None:
    stop = threading.Event()
    stop.set()
    events, found = told(World(32, scenes=40), short(2), stop)
    assert found is None and isinstance(events[-1], Stopped)
    assert list(place.glob("unclip-*")) == []


def test_ctrl_c_while_it_trains(place: Path) -> None:
    stop = threading.Event()
    events = examine(World(32, scenes=40), short(0).timed(), stop)
    seen: list[Event] = []
    for event in events:
        seen.append(event)
        if isinstance(event, Progress):
            stop.set()
    assert isinstance(seen[-1], Stopped) and sum(isinstance(event, Progress) for event in seen) < 4
    assert list(place.glob("unclip-*")) == []


def test_a_few_rows_are_different_ones(tmp_path: Path) -> None:
    looked = look(World(32, scenes=60), short(1), tmp_path / "data", threading.Event())
    assert (looked.images, looked.opened, len(looked.captions)) == (60, 60, 60)
    rows = few_rows(looked.prepared, 8)
    assert len(rows) == chain.FEW == len({looked.prepared.captions[row][0] for row in rows})
    splits = chain.only(rows, 60)
    assert splits.train.tolist() == sorted(rows) and len(splits.validation) == 2
    assert sorted([*splits.train, *splits.held_out]) == list(range(60))


def test_what_is_told_in_steps_is_shortened() -> None:
    paper = DDPMRecipe()
    paper = retrained(paper, steps=800_000, ema_decay=0.9999, optim=replace(paper.train.optim, warmup=5000))
    train = brief(RunConfig(model="ddpm", size=32).using(ddpm=paper)).of(DDPMRecipe).train
    assert (train.steps, train.ema_decay, train.optim.warmup) == (60, 0.0, 6)
    assert (train.batch, train.optim.lr) == (paper.train.batch, paper.train.optim.lr)


def test_a_walk_is_what_the_plan_says() -> None:
    config = RunConfig(size=32)
    walk = Walk(Plan(seconds=100.0), config.recipes["decoder"], Pace(0.1), 60.0).to_the_end()
    assert walk.steps == pytest.approx(1000, abs=2) and walk.elapsed == pytest.approx(100, abs=0.5)
    drawn = Walk(Plan(seconds=100.0), config.recipes["decoder"], Pace(0.1, 2.0, 8.0), 60.0).to_the_end()
    assert drawn.judging == 4 * 2 + 8
    assert drawn.elapsed == pytest.approx(100, abs=5) and drawn.steps == pytest.approx(840, abs=40)
    counted = Walk(Plan(steps=10**7), config.recipes["decoder"], Pace(0.5), 60.0).to_the_end()
    assert counted.steps == pytest.approx(10**7, rel=1e-3) and counted.elapsed == pytest.approx(5e6, rel=1e-3)


def test_a_preview_looks_for_copies_and_a_gate_does_not() -> None:
    seen, decoder = Trained("decoder", 32, seconds=[0.1] * 20, save=0.5), RunConfig(size=32).recipes["decoder"]
    pace = pace_of(seen, decoder, 2.0, 1.0, held=PICTURES, few=14)
    assert pace == Pace(0.1, preview=3.0, gate=decoder.gate_previews * 2.0, save=0.5)


def test_what_is_drawn_for_the_look_is_timed(monkeypatch: pytest.MonkeyPatch) -> None:
    drawing, asked = newborn(), list[int]()
    monkeypatch.setattr(learned, "draw", lambda model, few, how, n: (None, float(asked.append(n) or how.steps)))
    few = learned.Few(torch.zeros(2, 3, 32, 32), ["a red circle", "a blue square"])
    assert learned.seconds_anew(drawing, few, FEWEST - 1) == 0 and asked == []
    assert learned.seconds_anew(drawing, few, 100) == min(QUICK, drawing.sampling.steps) and asked == [DRAWN]


def test_what_a_stage_takes_too_long_its_followers_lack(tmp_path: Path) -> None:
    config = replace(RunConfig(size=32), budget=1000.0)
    paces = {"clip": Pace(0.1, gate=100.0), "prior": Pace(0.1), "decoder": Pace(0.1)}
    stages = {s.stage: s for s in forecasts(config, Counts.of(1000, 0.05), paces, tmp_path / "run", False)}
    assert stages["clip"].seconds == pytest.approx(270, abs=2)
    assert sum(stage.seconds for stage in stages.values()) == pytest.approx(1000, abs=5)
    assert Counts.of(1000, 0.05) == Counts(1000, 900) and Counts.of(4, 0.05) == Counts(4, 2)


@pytest.mark.parametrize(
    "seen, why",
    [
        (Trained("clip", 64, failure="it diverged"), "--set clip.train.optim.lr=0.0001"),
        (Trained("clip", 64, seconds=[60.0] * 3, losses=[1.0] * 3), "a step takes 60.0 s, too long to see it learn"),
        (Trained("clip", 64, seconds=[1.0] * 30, losses=[1.0] * 30, done=True), "do not load again"),
    ],
)
def test_what_is_said_of_what_cannot_be_judged(seen: Trained, why: str) -> None:
    few = learned.Few(torch.zeros(2, 3, 8, 8), ["a", "b"])
    [(gate, _)] = verdicts({"clip": seen}, None, few, RunConfig(size=32))
    assert not gate.passed and why in gate.why


def test_nearest_of_its_own() -> None:
    true = torch.eye(4)
    assert learned.own(true, true) == 1 and learned.own(torch.cat([true, true.roll(1, 0)]), true) == 0.5
    assert np.isnan(learned.own(true / 0, true))


def test_noise_is_not_like_the_data() -> None:
    images = torch.linspace(-1, 1, 6)[:, None, None, None].expand(6, 3, 16, 16)
    few = learned.Few(images, [""] * 6)
    noise = torch.randn(32, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    assert learned.like_data(few, images) < 0.1 and learned.like_data(few, noise) > 0.8
