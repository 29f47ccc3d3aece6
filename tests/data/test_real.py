"""The real data sets of the project, where they are at hand."""

from pathlib import Path

import pytest

from unclip.data.prepare.inspect import inspect_source
from unclip.data.prepare.write import prepare
from unclip.data.source import open_source


def test_emoji(real_data: Path) -> None:
    source = open_source(real_data / "emoji")
    assert source.kind == "image folder with metadata.jsonl"
    items = list(source)
    assert (len(items), sum(item.problem is not None for item in items)) == (3291, 0)
    report = inspect_source(source, limit=300)
    assert (report.pairs, report.bad, report.image_size[1]) == (300, 0, (128, 128))


@pytest.mark.parametrize(("split", "pairs"), [("train", 50_000), ("validation", 5_000)])
def test_cifar10(real_data: Path, split: str, pairs: int) -> None:
    pytest.importorskip("pyarrow")
    assert sum(item.problem is None for item in open_source(real_data / "cifar10", split)) == pairs


def test_prepare_cifar10(real_data: Path, tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    found = prepare(open_source(real_data / "cifar10", "validation"), tmp_path, 32)
    assert found.images.shape == (5000, 32, 32, 3)
    assert found.report.distinct_captions == 10
