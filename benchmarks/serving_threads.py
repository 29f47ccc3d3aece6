"""What the thread costs in which a server computes: an image by Python alone, by the engine, and in other threads.

    OMP_NUM_THREADS=2 python benchmarks/serving_threads.py [--repeats 10] > threads.json

Each way has processes of its own, in turns, so that a slower minute meets all: what torch keeps for a thread, and its
team on the cores, are then of this way alone. main: the main thread. worker: one other thread that stays. fresh: a new
thread for each image. engine: a job of `serving.engine`. Medians of milliseconds on the clock, a figure a process.
"""

import argparse
import json
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable

import unclip
from unclip.core.machine import prepare_memory
from unclip.serving.engine.engine import Engine
from unclip.serving.engine.job import Job
from unclip.serving.library import Library

PROMPT, MODEL = ["a red heart"], "box:emoji"
ROUNDS = 3


def in_thread(work: Callable[[], object]) -> None:
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()


def median_of(draw: Callable[[], object], repeats: int) -> float:
    """Milliseconds of one image."""
    draw()
    times = list[float]()
    for _ in range(repeats):
        start = time.perf_counter()
        draw()
        times.append(time.perf_counter() - start)
    return statistics.median(times) * 1000


def drawn() -> Callable[[], object]:
    """Draws an image by Python alone; the model is read here."""
    model = unclip.load(MODEL)
    return lambda: model.generate(PROMPT, seed=1)


def main_thread(repeats: int) -> float:
    return median_of(drawn(), repeats)


def worker(repeats: int) -> float:
    found = list[float]()
    in_thread(lambda: found.append(median_of(drawn(), repeats)))
    return found[0]


def fresh(repeats: int) -> float:
    draws = list[Callable[[], object]]()
    in_thread(lambda: draws.append(drawn()))
    return median_of(lambda: in_thread(draws[0]), repeats)


def engine(repeats: int) -> float:
    made = Engine()
    library = Library([MODEL], made.share, 10**10)

    def draw() -> object:
        return made.submit(Job(lambda: library.model(MODEL[4:]).generate(PROMPT, seed=1))).answer.result()

    return median_of(draw, repeats)


WAYS: dict[str, Callable[[int], float]] = {"main": main_thread, "worker": worker, "fresh": fresh, "engine": engine}


def main() -> None:
    """One way where it is named, else all of them in turns."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=10)
    parser.add_argument("--way", choices=WAYS)
    asked = parser.parse_args()
    if asked.way:
        prepare_memory(one_arena=True)
        print(WAYS[asked.way](asked.repeats))
        return
    found: dict[str, list[int]] = {way: [] for way in WAYS}
    for _ in range(ROUNDS):
        for way, figures in found.items():
            line = [sys.executable, __file__, "--way", way, "--repeats", str(asked.repeats)]
            figures.append(round(float(subprocess.run(line, capture_output=True, text=True, check=True).stdout)))
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
