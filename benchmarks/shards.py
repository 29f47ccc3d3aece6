"""What tar shards cost that are trained on as they lie: seconds to the first step, memory, images a second:
docs/results.md.

    python benchmarks/shards.py FOLDER [--shards 1000] [--each 100] > shards.json

FOLDER gets so many shards of drawn scenes, as JPEGs of 128 px with their captions, 200 scenes again and again.

first step: from the start of `unclip train SHARDS` to the first line in its log, and what processor time that took.
memory: the most that a process had beyond what it took to import unclip, after the same number of images of 1 training
shard, of 50, and of all. speed: images of 64 px a second of processor time, on one core, beside the prepared file.
"""

import argparse
import io
import itertools
import json
import os
import resource
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from unclip.data.shapes.world import World

SIDE, SIZE, SCENES, BATCH = 128, 64, 200, 32
MEASURED = ("memory", "prepared", "streamed", "headers")


def make(out: Path, shards: int, each: int) -> None:
    """Writes them; none appears before it is whole."""
    out.mkdir(parents=True, exist_ok=True)
    scenes = itertools.cycle([(jpeg(item.read()), item.captions[0]) for item in World(64, scenes=SCENES)])
    for shard in range(shards):
        part = out / f".shard-{shard:05d}"
        with tarfile.open(part, "w", format=tarfile.USTAR_FORMAT) as tar:
            for number, (picture, caption) in enumerate(itertools.islice(scenes, each)):
                for ending, data in (("jpg", picture), ("txt", caption.encode())):
                    info = tarfile.TarInfo(f"{shard * each + number:08d}.{ending}")
                    info.size = len(data)
                    tar.addfile(info, io.BytesIO(data))
        part.rename(out / f"shard-{shard:05d}.tar")


def jpeg(pixels: Any) -> bytes:
    """An encoded picture."""
    large = Image.fromarray(np.asarray(pixels)).resize((SIDE, SIDE), Image.Resampling.BICUBIC)
    large.save(out := io.BytesIO(), "JPEG", quality=92)
    return out.getvalue()


def first_step(data: Path, size: int) -> dict[str, float]:
    """Starts a training and waits for the first line of its log."""
    with tempfile.TemporaryDirectory() as place:
        run, log = Path(place) / "run", Path(place) / "run" / "logs" / "ddpm.jsonl"
        line = [sys.executable, "-m", "unclip", "train", str(data), "--out", str(run), "--model", "ddpm"]
        line += ["--size", str(size), "--precision", "float32", "--set", "ddpm.train.steps=100000"]
        began = time.monotonic()
        process = subprocess.Popen([*line, "--set", "stream=always"], stdout=subprocess.DEVNULL)
        try:
            while not (log.exists() and log.stat().st_size) and process.poll() is None:
                time.sleep(0.02)
            took, used = time.monotonic() - began, processor(process.pid)
        finally:
            process.terminate()
            process.wait()
        if not log.exists():
            raise SystemExit("it took no step")
    return {"seconds": round(took, 1), "processor_seconds": round(used, 1)}


def processor(pid: int) -> float:
    """Seconds of processor time of a process and its threads."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def stream_of(data: Path, place: Path, trained: int) -> Any:
    """A stream of so many of the shards; 0: of all."""
    from dataclasses import replace

    from unclip.data.prepare.inspect import examine
    from unclip.data.source import open_source
    from unclip.data.stream.reader import Stream
    from unclip.data.stream.sample import choose

    source = open_source(data)
    shards = choose(source, place, 0.001)  # pyright: ignore[reportArgumentType]
    if trained:
        names = {file.name for file in shards.trained[:trained]} | {
            *shards.looked["validation"],
            *shards.looked["test"],
        }
        shards = replace(shards, files=source.files.those(names.__contains__))  # pyright: ignore
    return Stream(shards, lambda item: examine(item, SIZE), BATCH, 0)


def memory(data: Path, trained: int, images: int) -> dict[str, float]:
    """Of reading so many images."""
    from unclip.core import machine

    machine.prepare_memory()
    with tempfile.TemporaryDirectory() as place:
        base, stream = peak(), stream_of(data, Path(place), trained)
        for step in range(images // BATCH):
            stream.samples(step, slice(None))
    return {"memory_mb": round(peak() - base)}


def prepared(data: Path, images: int) -> dict[str, float]:
    """Of batches from the prepared file, and of preparing it."""
    from unclip.data.prepare.write import prepare
    from unclip.data.source import open_source
    from unclip.recipes.sources.rows import PreparedRows
    from unclip.studies.doctor.look import Head

    source = Head(open_source(data), images)
    with tempfile.TemporaryDirectory() as place:
        began = time.process_time()
        kept = prepare(source, Path(place), SIZE)
        preparing = len(kept) / (time.process_time() - began)
        rows = PreparedRows(kept, np.arange(len(kept)), BATCH, 0)
        return {
            "preparing": preparing,
            "batches": rate(lambda step: rows.take(step, slice(None)).images(3, None), images),
        }


def streamed(data: Path, images: int) -> dict[str, float]:
    """Of batches from the stream, headers and all."""
    from unclip.recipes.sources.rows import StreamedRows

    with tempfile.TemporaryDirectory() as place:
        rows = StreamedRows(stream_of(data, Path(place), 0))
        return {"batches": rate(lambda step: rows.take(step, slice(None)).images(3, None), images)}


def headers(data: Path, images: int) -> dict[str, float]:
    """Of reading headers alone."""
    from unclip.data.stream.index import index_shard

    found, began = 0, time.process_time()
    for path in sorted(data.glob("*.tar")):
        found += len(index_shard(path).rows)
        if found >= images:
            break
    return {"samples": found / (time.process_time() - began)}


def rate(take: Callable[[int], object], images: int) -> float:
    """Images a second of processor time."""
    began = time.process_time()
    for step in range(images // BATCH):
        take(step)
    return images // BATCH * BATCH / (time.process_time() - began)


def peak() -> float:
    """MB, the most that this process has had."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    """Makes the data where they are not there, and measures, each in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--shards", type=int, default=1000)
    parser.add_argument("--each", type=int, default=100)
    parser.add_argument("--images", type=int, default=10_000)
    parser.add_argument("--measure", choices=MEASURED)
    parser.add_argument("--trained", type=int, default=0)
    asked = parser.parse_args()
    if asked.measure:
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
        how = {"memory": lambda: memory(asked.folder, asked.trained, asked.images)}
        how |= {f.__name__: (lambda f=f: f(asked.folder, asked.images)) for f in (prepared, streamed, headers)}
        print(json.dumps(how[asked.measure]()))
        return
    if len(list(asked.folder.glob("*.tar"))) < asked.shards:
        make(asked.folder, asked.shards, asked.each)
    found: dict[str, Any] = {"shards": asked.shards, "images": asked.shards * asked.each}
    found["gb"] = round(sum(path.stat().st_size for path in asked.folder.glob("*.tar")) / 1e9, 2)
    found["first step"] = first_step(asked.folder, SIZE)
    for what, trained in (
        ("memory", 1),
        ("memory", 50),
        ("memory", 0),
        ("headers", 0),
        ("streamed", 0),
        ("prepared", 0),
    ):
        line = [sys.executable, __file__, str(asked.folder), "--measure", what, "--trained", str(trained)]
        done = subprocess.run([*line, "--images", str(asked.images)], capture_output=True, text=True, check=False)
        name = f"memory, {trained or 'all'} shards" if what == "memory" else what
        told = json.loads(done.stdout) if done.returncode == 0 else {"error": done.stderr[-500:]}
        found[name] = {key: round(value) if isinstance(value, float) else value for key, value in told.items()}
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
