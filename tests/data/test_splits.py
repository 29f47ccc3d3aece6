"""Training, validation and test: disjoint, stable when data is added, and never parted copies."""

from pathlib import Path

import numpy as np
import pytest
from tests import arrays

from unclip.data.prepare.splits import Splits, copies, split_rows, splits_of_keys
from unclip.data.prepare.splits_file import read_splits, write_splits


def keys(n: int) -> list[str]:
    return [f"{number}.png" for number in range(n)]


def alone(n: int) -> np.ndarray:
    """Every image a group of its own."""
    return np.arange(n)


def sides(splits: Splits) -> list[set[int]]:
    return [set(rows.tolist()) for rows in (splits.train, splits.validation, splits.test)]


@pytest.mark.parametrize("seed", range(60))
def test_every_image_is_in_one_split_and_groups_are_whole(seed: int) -> None:
    rng = np.random.default_rng(seed)
    n, held_out = int(rng.integers(2, 300)), rng.random() / 2
    of = rng.integers(0, max(2, n // int(rng.integers(1, 40))), n)
    found = sides(split_rows(keys(n), of, held_out, maximum=50))
    assert sorted(row for side in found for row in side) == list(range(n))
    assert all(found[:2]) or len(set(of.tolist())) == 1, "something to train on, and something to judge by"
    assert all(len({which for which, side in enumerate(found) if side & set(np.flatnonzero(of == g))}) <= 1 for g in of)


def test_an_image_stays_where_it_is_when_data_is_added() -> None:
    few, many = (split_rows(keys(n), alone(n), 0.1) for n in (400, 600))
    for split in ("validation", "test"):
        assert set(few.of(split)) == {row for row in many.of(split) if row < 400}
        assert 20 <= len(few.of(split)) <= 60
    assert set(split_rows(keys(600), alone(600), 0.1, seed=1).test) != set(many.test)


def test_copies_of_an_image_stay_together(tmp_path: Path) -> None:
    images = np.random.default_rng(0).integers(0, 256, (40, 4, 4, 3), dtype=np.uint8).repeat(3, axis=0)
    data = arrays.prepared(tmp_path, list(images), [(f"{number}.png",) for number in range(120)], ".png")
    found = split_rows(data.keys, copies(data), held_out=0.2)
    for rows in (found.train, found.validation, found.test):
        assert len(rows) == 3 * len({row // 3 for row in rows.tolist()})


def test_sizes() -> None:
    sized = [[len(s) for s in sides(split_rows(keys(40), alone(40), share, maximum=8))] for share in (0.0, 0.5)]
    assert sized == [[38, 1, 1], [24, 8, 8]]
    assert [[len(s) for s in sides(split_rows(keys(n), alone(n), 0.05))] for n in (2, 3, 4)] == [
        [1, 1, 0],
        [2, 1, 0],
        [2, 1, 1],
    ]
    with pytest.raises(ValueError, match="at least 2"):
        split_rows(keys(1), alone(1), 0.05)
    with pytest.raises(ValueError, match="held_out is 0.9"):
        split_rows(keys(9), alone(9), 0.9)
    with pytest.raises(ValueError, match='split is "all"; it must be train, validation or test'):
        split_rows(keys(9), alone(9), 0.1).of("all")


def test_a_crowd_of_near_copies_is_trained_on() -> None:
    groups = np.concatenate([np.zeros(100, dtype=np.int64), np.arange(1, 101)])
    found = split_rows(keys(200), groups, 0.3)
    assert set(range(100)) <= set(found.train) and len(found.validation) > 10 and len(found.test) > 10
    one = split_rows(keys(200), np.arange(200) % 2, 0.1)  # nothing but crowds: one of them is held out
    assert sorted(map(len, sides(one))) == [0, 100, 100]


def test_they_are_kept_and_found_at_another_size(tmp_path: Path) -> None:
    splits = split_rows(keys(50), alone(50), 0.1)
    write_splits(tmp_path / "splits.json", splits, {"held_out": 0.1})
    again = read_splits(tmp_path / "splits.json", 50)
    assert sides(again) == sides(splits)
    larger = splits_of_keys(splits, keys(50), keys(50)[::-2])
    assert {49 - 2 * row for row in larger.test.tolist()} == {row for row in splits.test.tolist() if row % 2}
    with pytest.raises(ValueError, match=r"splits.json: is of other data \(50 images, not 60\)"):
        read_splits(tmp_path / "splits.json", 60)
    (tmp_path / "splits.json").write_text('{"images": 50, "validation": [3, 77], "test": []}', encoding="utf-8")
    with pytest.raises(ValueError, match="validation: expected numbers of images below 50"):
        read_splits(tmp_path / "splits.json", 50)
