"""CLIP's embeddings of all images are kept in parts; whoever is interrupted goes on behind the last whole one."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from tests.short import events, short

from unclip.clip.model import CLIP
from unclip.core.disk import store
from unclip.core.typing import Images, Tensor
from unclip.data.loader import to_tensor
from unclip.data.prepare.write import Prepared, load_prepared
from unclip.recipes.events import Gate, Progress, Stopped
from unclip.runs import embeddings
from unclip.runs.embeddings import Interrupted, run_embeddings
from unclip.runs.folder import RunFolder
from unclip.runs.modules import load_stage

SCRIPT = """
import os, signal, sys
from pathlib import Path
from tests.recipes.test_embeddings import opened
from unclip.runs import embeddings
embeddings.PART, embeddings.BATCH = 16, 8
run, clip, prepared = opened(Path(sys.argv[1]))
see, seen = clip.embed_images, []
def once(images):
    seen.append(len(images))
    if len(seen) == 4:
        os.kill(os.getpid(), signal.SIGKILL)
    return see(images)
clip.embed_images = once
embeddings.run_embeddings(run, clip, prepared, "cpu", "float32")
"""


def opened(root: Path) -> tuple[RunFolder, CLIP, Prepared]:
    run = RunFolder(root)
    return run, load_stage(run, "clip", CLIP, "cpu"), load_prepared(run.data)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run whose CLIP is trained, and nothing else."""
    root, stop = tmp_path_factory.mktemp("embedded") / "run", threading.Event()
    for event in events(root, short(2), stop):
        if isinstance(event, Gate):
            stop.set()
    return root


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many images CLIP saw at once; parts of 16 of the 64."""
    monkeypatch.setattr(embeddings, "PART", 16)
    monkeypatch.setattr(embeddings, "BATCH", 8)
    seen, see = list[int](), CLIP.embed_images

    def told(clip: CLIP, images: Images) -> Tensor:
        seen.append(len(images))
        return see(clip, images)

    monkeypatch.setattr(CLIP, "embed_images", told)
    return seen


def test_a_kill_costs_a_part(trained: Path, counted: list[int]) -> None:
    run, clip, prepared = opened(trained)
    wanted = torch.cat([clip.embed_images(part) for part in _images(prepared)]).detach()
    code = subprocess.run([sys.executable, "-c", SCRIPT, str(trained)], cwd=Path(__file__).parents[2]).returncode
    assert code == -signal.SIGKILL
    place = run.checkpoints / "embeddings"
    assert sorted(p.name for p in place.iterdir() if not p.name.startswith(".")) == ["00000"]
    before = os.stat(place / "00000" / store.WEIGHTS).st_mtime_ns
    counted.clear()
    found = run_embeddings(run, clip, prepared, "cpu", "float32")
    assert counted == [8] * 6 and torch.equal(found, wanted)  # of eight batches two were there
    assert os.stat(place / "00000" / store.WEIGHTS).st_mtime_ns == before
    counted.clear()
    assert torch.equal(run_embeddings(run, clip, prepared, "cpu", "float32"), wanted) and not counted
    assert sorted(p.name for p in place.iterdir()) == ["00000", "00001", "00002", "00003"]
    (place / "00002" / store.WEIGHTS).write_bytes(b"damaged")
    assert torch.equal(run_embeddings(run, clip, prepared, "cpu", "float32"), wanted) and counted == [8, 8]


def test_what_was_kept_as_one_file_is_still_read(trained: Path, counted: list[int], tmp_path: Path) -> None:
    run, clip, prepared = opened(trained)
    place, sha = run.checkpoints / "embeddings", store.sha256(run.root / "clip" / store.WEIGHTS)
    old = torch.zeros(len(prepared), 16)
    store.save(place, "Embeddings", {"clip": sha, "pictures": len(prepared)}, {"embeddings": old})
    assert torch.equal(run_embeddings(run, clip, prepared, "cpu", "float32"), old) and not counted
    store.save(place, "Embeddings", {"clip": "of another", "pictures": len(prepared)}, {"embeddings": old})
    assert not torch.equal(run_embeddings(run, clip, prepared, "cpu", "float32"), old)
    assert not (place / store.HEAD).exists()


def test_a_run_that_is_to_stop_meanwhile_stops_and_goes_on(
    trained: Path, counted: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    run, clip, prepared = opened(trained)
    stop, see = threading.Event(), embeddings.Look.__call__
    for path in (run.checkpoints / "embeddings").iterdir():
        for file in path.iterdir() if path.is_dir() else [path]:
            file.unlink()
    counted.clear()

    def stopped(look: embeddings.Look, images: Images) -> Tensor:
        if len(counted) == 5:
            stop.set()
        return see(look, images)

    monkeypatch.setattr(embeddings.Look, "__call__", stopped)
    with pytest.raises(Interrupted):
        run_embeddings(run, clip, prepared, "cpu", "float32", stop)
    assert counted == [8] * 5
    stop.clear()
    config = short(2)
    last = list(events(trained, config, stop))[-1]
    assert isinstance(last, Stopped) and last.stage == "prior"
    stop.clear()
    monkeypatch.undo()
    assert any(isinstance(event, Progress) and event.stage == "prior" for event in events(trained, config))


def _images(prepared: Prepared) -> Iterator[Images]:
    return (to_tensor(prepared.images[i : i + 8]) for i in range(0, len(prepared), 8))
