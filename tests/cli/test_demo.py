import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.cli.conftest import Call

from unclip.recipes.events import Event, Gate, Note, Stopped
from unclip.studies import demo as recipe


@pytest.mark.parametrize("last, code", [(Note("score", "x"), 0), (Gate("clip", False, "x"), 0), (Stopped("clip"), 130)])
def test_demo(call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, last: Event, code: int):
    asked: list[tuple[Path, float]] = []

    def demo(folder: Path, budget: float, stop: threading.Event) -> Iterator[Event]:
        asked.append((folder, budget))
        yield last

    monkeypatch.setattr(recipe, "demo", demo)
    done = call("demo", "--out", tmp_path / "d", "--budget", "2m")
    assert (done.code, asked) == (code, [(tmp_path / "d", 120.0)])
    assert ("report.html" in done.out) == (code == 0)


def test_a_bad_budget(call: Call):
    assert "write it like 90s" in call("demo", "--budget", "fast").err


def test_its_prompts_are_of_pairs_that_its_images_never_show():
    world, asked = recipe.demo_world(), recipe.unseen_prompts()
    assert {prompt.unseen for prompt in asked} == world.unseen_pairs
    shown = {kind[1::-1] for _, _, scene in world.sample(500) for kind in scene.kinds}
    assert len(shown) == 20 and shown.isdisjoint(world.unseen_pairs)
    assert all(len(scene.kinds) < 3 for _, _, scene in world.sample(50))
