"""VAE, flow, GAN and DDPM on the same data for the same time, then beside each other: docs/families.md.

    python benchmarks/families.py --out runs/families [--budget 30m] [--data shapes PATH] [--only vae gan]

Each run is what a person types (`unclip train DATA --model MODEL --size 32 --budget 30m`), one after the other, with
one thread; a run that is finished is not trained again, and one that was stopped goes on. The budget is counted in the
CPU time of the process, which an idle core gives as time of the clock: so other work on the machine takes nothing from
a run. Then `unclip compare` over the runs of each data set: the table, OUT/DATA/families.png and
OUT/DATA/families.json. CIFAR-10 is trained with classes. Four families on two data sets take four hours and a quarter
of an idle core.
"""

import argparse
import os
import subprocess
import sys
from pathlib import Path

MODELS = ("ddpm", "vae", "flow", "gan")
CLASSED = ("cifar10",)
"""Data sets whose classes are learned, too, by the names of their folders."""

IN_CPU_TIME = """import runpy, threading, time
time.perf_counter = time.monotonic = time.process_time
runpy.run_module("unclip", run_name="__main__", alter_sys=True)"""
"""`python -m unclip` whose clock stands still while other processes have the core."""


def unclip(*words: object, start: tuple[str, ...] = ("-m", "unclip")) -> int:
    """Runs a command as typed, with one thread; returns its code."""
    line = [sys.executable, *start, *map(str, words)]
    print("$ unclip", *words, flush=True)
    return subprocess.run(line, env={**os.environ, "OMP_NUM_THREADS": "1"}, check=False).returncode


def trained(data: str, model: str, folder: Path, budget: str) -> Path | None:
    """The run of a model on a data set; None where it stopped, as a GAN that has collapsed."""
    run = folder / model
    classes = ["--classes"] if Path(data).name in CLASSED else []
    words = ["--size", 32, "--budget", budget, "--set", "workers=1", "--force", *classes]
    done = unclip("train", data, "--model", model, "--out", run, *words, start=("-c", IN_CPU_TIME))
    return run if done == 0 else None


def main() -> None:
    """Trains what is not trained yet, then compares."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--budget", default="30m")
    parser.add_argument("--data", nargs="+", default=["shapes", "../shared/data/cifar10"])
    parser.add_argument("--only", nargs="+", choices=MODELS, default=MODELS)
    parser.add_argument("-n", type=int, default=256)
    asked = parser.parse_args()
    for data in asked.data:
        folder = asked.out / Path(data).name
        runs = [trained(data, model, folder, asked.budget) for model in asked.only]
        there = [run for run in runs if run is not None]
        if len(there) > 1:
            unclip("compare", *there, "-n", asked.n, "--out", folder, "--json", folder / "families.json")


if __name__ == "__main__":
    main()
