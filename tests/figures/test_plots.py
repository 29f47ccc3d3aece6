import json
import math
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from unclip.figures import plots

RATE = {"fraction": 0.5, "error": 0.05, "n": 100}
NONE = {"fraction": math.nan, "error": math.nan, "n": 0}


def log(path: Path, losses: list[float | None]) -> Path:
    lines = [{"step": i + 1, "loss": loss, "elapsed": i * 0.1} for i, loss in enumerate(losses)]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return path


def test_smoothing_keeps_level_and_length():
    assert plots.smoothed([2.0] * 300) == pytest.approx(np.full(300, 2.0))
    assert plots.smoothed([3.0]) == pytest.approx([3.0])
    assert len(plots.smoothed([1.0] * 7)) == 7
    noisy = np.tile([0.0, 2.0], 200)
    assert plots.smoothed(noisy.tolist())[20:-20] == pytest.approx(np.ones(360), abs=0.05)


def test_loss_curves(tmp_path: Path):
    logs = {
        "clip": log(tmp_path / "clip.jsonl", [4.0, None, 3.0, 2.9] * 20),
        "prior": log(tmp_path / "prior.jsonl", [1.0]),
        "decoder": log(tmp_path / "decoder.jsonl", [math.exp(-i / 50) for i in range(300)]),
        "empty": tmp_path / "none.jsonl",
        "negative": log(tmp_path / "negative.jsonl", [-1.0, -2.0, -3.0]),
    }
    plots.loss_curves(logs, tmp_path / "plots" / "loss.png")
    with Image.open(tmp_path / "plots" / "loss.png") as picture:
        assert picture.width > 5 * 300


def test_bars(tmp_path: Path):
    scores = {
        "one_seen": {"whole": RATE, "objects": RATE, "relation_given_objects": NONE},
        "relation": {"whole": RATE, "objects": RATE, "relation_given_objects": RATE},
        "empty": {"whole": NONE, "objects": NONE},
    }
    plots.bars(scores, tmp_path / "bars.png")
    plots.bars({"one_seen": scores["one_seen"]}, tmp_path / "few.png")
    assert (tmp_path / "bars.png").stat().st_size > 5000


def test_without_matplotlib(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    for name in [name for name in sys.modules if name.partition(".")[0] == "matplotlib"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert not plots.available()
    with pytest.raises(ValueError, match=r"plots need matplotlib: .* -m pip install matplotlib"):
        plots.loss_curves({}, tmp_path / "x.png")


def test_with_matplotlib():
    assert plots.available()
