"""The short forms of benchmarks/gpu.py, on whatever device is here, of benchmarks/train_speed.py and last_step.py."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from tests import short

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"


def test_each_network_is_measured(tmp_path: Path):
    told = tmp_path / "gpu.json"
    done = subprocess.run(
        [sys.executable, BENCHMARKS / "gpu.py", "--short", "--json", told], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(told.read_text(encoding="utf-8"))
    rows = {row["network"]: row for row in found["rows"]}
    assert list(rows) == ["ddpm", "clip", "decoder", "upsampler"] and found["peak_tflops"] > 0
    for name, row in rows.items():
        assert not row["failed"] and row["images_per_s"] > 0 and row["gflop"] > 0.05 and row["memory"] > 50, row
        assert row["share"] == pytest.approx(row["images_per_s"] * row["gflop"] / 1e3 / found["peak_tflops"])
        assert f"| {name} | 32 | 2 |" in done.stdout


def test_each_stage_of_the_tiny_preset_is_measured():
    words = ["--size", "32", "--batch", "2", "--steps", "1"]
    done = subprocess.run([sys.executable, BENCHMARKS / "train_speed.py", *words], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    rows = [line.split(" | ") for line in done.stdout.splitlines()[3:]]
    assert [row[0] for row in rows] == ["| clip", "| prior", "| decoder"]
    assert all(row[2] == "2" and float(row[3]) > 0.1 and float(row[4]) > 0 and row[-1].endswith("% |") for row in rows)


def test_where_the_last_step_begins_is_compared(tmp_path: Path):
    run, told = short.finished(tmp_path / "run"), tmp_path / "last.json"
    words = [run, "-n", "6", "--steps", "2", "--json", told]
    done = subprocess.run([sys.executable, BENCHMARKS / "last_step.py", *words], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(told.read_text(encoding="utf-8"))
    assert list(found) == ["0.01", "0.03", "0.1", "0.2"] and all(row["roughness"] > 0 for row in found.values())
    assert found["0.01"]["supervised difference"] == 0 != found["0.2"]["supervised difference"]
