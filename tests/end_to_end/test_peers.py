"""The side by side of benchmarks/peers.py in small: each peer trains, is stopped, goes on, draws and is scored."""

import importlib.util
import json
import sys
from pathlib import Path

import numpy as np
import pytest

from unclip.data.loader import to_tensor
from unclip.images.files import save_picture, to_pictures

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"
OTHERS = {"diffusers": "diffusers", "denoising-diffusion-pytorch": "denoising_diffusion_pytorch"}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("peers")
    pixels = np.random.default_rng(0).integers(0, 256, (60, 16, 16, 3), dtype=np.uint8)
    for number, picture in enumerate(to_pictures(to_tensor(pixels))):
        save_picture(picture, folder / f"{number}.png")
    return folder


@pytest.fixture
def run(monkeypatch, data, tmp_path):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    peers, campaign, drawing = map(importlib.import_module, ("peers", "peer_kinds.campaign", "peer_kinds.drawing"))
    monkeypatch.setattr(campaign, "MARKS", (9, 30))
    monkeypatch.setattr(drawing, "DRAWN", 32)
    monkeypatch.setattr(drawing, "STEPS", (3,))

    def typed(what: str, *words: str) -> Path:
        names = words[:2] if what != "score" else ()
        line = [*names, str(data), str(tmp_path), "--size", "16", "--horizon", "0.01", *words[len(names) :]]
        monkeypatch.setattr(sys, "argv", ["peers.py", what, *line])
        peers.main()
        return tmp_path

    return typed


@pytest.mark.parametrize("name", ["ours", *OTHERS])
def test_a_peer_is_stopped_goes_on_and_is_scored(run, name, capsys):
    if name in OTHERS and importlib.util.find_spec(OTHERS[name]) is None:
        pytest.skip(f"{name} is not installed: pip install --no-deps -r benchmarks/peers-requirements.txt")
    place = run("train", name, "tiny", "--minutes", "0.003", "--later") / f"{name}-tiny"
    steps = json.loads((place / "record.json").read_text(encoding="utf-8"))["steps"]
    assert steps > 0
    assert not (place / "pictures").exists()
    run("train", name, "tiny", "--minutes", "0.01")
    record = json.loads((place / "record.json").read_text(encoding="utf-8"))
    assert record["steps"] > steps
    assert record["peak_mb"] > 1
    run("draw", name, "tiny")
    assert f"{name}-tiny: at step {steps:,}" in capsys.readouterr().out
    out = run("score")
    (row,) = json.loads((out / "scores.json").read_text(encoding="utf-8"))["peers"]
    assert [(p["minutes"], p["steps"]) for p in row["pictures"]][-2:] == [(0.01, 2), (0.01, 3)]
    assert all(p["supervised"]["kid"]["error"] > 0 for p in row["pictures"])
    printed = capsys.readouterr().out
    assert f"| {name} tiny | 0.01 | " in printed


def test_what_would_take_too_long_is_not_drawn_and_says_so(run, capsys):
    run("train", "ours", "tiny", "--minutes", "0.01", "--most", "0.001")
    run("score")
    assert "too slow" in capsys.readouterr().out
    with pytest.raises(SystemExit, match=r"--minutes 1: more than 0, and at most --horizon 0.01"):
        run("train", "ours", "tiny", "--minutes", "1")
