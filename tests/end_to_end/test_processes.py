"""Several processes train as one: the same losses, whoever has which part of a batch; one that is killed is started
again. benchmarks/campaign.py does the same with more steps, processes and kills."""

import os
import re
import shutil
import socket
import subprocess
import sys
import threading
import warnings
from pathlib import Path

import pytest
from tests.processes import main, painted, runs, train
from tests.short import losses

from unclip.cli.main import app
from unclip.core.disk import store
from unclip.recipes.events import Progress
from unclip.recipes.run import train_stages
from unclip.runs.folder import RunFolder
from unclip.training.checkpoint import read_log

STEPS = 5
STAGES = dict.fromkeys(("unclip", "parts", "stream"), ("clip", "prior", "decoder")) | {
    "latent": ("clip", "autoencoder", "latent")
}
KINDS = ("unclip", "parts", "stream", "latent", "ddpm", "vae", "flow", "gan", "dropout", "loss-aware")


def together(
    count: int,
    *words: object,
    restarts: int = 0,
    what: tuple[str, ...] = ("-m", "tests.processes"),
    seconds: float = 600,
) -> int:
    """The exit code of torchrun; what it told stands in the report of a test that fails. what: it starts; seconds: it
    has."""
    start = [sys.executable, "-m", "torch.distributed.run", "--nnodes", "1", "--rdzv-backend", "c10d"]
    start += ["--rdzv-endpoint", "localhost:0", "--nproc-per-node", str(count), "--max-restarts", str(restarts)]
    environ = {**os.environ, "OMP_NUM_THREADS": "1"}
    if restarts:  # docs/processes.md; torchrun then names a port that was free, and another may take it meanwhile
        environ["TORCH_DISABLE_SHARE_RDZV_TCP_STORE"] = "1"
    command = [*start, *what, *map(str, words)]
    done = subprocess.run(command, env=environ, timeout=seconds, capture_output=True, text=True)
    print(done.stdout[-2000:], done.stderr[-30000:], sep="\n", file=sys.stderr)
    for died in re.findall(r"failed \(exitcode: -(?:6|11)\) local_rank: \d+", done.stderr):
        warnings.warn(f"below PyTorch a process of {words} {died} (docs/processes.md)", stacklevel=2)
    return done.returncode


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return painted(tmp_path_factory.mktemp("painted"))


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
    assert together(2, data, out, STEPS, restarts=2) == 0
    return out


@pytest.fixture(scope="module")
def sharded(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All runs, by two that share out the weights, too."""
    out = tmp_path_factory.mktemp("sharded")
    assert together(2, data, out, STEPS, "shard", restarts=2) == 0
    return out


@pytest.mark.parametrize("way", ["double", "sharded"])
@pytest.mark.parametrize("kind", KINDS)
def test_two_processes_train_as_one(kind: str, way: str, single: Path, request: pytest.FixtureRequest):
    together_out = request.getfixturevalue(way)
    for stage in STAGES.get(kind, ("ddpm",) if kind in ("dropout", "loss-aware") else (kind,)):
        one, two = (list(read_log(RunFolder(out / kind).logs / f"{stage}.jsonl")) for out in (single, together_out))
        assert len(one) == len(two) == STEPS
        for name, near in (("loss", 1e-5), ("grad_norm", 1e-4)):
            assert [line[name] for line in two] == pytest.approx([line[name] for line in one], rel=near), (stage, name)


def test_a_killed_process_is_started_again_and_nothing_is_lost(data: Path, single: Path, tmp_path: Path):
    """It may take a second start: torchrun's port may be taken meanwhile (docs/processes.md)."""
    assert together(2, data, tmp_path, STEPS, "prior:3", restarts=3) == 0
    assert (tmp_path / "killed").exists()
    for stage in STAGES["unclip"]:
        wanted = [(step, pytest.approx(loss, rel=1e-5)) for step, loss in losses(single / "unclip", stage)]
        assert losses(tmp_path / "unclip", stage) == wanted


def test_a_loss_that_is_not_finite_on_one_process_is_skipped_on_all(data: Path, tmp_path: Path):
    assert together(2, data, tmp_path, 26, "poison:2") == 0
    run = RunFolder(tmp_path / "ddpm")
    log = list(read_log(run.logs / "ddpm.jsonl"))
    assert [line["step"] for line in log if line["loss"] is None] == [3] and len(log) == 26
    assert run.state()["ddpm"]["metrics"]["skipped"] == 1
    [told] = [line for line in (tmp_path / "ddpm.notes").read_text(encoding="utf-8").splitlines() if "skipped" in line]
    batch = runs(data, STEPS)["ddpm"][1].recipes["ddpm"].train.batch
    assert told.startswith(f"! step 3 is skipped, its loss or gradient is not finite: row {batch // 2 + 1} ")
    assert ".png" in told


def test_three_such_steps_in_a_row_end_it(data: Path, tmp_path: Path):
    assert together(2, data, tmp_path, 40, "poison:30,31,32") != 0
    run = RunFolder(tmp_path / "ddpm")
    assert "ddpm" not in run.state()
    assert [line["step"] for line in read_log(run.logs / "ddpm.jsonl")][-1] == 33
    kept = [place for place in run.checkpoint("ddpm") if store.exists(place)]
    assert kept and all(value.isfinite().all() for place in kept for value in store.load(place).tensors.values())


@pytest.mark.parametrize("how", [(), ("shard",)])
def test_what_one_began_two_go_on_with_and_one_ends(
    how: tuple[str, ...], data: Path, single: Path, tmp_path: Path
) -> None:
    source, config = runs(data, STEPS)["unclip"]
    run, stop = tmp_path / "unclip", threading.Event()
    for event in train_stages(source, run, config, stop, force=True):
        if isinstance(event, Progress) and (event.stage, event.report.step) == ("prior", 2):
            stop.set()
    assert len(losses(run, "prior")) == 2
    assert together(2, data, tmp_path, STEPS, "decoder:3", *how) != 0
    assert len(losses(run, "prior")) == STEPS and len(losses(run, "decoder")) == 3
    train(source, run, config)
    for stage in STAGES["unclip"]:
        wanted = [(step, pytest.approx(loss, rel=1e-5)) for step, loss in losses(single / "unclip", stage)]
        assert losses(run, stage) == wanted


@pytest.mark.parametrize(
    ("command", "stage", "parts"),
    [
        (("add", "noisy_clip", "--run"), "noisy_clip", 1),
        (("distill",), "distilled", 1),
        (("distill",), "distilled", 2),
    ],
)
def test_a_finished_run_is_given_a_stage_by_two(
    command: tuple[str, ...], stage: str, parts: int, single: Path, tmp_path: Path
) -> None:
    said = [f"{stage}.train.{setting}" for setting in ("steps=3", "batch=4", "optim.lr=1e-9", "optim.muon_lr=1e-9")]
    for name in ("one", "two"):
        shutil.copytree(single / "unclip", tmp_path / name)
    words = [word for pair in said for word in ("--set", pair)]
    with pytest.raises(SystemExit):  # so few steps pass no gate
        app([*command, str(tmp_path / "one"), *words])
    words += ["--set", f"{stage}.train.accumulate={parts}"]
    together(2, *command, tmp_path / "two", *words, what=("-m", "--", "unclip"))
    one, two = (losses(tmp_path / name, stage) for name in ("one", "two"))
    assert len(one) == 3 and two == [(step, pytest.approx(loss, rel=1e-5)) for step, loss in one]
    assert stage in RunFolder(tmp_path / "two").state()


SCRIPT = """
import os, sys, time
sys.path.insert(0, os.getcwd())
import torch.distributed as dist
import unclip
from pathlib import Path
from tests.processes import runs
source, config = runs(Path(sys.argv[1]), 3)["ddpm"]
end = dist.destroy_process_group
def late():
    time.sleep(0 if dist.get_rank() else 2)
    end()
dist.destroy_process_group = late  # so the other process begins the second training before it has left the first
for out in sys.argv[2:]:
    print(unclip.train(source, out, config=config, force=True))
"""


def test_a_script_trains_by_two(data: Path, single: Path, tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(SCRIPT, encoding="utf-8")
    assert together(2, data, tmp_path / "a", tmp_path / "b", what=(str(script),)) == 0
    one = losses(tmp_path / "a", "ddpm")
    assert len(one) == 3 and losses(tmp_path / "b", "ddpm") == one


@pytest.mark.parametrize(
    ("words", "environ", "why"),
    [
        (
            ["--set", "ddpm.train.batch=9"],
            {},
            "ddpm.train.batch = 9 cannot be shared by 2 processes; take a multiple of 2",
        ),
        ([], {"UNCLIP_SEED": "{rank}"}, "of 2 processes, number 1 was started with other options"),
    ],
)
def test_what_two_cannot_train(words: list[str], environ: dict[str, str], why: str, data: Path, tmp_path: Path) -> None:
    told = [
        process.communicate(timeout=200)[1]
        for process in two("train", str(data), "--model", "ddpm", "--out", str(tmp_path / "run"), *words, **environ)
    ]
    assert any(why in text for text in told), told
    assert not (tmp_path / "run" / "state.json").exists()


def two(*words: str, **environ: str) -> list[subprocess.Popen[str]]:
    """Two processes, as srun starts them."""
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = str(free.getsockname()[1])
    where = {"WORLD_SIZE": "2", "MASTER_ADDR": "localhost", "MASTER_PORT": port, "OMP_NUM_THREADS": "1"}
    return [
        subprocess.Popen(
            [sys.executable, "-m", "unclip", *words],
            env={**os.environ, **where, "RANK": rank, **{k: v.format(rank=rank) for k, v in environ.items()}},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in "01"
    ]
