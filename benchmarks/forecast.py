"""What `unclip doctor` foretells of a run, beside what the run then takes: steps, passes, time, memory, disk.

    python benchmarks/forecast.py shapes ../shared/data/emoji --budget 3m -- --size 32

The doctor and the training are processes of their own, one after the other, with the same options; what stands after
-- goes to both. Whatever else the machine does in these minutes is in the figures, too.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path


def command(*words: str) -> tuple[float, int]:
    """(seconds, bytes of memory at the peak) of a command of unclip's; raises where it could not be understood."""
    began = time.monotonic()
    process = subprocess.Popen([sys.executable, "-m", "unclip", *words], stdout=sys.stderr)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode in (0, 1), words
    return time.monotonic() - began, 1024 * usage.ru_maxrss


def compare(data: str, budget: str, more: list[str], place: Path) -> list[tuple[str, float, float]]:
    """(what, foretold, measured) of one run."""
    said, run = place / "doctor.json", place / "run"
    how = [data, "--budget", budget, *more]
    took, _ = command("doctor", *how, "--json", str(said))
    forecast = json.loads(said.read_text(encoding="utf-8"))["forecast"]
    seconds, memory = command("train", *how, "--out", str(run), "--force")
    state = json.loads((run / "state.json").read_text(encoding="utf-8"))
    trained = state["data"]["metrics"]
    images = trained["pairs"] - trained["validation"] - trained["test"]
    rows = [("doctor itself, s", took, took)]
    for stage in forecast["stages"]:
        name, steps = stage["stage"], state[stage["stage"]]["metrics"]["steps"]
        batch = stage["passes"] / stage["steps"]  # passes a step
        rows += [(f"{name}: steps", stage["steps"], steps), (f"{name}: passes", stage["passes"], steps * batch)]
        rows += [(f"{name}: s", stage["seconds"], state[name]["metrics"]["seconds"])]
    disk = sum(file.stat().st_size for file in run.rglob("*") if file.is_file())
    rows += [("images trained on", forecast["trained"], images)]
    rows += [("in all, s", forecast["total"], seconds), ("memory, MB", forecast["memory"] / 1e6, memory / 1e6)]
    return [*rows, ("disk, MB", sum(forecast["disk"].values()) / 1e6, disk / 1e6)]


def main() -> None:
    """Prints a table in Markdown for each data set."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", nargs="+")
    parser.add_argument("--budget", default="3m")
    words = sys.argv[1:]
    cut = words.index("--") if "--" in words else len(words)
    asked, more = parser.parse_args(words[:cut]), words[cut + 1 :]
    for data in asked.data:
        with tempfile.TemporaryDirectory() as place:
            rows = compare(data, asked.budget, more, Path(place))
        told = " ".join([data, "--budget", asked.budget, *more])
        print(f"\n| {told} | foretold | measured | ratio |\n|---|---|---|---|")
        for what, foretold, measured in rows:
            print(f"| {what} | {foretold:,.4g} | {measured:,.4g} | {foretold / max(measured, 1e-9):.2f} |", flush=True)


if __name__ == "__main__":
    main()
