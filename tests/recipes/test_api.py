"""`unclip.train` and `unclip.evaluate`: what a person gets who never saw the command line."""

import json
import os
import signal
import threading
import warnings
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.short import STAGES, losses, short

import unclip
from unclip.cli.main import app
from unclip.data.item import Item
from unclip.data.shapes.world import World
from unclip.recipes.api import train as api
from unclip.recipes.events import Event, Gate, Note, Progress, Stopped
from unclip.recipes.presets import PRESETS
from unclip.recipes.settings.run import RunConfig, stored_config
from unclip.recipes.stages import DDPMRecipe
from unclip.runs.folder import RunFolder
from unclip.runs.pack import pack_run


class Stripes:
    """A data set of one's own: 24 images in memory, with stripes across or down."""

    root, kind = Path("stripes"), "stripes"

    def __iter__(self) -> Iterator[Item]:
        for i in range(24):
            down = np.indices((40, 40))[i % 2] // 4 % 2 * 255
            yield Item(f"{i}", lambda down=down: down.astype(np.uint8), ("down" if i % 2 else "across",))

    def fingerprint(self) -> str:
        return "24"


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """Tiny runs pass no gate."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return unclip.train(World(scenes=64), tmp_path_factory.mktemp("api") / "run", config=short(2), force=True)


def test_a_data_set_of_ones_own_becomes_a_model(tmp_path: Path) -> None:
    events: list[Event] = []
    out = unclip.train(Stripes(), tmp_path / "mine", config=short(1), force=True, on_event=events.append)
    assert out == tmp_path / "mine"
    assert [e.stage for e in events if isinstance(e, Gate)] == list(STAGES)
    assert any(isinstance(e, Note) and "24 pairs (stripes)" in e.text for e in events)
    [picture] = unclip.load(out).generate(["across"])
    assert picture.size == (32, 32)
    with pytest.raises(ValueError, match="was begun with other data"):
        unclip.train(World(scenes=24), out, config=short(1), force=True)


def test_what_on_event_raises_ends_it_saved_and_the_same_call_continues(tmp_path: Path, run: Path) -> None:
    def once(event: Event) -> None:
        if isinstance(event, Progress) and event.stage == "prior":
            raise KeyError("mine")

    world, config = World(scenes=64), replace(short(2), checkpoint_seconds=1000.0)
    with pytest.raises(KeyError, match="mine"):
        unclip.train(world, tmp_path / "cut", config=config, force=True, on_event=once)
    assert RunFolder(tmp_path / "cut").checkpoint("prior")[0].is_dir()
    unclip.train(world, tmp_path / "cut", config=config, force=True)
    assert all(losses(tmp_path / "cut", stage) == losses(run, stage) for stage in STAGES)


def test_ctrl_c_saves_and_raises(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stopped(*given: object) -> Iterator[Event]:
        stop = given[3]
        assert isinstance(stop, threading.Event)
        os.kill(os.getpid(), signal.SIGINT)
        assert stop.wait(5)
        yield Stopped("clip")

    monkeypatch.setattr(api.recipe, "train_stages", stopped)
    with pytest.raises(KeyboardInterrupt):
        unclip.train(World(scenes=64), tmp_path / "run", config=short(1))


def test_it_trains_in_another_thread_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api.recipe, "train_stages", lambda *given: (event for event in ()))
    found: list[Path] = []
    thread = threading.Thread(target=lambda: found.append(unclip.train("shapes", tmp_path / "run")))
    thread.start()
    thread.join()
    assert found == [tmp_path / "run"]


def test_a_stage_that_does_not_pass_is_said(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"the stage clip did not pass: .*force=True"):
        unclip.train(World(scenes=64), tmp_path / "run", config=short(1))
    with pytest.warns(UserWarning, match="the stage decoder did not pass"):
        unclip.train(World(scenes=64), tmp_path / "run", config=short(1), force=True)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[object, RunConfig]]:
    """The data and settings that a run was to be trained with."""
    found: list[tuple[object, RunConfig]] = []

    def train(source: object, folder: Path, config: RunConfig, *rest: object) -> Iterator[Event]:
        found.append((source, config))
        yield from ()

    monkeypatch.setattr(api.recipe, "train_stages", train)
    return found


def test_settings(tmp_path: Path, asked: list[tuple[object, RunConfig]]) -> None:
    unclip.train("shapes", tmp_path / "a", budget="90s")
    assert asked[-1] == (World(32), replace(PRESETS["tiny"](32), budget=90.0))
    unclip.train(Stripes(), tmp_path / "b", preset="ddpm-cifar10", size=16, budget=5.0)
    config = asked[-1][1]
    assert (config.model, config.size, config.budget, config.of(DDPMRecipe).train.steps) == ("ddpm", 16, 5.0, 0)
    assert not config.of(DDPMRecipe).flip
    for wrong, why in (
        ({"preset": "tinny"}, "preset = 'tinny': known are tiny, "),
        ({"budget": "30"}, "budget: '30' has no unit"),
        ({"budget": 0.0}, "budget: .* not a length of time"),
        ({"config": short(1), "size": 32}, "size: config says this, too"),
        ({"size": 48}, "size = 48: the decoder draws 32 or 64 px"),
    ):
        with pytest.raises(ValueError, match=why):
            unclip.train("shapes", tmp_path / "c", **wrong)
    with pytest.raises(ValueError, match="no such file or folder"):
        unclip.train(tmp_path / "none", tmp_path / "c")


def test_a_run_that_is_begun_keeps_its_settings(run: Path, asked: list[tuple[object, RunConfig]]) -> None:
    stored = stored_config(run / "run.toml")
    unclip.train(World(scenes=64), run)
    assert asked[-1][1] == stored
    faster = replace(short(2), workers=1)
    unclip.train(World(scenes=64), run, config=faster)  # what belongs to the machine may change
    assert asked[-1][1] == faster
    for other, why in (
        ({"budget": "5m"}, "budget = 5m00s, but .* was begun with budget = 30m00s; leave it out"),
        ({"config": replace(short(2), seed=4)}, "seed = 4, but .* was begun with seed = 0"),
        ({"preset": "ddpm-fast"}, "model = 'ddpm', but .* was begun with model = 'unclip'"),
    ):
        with pytest.raises(ValueError, match=why):
            unclip.train(World(scenes=64), run, **other)


def test_scores_are_those_of_the_command(run: Path, tmp_path: Path) -> None:
    scores = unclip.evaluate(run, n=4)
    with suppress(SystemExit):
        app(["evaluate", str(run), "-n", "4", "--json", str(tmp_path / "s.json")])
    assert json.loads(json.dumps(scores)) == json.loads((tmp_path / "s.json").read_text(encoding="utf-8"))["scores"]
    assert {"retrieval", "prior", "clip_score", "copies"} <= set(scores)


def test_a_run_is_asked_for_the_pairs_that_it_has_not_seen(run: Path, tmp_path: Path) -> None:
    other = tmp_path / "packed"
    pack_run(run, other)
    state = json.loads((other / "state.json").read_text(encoding="utf-8"))
    metrics = state["data"]["metrics"]
    assert metrics["pairs"] == 64 and metrics["unseen_pairs"] == sorted(map(list, World().unseen_pairs))
    state["data"]["metrics"]["unseen_pairs"] = sorted(World(seed=4).unseen_pairs)  # as if that was its world
    (other / "state.json").write_text(json.dumps(state), encoding="utf-8")
    about = {"pairs": ["red circle", "yellow square", "purple triangle", "green cross"], "set": 4, "pool": "test"}
    scores = unclip.evaluate(other, "shapes", n=2)
    assert scores["unseen_pairs"] == about and list(scores["one_unseen"]["whole"]["by_pair"]) == about["pairs"]


def test_scores_on_other_data(run: Path) -> None:
    exact = unclip.evaluate(run, World(), n=2)
    assert exact["one_seen"]["whole"]["n"] == 2 and exact["one_unseen"]["whole"]["n"] == 4
    assert exact["unseen_pairs"]["set"] == 0 and len(exact["one_unseen"]["whole"]["by_pair"]) == 4
    assert exact["geneval"]["counting"]["n"] == 6
    assert unclip.evaluate(run, Stripes(), n=2)["retrieval"]["pictures"] == 24
    with pytest.raises(ValueError, match="n = 1: a score needs at least 2 images"):
        unclip.evaluate(run, n=1)
    with pytest.raises(ValueError, match="bits/dim"):
        unclip.evaluate(run, bpd=8)
