"""`unclip compare` as it is typed, with fakes for the runs."""

import json
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
import torch
from tests.cli.conftest import Call

from unclip.core.noise import Noise
from unclip.generation.base import ImageModel
from unclip.studies import compare as study


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two runs of which the second draws what is held out, and the first noise."""
    real = torch.nn.functional.avg_pool2d(Noise.shared(0).normal((40, 3, 20, 20)), 5, 1).clamp(-1, 1)

    def drawn(root: Path, captions: Any, asked: Any) -> study.Drawn:
        made = real.flip(-1) if root.name == "good" else Noise.shared(1).normal(real.shape).clamp(-1, 1)
        return study.Drawn(root, Mock(spec=ImageModel), made)

    monkeypatch.setattr(study, "shared", lambda roots, asked: ([""] * 40, real))
    monkeypatch.setattr(study, "_draw", drawn)
    monkeypatch.setattr(study, "of_families", lambda roots: False)


def test_the_difference_has_its_own_error(call: Call, runs: None, tmp_path: Path) -> None:
    done = call("compare", tmp_path / "bad", tmp_path / "good", "--features", "random", "--json", tmp_path / "c.json")
    assert done.code == 0, done.err
    assert "KID, random" in done.out and "z" in done.out
    row = json.loads((tmp_path / "c.json").read_text(encoding="utf-8"))["scores"]["KID, random"]
    assert row["difference"]["mean"] == pytest.approx(row["second"]["mean"] - row["first"]["mean"], abs=1e-6)
    assert row["z"] < -3 and row["difference"]["high"] < 0


def test_what_cannot_be_compared_is_said(call: Call, tmp_path: Path) -> None:
    assert "none" in call("compare", tmp_path / "none", tmp_path / "nothing").err
    assert "n = 1: a comparison needs at least 2" in call("compare", tmp_path / "a", tmp_path / "b", "-n", 1).err
