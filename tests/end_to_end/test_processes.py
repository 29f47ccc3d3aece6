"""Several processes train as one: the same losses, whoever has which part of a batch; one that is killed is started
again. benchmarks/campaign.py does the same with more steps, processes and kills."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.paint import folder
from tests.processes import main, runs, train
from tests.short import losses

from unclip.runs.folder import RunFolder
from unclip.training.checkpoint import read_log

STEPS = 5
STAGES = {"unclip": ("clip", "prior", "decoder"), "latent": ("clip", "autoencoder", "latent")}
KINDS = ("unclip", "latent", "ddpm", "vae", "flow", "gan", "dropout", "loss-aware")


def together(count: int, *words: object, restarts: int = 0) -> int:
    """The exit code of torchrun."""
    start = [sys.executable, "-m", "torch.distributed.run", "--nnodes", "1", "--rdzv-backend", "c10d"]
    start += ["--rdzv-endpoint", "localhost:0", "--nproc-per-node", str(count), "--max-restarts", str(restarts)]
    environ = {**os.environ, "OMP_NUM_THREADS": "1", "TORCH_DISABLE_SHARE_RDZV_TCP_STORE": "1"}
    command = [*start, "-m", "tests.processes", *map(str, words)]
    return subprocess.run(command, env=environ, timeout=600, stderr=subprocess.DEVNULL).returncode


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return folder(tmp_path_factory.mktemp("painted") / "data")


@pytest.fixture(scope="module")
def single(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All runs, by one process."""
    out = tmp_path_factory.mktemp("one")
    main(data, out, STEPS)
    return out


@pytest.fixture(scope="module")
def double(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All runs, by two."""
    out = tmp_path_factory.mktemp("two")
    assert together(2, data, out, STEPS) == 0
    return out


@pytest.mark.parametrize("kind", KINDS)
def test_two_processes_train_as_one(kind: str, single: Path, double: Path):
    for stage in STAGES.get(kind, ("ddpm",) if kind in ("dropout", "loss-aware") else (kind,)):
        one, two = (list(read_log(RunFolder(out / kind).logs / f"{stage}.jsonl")) for out in (single, double))
        assert len(one) == len(two) == STEPS
        for name, near in (("loss", 1e-5), ("grad_norm", 1e-4)):
            assert [line[name] for line in two] == pytest.approx([line[name] for line in one], rel=near), (stage, name)


def test_a_killed_process_is_started_again_and_nothing_is_lost(data: Path, single: Path, tmp_path: Path):
    assert together(2, data, tmp_path, STEPS, "prior:3", restarts=1) == 0
    assert (tmp_path / "killed").exists()
    for stage in STAGES["unclip"]:
        wanted = [(step, pytest.approx(loss, rel=1e-5)) for step, loss in losses(single / "unclip", stage)]
        assert losses(tmp_path / "unclip", stage) == wanted


def test_what_two_began_one_ends(data: Path, single: Path, tmp_path: Path):
    assert together(2, data, tmp_path, STEPS, "decoder:3") != 0
    source, config = runs(data, STEPS)["unclip"]
    train(source, tmp_path / "unclip", config)
    wanted = [(step, pytest.approx(loss, rel=1e-5)) for step, loss in losses(single / "unclip", "decoder")]
    assert losses(tmp_path / "unclip", "decoder") == wanted
