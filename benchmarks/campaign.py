"""Nothing is lost, at length: what `make test` does in a short form, as often as it takes to be believed.

    python -m benchmarks.campaign FOLDER [--only kills together killed continued growth] > campaign.json

kills: `benchmarks/kills.py`, 200 SIGKILLs of one process in preparing, training, saving and adding. together: every
kind of run, 100 steps by 1, 2 and 4 processes under torchrun; the largest relative difference of a loss, and that of
one process to itself where two threads add in another order, which is rounding alone. killed: one of two processes dies
in the middle of a step, 20 times; torchrun starts both again, and the losses must be those of one process to which
nothing happened. continued: what 1, 2 or 4 began, with `--shard` or without, and whose process died, others go on with;
the same losses again. growth: KB that one more image, and one more step, take on, over 300 images and 10 minutes.

From the repository's root, whose tests' tiny runs it trains, in FOLDER; it takes some hours of one core.
"""

import argparse
import json
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tests.end_to_end.test_processes import STAGES, together
from tests.processes import main as alone
from tests.processes import painted, runs, train
from tests.short import short

import unclip
from unclip.data.shapes.world import World
from unclip.recipes.events import Progress
from unclip.recipes.run import train_stages
from unclip.recipes.settings.run import RunConfig, retrained
from unclip.runs.folder import RunFolder
from unclip.training.checkpoint import read_log

ROOT = Path(__file__).resolve().parents[1]
STEPS, KILLED_STEPS = 100, 8
PATIENCE = 4 * 3600
"""Seconds for all kinds of run on a machine that has other work, too."""
WARM, WARM_IMAGES = 60, 200
"""Seconds of training, and images, before memory is looked at. Until then caches fill: Python itself kept 10 blocks
more for each of the first 40 images, 1 for each from 120 on, 0.3 for each from 320 on."""


def kills(out: Path, count: int = 200) -> dict[str, Any]:
    """The figures that kills.py prints."""
    line = [sys.executable, str(ROOT / "benchmarks" / "kills.py"), "--kills", str(count), "--seed", "17"]
    done = subprocess.run([*line, "--keep", str(out)], capture_output=True, text=True, check=False)
    return {"passed": done.returncode == 0, "told": done.stdout.splitlines()[-12:]}


def together_all(out: Path) -> dict[str, Any]:
    """Stage -> the largest relative difference of a loss to that of one process, by 2 and by 4, and by 2 threads."""
    data = painted(out, each=8)
    alone(data, out / "1", STEPS)
    with_two_threads(lambda: alone(data, out / "threads", STEPS))
    codes = {f"by {count}": together(count, data, out / str(count), STEPS, seconds=PATIENCE) for count in (2, 4)}
    places = {"threads": out / "threads", "by 2": out / "2", "by 4": out / "4"}
    found = dict[str, Any]()
    for kind in runs(data, STEPS):
        for stage in stages(kind):
            name = kind if kind == stage else f"{kind} {stage}"
            single = log(out / "1" / kind, stage)
            apart = {by: furthest(single, log(place / kind, stage)) for by, place in places.items()}
            found[name] = {by: f"ended with {codes[by]}" if codes.get(by) else apart[by] for by in apart}
    return found


def with_two_threads(work: Callable[[], None]) -> None:
    """Each operation shared by two threads, which add in another order."""
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        work()
    finally:
        torch.set_num_threads(before)


def killed(out: Path, count: int = 20) -> dict[str, Any]:
    """How many of the runs whose process died have every loss of the one to which nothing happened, to 1e-5."""
    data, chance, same, where = painted(out, each=8), random.Random(17), 0, list[str]()
    alone(data, out / "whole", KILLED_STEPS)
    for number in range(count):
        place = out / f"killed-{number}"
        shutil.rmtree(place, ignore_errors=True)
        at = f"{chance.choice(STAGES['unclip'])}:{chance.randrange(1, KILLED_STEPS)}"
        code = together(2, data, place, KILLED_STEPS, at, restarts=1)
        apart = max(furthest(log(out / "whole" / "unclip", s), log(place / "unclip", s)) for s in STAGES["unclip"])
        sound = code == 0 and (place / "killed").exists() and apart < 1e-5
        same += sound
        where.append(f"{at}: {'the same' if sound else f'code {code}, {apart:.1e} apart'}")
    return {"kills": count, "the same": same, "where": where}


CONTINUED = (
    ((1, ()), (2, ("shard",))),
    ((1, ()), (4, ("shard",))),
    ((2, ("shard",)), (1, ())),
    ((2, ("shard",)), (4, ())),
    ((2, ("shard",)), (4, ("shard",))),
    ((2, ()), (4, ())),
    ((4, ("shard",)), (2, ())),
)
"""Who begins, and who goes on: processes, and how they are started."""


def continued(out: Path) -> dict[str, Any]:
    """How far the losses of what some began and others ended are from those of one process, at the most."""
    data, at, found = painted(out, each=8), f"decoder:{KILLED_STEPS // 2}", dict[str, Any]()
    source, config = runs(data, KILLED_STEPS)["unclip"]
    train(source, out / "whole" / "unclip", config)
    for number, (first, then) in enumerate(CONTINUED):
        place = out / f"continued-{number}"
        shutil.rmtree(place, ignore_errors=True)
        codes = [together(count, data, place, KILLED_STEPS, at, *how) for count, how in (first, then)]
        apart = max(furthest(log(out / "whole" / "unclip", s), log(place / "unclip", s)) for s in STAGES["unclip"])
        sound = codes[0] != 0 and codes[1] == 0 and (place / "killed").exists()
        name = " then ".join(" ".join(map(str, (count, *how))) for count, how in (first, then))
        found[name] = apart if sound else f"ended with {codes}"
    return found


def stages(kind: str) -> tuple[str, ...]:
    """What a run of this kind trains."""
    return STAGES.get(kind, ("ddpm",) if kind in ("dropout", "loss-aware") else (kind,))


def log(run: Path, stage: str) -> list[float]:
    """The losses of a stage; none where it has no log."""
    path = RunFolder(run).logs / f"{stage}.jsonl"
    return [line["loss"] for line in read_log(path)] if path.exists() else []


def furthest(one: list[float], other: list[float]) -> float:
    """The largest relative difference; infinite where there are not as many."""
    if len(one) != len(other) or not one:
        return float("inf")
    return max(abs(a - b) / abs(a) for a, b in zip(one, other, strict=True))


def growth(out: Path, images: int = 300, seconds: float = 600) -> dict[str, Any]:
    """KB an image, and KB a step."""
    del out
    model, at = unclip.load("box:emoji"), list[tuple[int, float]]()
    for number in range(images + WARM_IMAGES):
        model.generate(["a red heart"], seed=number)
        at.append((number, resident()))
    return {"kb_an_image": slope(at[WARM_IMAGES:]), **in_training(seconds)}


def in_training(seconds: float) -> dict[str, Any]:
    """KB a step, of the decoder of a tiny run that trains so long."""
    began, at = time.monotonic(), list[tuple[int, float]]()
    stop = threading.Event()
    with tempfile.TemporaryDirectory() as place:
        for event in train_stages(World(32, scenes=256), Path(place), long(short(1)), stop, force=True):
            if not isinstance(event, Progress) or event.stage != "decoder":
                continue
            if event.report.step <= 1:
                began = time.monotonic()
            if time.monotonic() - began > WARM:
                at.append((event.report.step, resident()))
            if time.monotonic() - began > WARM + seconds:
                stop.set()
    return {"steps": at[-1][0] - at[0][0], "kb_a_step": slope(at)}


def slope(at: list[tuple[int, float]]) -> float:
    """KB for each one more, by least squares over all looks: two alone show what is free just then."""
    calls, held = np.array(at).T
    return float(np.polyfit(calls, held, 1)[0])


def long(config: RunConfig) -> RunConfig:
    """The same with a decoder that does not end."""
    return config.using(decoder=retrained(config.recipes["decoder"], steps=10**7))


def resident() -> float:
    """KB of this process."""
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    return float(re.findall(r"VmRSS:\s+(\d+)", status)[0])


PARTS: dict[str, Callable[[Path], dict[str, Any]]] = {
    "kills": kills,
    "together": together_all,
    "killed": killed,
    "continued": continued,
    "growth": growth,
}


def main() -> None:
    """Runs the parts and prints what was found."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--only", nargs="+", choices=PARTS, default=[*PARTS])
    asked = parser.parse_args()
    os.environ.setdefault("PYTHONPATH", os.pathsep.join(map(str, (ROOT, ROOT / "src"))))
    os.chdir(ROOT)
    found = dict[str, Any]()
    for part in asked.only:
        began = time.monotonic()
        found[part] = PARTS[part](asked.folder / part) | {"seconds": round(time.monotonic() - began)}
        print(json.dumps({part: found[part]}), file=sys.stderr, flush=True)
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
