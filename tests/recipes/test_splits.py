"""The splits of a run: near-copies on one side, and what a run of before was trained on stays."""

from pathlib import Path

import numpy as np
from PIL import Image

from unclip.data import World, open_source
from unclip.data.prepare.splits import SHARE, copies, split_rows
from unclip.data.prepare.write import Prepared, prepare
from unclip.judges.own_images import OwnImages
from unclip.recipes.events import Note
from unclip.recipes.settings.run import RunConfig
from unclip.recipes.splits import settle_splits, splits_of
from unclip.runs.folder import RunFolder

CONFIG = RunConfig(held_out=0.25)


def families(place: Path) -> Prepared:
    """Forty drawings in three tints each, as a folder of pictures."""
    folder = place / "pictures"
    folder.mkdir()
    for i, (image, *_) in enumerate(World(32).sample(40, 0)):
        for j, tint in enumerate((0, 4, 8)):
            pixels = np.clip(image.astype(int) - np.array([tint, 0, 0]), 0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(folder / f"{i:02d}-{j}.png")
            (folder / f"{i:02d}-{j}.txt").write_text(f"drawing {i}", encoding="utf-8")
    return prepare(open_source(folder), place / "data", 32)


def drawing(prepared: Prepared, rows: np.ndarray) -> set[str]:
    return {prepared.captions[row][0] for row in rows}


def test_near_copies_stay_on_one_side_and_are_told_of(tmp_path: Path) -> None:
    prepared, run = families(tmp_path), RunFolder(tmp_path / "run")
    run.root.mkdir()
    with run.writing():
        told = [event.text for event in settle_splits(run, prepared, CONFIG) if isinstance(event, Note)]
    splits = splits_of(run, prepared, CONFIG)
    sides = [drawing(prepared, rows) for rows in (splits.train, splits.validation, splits.test)]
    assert len(set.union(*sides)) == sum(map(len, sides)) == 40
    assert told[0].startswith("! 80 of 120 images are nearly the same as an earlier one") and len(told) == 2
    by_pixels = split_rows(prepared.keys, copies(prepared), CONFIG.held_out)
    assert drawing(prepared, by_pixels.train) & drawing(prepared, by_pixels.validation)


def test_a_run_of_before_keeps_what_it_was_trained_on(tmp_path: Path) -> None:
    prepared, run = families(tmp_path), RunFolder(tmp_path / "run")
    run.root.mkdir()
    with run.writing():
        run.finish("data", {"passed": True, "why": "", "metrics": {"images": 120}})
        assert list(settle_splits(run, prepared, CONFIG)) == []
    splits, before = splits_of(run, prepared, CONFIG), split_rows(prepared.keys, copies(prepared), CONFIG.held_out)
    assert splits.validation.tolist() == before.validation.tolist() and len(splits.test) == 0
    assert sorted([*splits.train, *splits.validation]) == list(range(120))


def test_a_judge_of_ones_own_images_leaves_out_what_a_run_will_hold_out(tmp_path: Path) -> None:
    prepared = families(tmp_path)
    own = OwnImages(tmp_path / "data", 8, 0, labelled=False)
    assert own.rows.tolist() == splits_of(RunFolder(tmp_path / "run"), prepared, RunConfig()).train.tolist()
    assert own.rows.tolist() != split_rows(prepared.keys, copies(prepared), SHARE).train.tolist()
