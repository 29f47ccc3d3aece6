"""A run of drawn shapes finds its own world again: the pairs that its images never show."""

import json
from pathlib import Path

import pytest

from unclip.data.shapes.pairs import PAIR_SETS
from unclip.data.shapes.world import World
from unclip.runs.drawn import asked_world, drawn_world, unseen_pairs, unseen_record
from unclip.runs.folder import RunFolder


def trained(root: Path, kind: str, **metrics: object) -> RunFolder:
    run = RunFolder(root)
    run.data.mkdir(parents=True)
    (run.data / "prepared.json").write_text(json.dumps({"kind": kind}), encoding="utf-8")
    run.finish("data", {"passed": True, "why": "", "metrics": {"pairs": 9, **metrics}})
    return run


@pytest.mark.parametrize("world", [World(), World(seed=5), World(seed=2, held_out=frozenset({("red", "circle")}))])
def test_what_is_noted_of_a_world_is_found_again(tmp_path: Path, world: World) -> None:
    run = trained(tmp_path / "run", "drawn shapes", **unseen_record(world))
    assert unseen_pairs(run) == world.unseen_pairs
    found = drawn_world(run, 64)
    assert found is not None and (found.size, found.unseen_pairs) == (64, world.unseen_pairs)
    asked = asked_world(World(seed=1), run, 64)
    assert asked is not None and (asked.size, asked.unseen_pairs) == (64, world.unseen_pairs)


def test_a_world_that_names_its_pairs_is_asked_as_it_is(tmp_path: Path) -> None:
    run = trained(tmp_path / "run", "drawn shapes", **unseen_record(World(seed=5)))
    asked = asked_world(World(held_out=PAIR_SETS[1]), run, 32)
    assert asked is not None and asked.unseen_pairs == PAIR_SETS[1]


def test_older_runs_and_folders_of_shapes_leave_out_set_0(tmp_path: Path) -> None:
    old = trained(tmp_path / "old", "drawn shapes")
    assert drawn_world(old, 32) == World(held_out=PAIR_SETS[0])
    folder = trained(tmp_path / "folder", "folder with metadata")
    assert drawn_world(folder, 32) is None
    asked = asked_world(World(seed=3), folder, 32)
    assert asked is not None and asked.unseen_pairs == PAIR_SETS[0]


def test_a_damaged_note_is_named(tmp_path: Path) -> None:
    run = trained(tmp_path / "run", "drawn shapes", unseen_pairs=[["red"]])
    with pytest.raises(ValueError, match=r"state.json: data: unseen_pairs has \['red'\]; expected \[colour, shape\]"):
        unseen_pairs(run)
