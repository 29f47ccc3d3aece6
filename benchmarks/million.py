"""What a million prepared images cost before the first step: seconds and memory of opening them, of their splits, of a
tokenizer, and of the first batches: docs/results.md.

    python benchmarks/million.py FOLDER [--images 1000000] > million.json

FOLDER gets a prepared data set of 16 px: 4,096 drawn scenes again and again, each time with a mark of its number in a
corner, so that no two are equal, and with a caption of its own. 1,000,000 take 0.8 GB. Each measurement is a process of
its own; `memory` is the most that it had beyond what it took to import unclip.
"""

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from unclip.core.disk.store import sha256
from unclip.data.prepare.inspect import DataReport
from unclip.data.prepare.read import VERSION, digest, npy_header
from unclip.data.shapes.world import World

SIZE, SCENES = 16, 4096
MEASURED = ("import", "open", "splits", "tokenizer", "batches")


def make(out: Path, count: int) -> None:
    """Writes it, the parts in the order in which `prepare` does."""
    out.mkdir(parents=True, exist_ok=True)
    scenes = [(np.asarray(item.read())[::2, ::2], item.captions[0]) for item in World(2 * SIZE, scenes=SCENES)]
    with (out / "images.npy").open("wb") as images, (out / "captions.jsonl").open("w", encoding="utf-8") as lines:
        images.write(npy_header((count, SIZE, SIZE, 3)))
        for number in range(count):
            pixels, caption = scenes[number % SCENES]
            pixels = pixels.copy()
            pixels[0, :3, 0] = [number >> shift & 255 for shift in (16, 8, 0)]
            images.write(pixels.tobytes())
            row = {
                "key": f"shard-{number // 1000:05d}/{number:08d}.png",
                "captions": [f"{caption}, number {number // 1000} of {number % 1000}"],
            }
            lines.write(json.dumps(row | {"digest": digest(pixels.tobytes())}) + "\n")
    about = {"version": VERSION, "size": SIZE, "count": count, "report": DataReport("folder", count).as_dict()}
    about["sha256"] = {"captions.jsonl": sha256(out / "captions.jsonl")}
    (out / "prepared.json").write_text(json.dumps(about), encoding="utf-8")


def measured(out: Path, what: str) -> dict[str, float]:
    """Runs one measurement in this process."""
    from unclip.data.prepare.read import load_prepared
    from unclip.data.prepare.splits import split_rows
    from unclip.judges.near_copies import groups_of
    from unclip.recipes.feed import Feed
    from unclip.text.tokenizer import Tokenizer

    base, began = peak(), time.monotonic()
    if what != "import":
        prepared = load_prepared(out)
        if what == "splits":
            split_rows(prepared.keys, groups_of(prepared), 0.05)
        if what == "tokenizer":
            Tokenizer.train(prepared.texts, 4096)
        if what == "batches":
            rows = np.arange(len(prepared))
            tokenizer = Tokenizer.train([prepared.captions[row][0] for row in range(1000)], 1024)
            feed = Feed(prepared, rows, tokenizer, 32, 0)
            for step in range(10):
                feed(step)
    return {"seconds": round(time.monotonic() - began, 2), "memory_mb": round(peak() - base)}


def peak() -> float:
    """MB, the most that this process has had."""
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def main() -> None:
    """Makes the data where they are not there, and measures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--images", type=int, default=1_000_000)
    parser.add_argument("--measure", choices=MEASURED)
    asked = parser.parse_args()
    if asked.measure:
        print(json.dumps(measured(asked.folder, asked.measure)))
        return
    if not (asked.folder / "prepared.json").exists():
        make(asked.folder, asked.images)
    found: dict[str, Any] = {"images": asked.images}
    for what in MEASURED[1:]:
        line = [sys.executable, __file__, str(asked.folder), "--measure", what]
        done = subprocess.run(line, capture_output=True, text=True, check=False)
        found[what] = json.loads(done.stdout) if done.returncode == 0 else done.stderr[-500:]
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
