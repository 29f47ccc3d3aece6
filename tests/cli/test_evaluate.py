"""`unclip evaluate` with fakes for the model and the scores."""

import io
import json
from dataclasses import asdict
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock

import numpy as np
import pytest
from rich.console import Console
from tests.cli.conftest import Call

from unclip.cli.measurement import evaluate as command
from unclip.data.loader import to_tensor
from unclip.data.prepare.write import prepare
from unclip.data.shapes.captions import scored_prompts
from unclip.data.shapes.rates import geneval, rates
from unclip.data.shapes.score import score_each
from unclip.data.shapes.world import Scene, World
from unclip.data.source import open_source
from unclip.evaluation import suite
from unclip.generation import load
from unclip.generation.captioned import CaptionedModel
from unclip.recipes.api import evaluate as api
from unclip.recipes.api import judged_data

SCORES = {"retrieval": {"r1": 0.25, "pictures": 4}, "kid": {"own_clip": 0.0123}}
WORLD = World(seed=3)
ASKED = scored_prompts(WORLD, 8)
PROMPTS = [prompt for prompt, _ in ASKED]
SCENES = [scene if prompt.category in ("one_seen", "relation") else Scene(()) for prompt, scene in ASKED]
READ = score_each([WORLD.draw(scene) for scene in SCENES], PROMPTS)
EXACT = {
    **{c: {k: asdict(rate) for k, rate in metrics.items()} for c, metrics in rates(PROMPTS, READ).items()},
    "geneval": {k: asdict(rate) for k, rate in geneval(PROMPTS, READ).items()},
    "unseen_pairs": {"pairs": ["black circle"], "set": 3, "pool": "test"},
}
"""Of a model that is right in what it has seen alone, and in relations."""


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What the suite was asked."""
    asked: dict[str, Any] = {}
    model = Mock(spec=CaptionedModel, hash="abc", size=32)

    def score_pairs(model: Any, judged: Any, trained: Any, judges: Any, how: api.Scoring, large: Any) -> api.Evaluation:
        asked.update(rows=judged[1].tolist(), n=how.n, seed=how.seed)
        return api.Evaluation(SCORES)

    monkeypatch.setattr(load, "load", lambda _, **__: model)
    monkeypatch.setattr(api, "score_pairs", score_pairs)
    monkeypatch.setattr(api, "trained_on", lambda run, other, seed: (other, np.array([0])))
    monkeypatch.setattr(suite, "evaluate_shapes", lambda model, world, n, seed: EXACT)
    monkeypatch.setattr(
        judged_data, "rows_of", lambda run, prepared, split: np.array({"test": [3, 5], "validation": [2, 4]}[split])
    )
    return asked


def test_a_data_set(call: Call, asked: dict[str, Any], tmp_path: Path):
    call("shapes", tmp_path / "other", "-n", 6)
    done = call(
        "evaluate", tmp_path / "run", "--data", tmp_path / "other", "-n", 5, "--seed", 2, "--json", tmp_path / "s.json"
    )
    assert done.code == 0, done.err
    assert asked == {"rows": [0, 1, 2, 3, 4, 5], "n": 5, "seed": 2}
    assert "retrieval" in done.out
    assert "0.25" in done.out
    kept = json.loads((tmp_path / "s.json").read_text(encoding="utf-8"))
    assert (kept["scores"], kept["n"], kept["model"]) == (SCORES, 5, "abc")


@pytest.mark.parametrize("named", [True, False])
def test_its_own_data_means_its_test_pairs(call: Call, asked: dict[str, Any], tmp_path: Path, named: bool):
    call("shapes", tmp_path / "mine", "-n", 6)
    prepare(open_source(tmp_path / "mine"), tmp_path / "run" / "data", 32)
    done = call("evaluate", tmp_path / "run", *(["--data", tmp_path / "mine"] if named else []))
    assert done.code == 0, done.err
    assert asked["rows"] == [3, 5]
    assert call("evaluate", tmp_path / "run", "--split", "validation").code == 0 and asked["rows"] == [2, 4]
    assert "all" in call("evaluate", tmp_path / "run", "--split", "all").err


def test_shapes_are_scored_exactly(call: Call, asked: dict[str, Any], tmp_path: Path):
    done = call("evaluate", tmp_path / "run", "--data", "shapes", "--json", tmp_path / "s.json")
    assert done.code == 0, done.err
    assert "nan" not in done.out
    lines = [" ".join(line.split()) for line in done.out.splitlines()]
    assert "one_seen 8 100.0% ± 0.0% 100% 100% 100% 100% 100%" in lines
    assert "one_unseen 8 0.0% ± 0.0% ± 0.0% 0% 0% 0% 0% 0%" in lines
    assert "pairs never seen: set 3 of 0 to 5, test pool" in lines
    assert "whole scene right black circle blue square yellow triangle red cross" in lines
    assert "relation, of the images that have both objects right: right in 100.0% ± 0.0% of 8 (chance 25%)" in lines
    assert "position 100.0% ± 0.0% 8" in lines and "counting 33.3% ± 9.6% 24" in lines
    assert lines[lines.index("geneval right n") + 7].startswith("overall 55.6% ±")
    assert (
        json.loads((tmp_path / "s.json").read_text(encoding="utf-8"))["scores"]["one_seen"]["relation"]["fraction"]
        is None
    )


def test_what_a_table_of_shapes_cannot_know():
    world = World(held_out=frozenset({("red", "circle")}))
    prompts = [prompt for prompt, _ in scored_prompts(world, 2)]
    read = score_each([world.draw(Scene(()))] * len(prompts), prompts)
    scores = {c: {k: asdict(rate) for k, rate in metrics.items()} for c, metrics in rates(prompts, read).items()}
    six = {k: asdict(rate) for k, rate in geneval(prompts, read).items()}
    console = Console(width=200, record=True, file=io.StringIO())
    pairs = {"pairs": ["red circle"], "set": None, "pool": None}
    console.print(command.table({**scores, "geneval": six, "unseen_pairs": pairs}))
    said = console.export_text()
    assert "nan" not in said and "pairs never seen: red circle" in said
    assert "both objects right: unknown: there are none (chance 25%)" in said


def test_errors(call: Call, asked: dict[str, Any], tmp_path: Path):
    assert "no such file" in call("evaluate", tmp_path / "run", "--data", tmp_path / "none").err
    assert "at least 2 images" in call("evaluate", tmp_path / "run", "-n", 1).err
    assert "holds a text-to-image model" in call("evaluate", tmp_path / "run", "--bpd").err
    assert "at least 2 images" in call("evaluate", tmp_path / "run", "--bpd", "--bpd-pictures", 1).err


def test_one_picture_is_refused(call: Call, asked: dict[str, Any], tmp_path: Path):
    call("shapes", tmp_path / "other", "-n", 1)
    lines = (tmp_path / "other" / "metadata.jsonl").read_text(encoding="utf-8").splitlines()
    (tmp_path / "other" / "metadata.jsonl").write_text(lines[0] + "\n", encoding="utf-8")
    done = call("evaluate", tmp_path / "run", "--data", tmp_path / "other")
    assert done.code == 2
    assert "1 image to judge on, and a score needs at least 2" in done.err
    assert not asked


def test_what_equal_captions_cannot_tell(monkeypatch: pytest.MonkeyPatch):
    metrics = {"r1": 1.0}
    monkeypatch.setattr(suite, "score_clip", lambda *given: metrics)
    monkeypatch.setattr(suite, "score_classes", lambda *given: {})
    monkeypatch.setattr(suite, "_own", lambda *given: {"prior": metrics})
    scores = {"clip_score": metrics, "kid": metrics, "roughness": metrics}
    monkeypatch.setattr(suite, "score_pictures", lambda *given: scores)
    monkeypatch.setattr(suite, "among_all", lambda *given: {"real": metrics})
    model: Any = SimpleNamespace(embed_images=lambda images: images.flatten(1), sees=True)

    def asked(captions: list[str], n: int) -> dict[str, Any]:
        images = np.zeros((len(captions), 8, 8, 3), np.uint8)
        prepared: Any = SimpleNamespace(captions=[(c,) for c in captions], images=images)
        return suite.evaluate_pairs.__wrapped__(model, prepared, np.arange(len(captions)), to_tensor(images[:n]))  # pyright: ignore

    same = asked(["a cat"] * 3, 3)
    assert {same[name] for name in ("retrieval", "prior", "clip_score")} == {suite.UNKNOWN}
    assert same["kid"] == same["roughness"] == metrics
    few = asked(["a cat", "a cat", "a dog"], 2)
    assert few["retrieval"] == metrics and few["clip_score"] == suite.UNKNOWN
    assert suite.UNKNOWN not in asked(["a cat", "a dog"], 2).values()
    printed = command.plain(same)
    assert suite.UNKNOWN in "".join(cell for column in printed.columns for cell in column.cells)  # pyright: ignore
