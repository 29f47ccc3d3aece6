"""Two real processes at once on one run and one folder of results, in every pair of commands that write.

    python benchmarks/pairs.py [--seed 0] [--only generate pack-run]

Both begin within two seconds of each other, in either order. Afterwards each is done, or was refused by a message that
names the other's process or the folder; never are both refused (but `train --more` of a run that is only begun, which
is told so); and the files are those of the commands that were done, one after the other, in one of the
orders. Prints a table; the exit code says whether all was well.
"""

import argparse
import functools
import importlib
import itertools
import os
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from kills import LOADED, forked
from terminals import BY_TIME, Place, differing, files

from unclip.data.shapes.world import World
from unclip.studies import demo

REFUSED = ("is writing there", "is there already and not empty", "made by another process meanwhile", "has changed")
NO_RUN = ("no such run", "holds no run", "unfinished", "holds no finished run")
"""What the second is told; and what is told where the other has only begun the run."""
FROM_NOTHING = ("train", "demo")
"""Commands whose run is new: they have no use for a copy of the finished one."""
Found = tuple[int, dict[str, bytes]]


def commands(place: Place) -> dict[str, list[str]]:
    """Commands that write; OUT stands for the folder that both have, with the run in it."""
    every = place.commands()
    chosen = ("train", "add", "demo", "generate", "upsample", "vary", "blend", "invert", "edit", "search", "evaluate",
              "compare-priors", "study", "explain")  # fmt: skip
    run, here = str(place.run), "OUT/run é"
    words = {name: [here if word == run else word for word in every[name]] for name in chosen}
    words["train --more"] = ["train", str(place.data), "--out", here, "--more", "1s", "--force"]
    words["shapes"] = ["shapes", "OUT/new é", "-n", "40"]
    words["pack"] = ["pack", str(place.data), "OUT/new é"]
    words["pack-run"] = ["pack-run", here, "OUT/new é"]
    return words


@dataclass
class Bench:
    """Runs pairs; keeps what each order of two commands leaves."""

    place: Place
    draw: random.Random
    serial: dict[tuple[str, ...], Found] = field(default_factory=dict)

    @property
    def out(self) -> Path:
        """The folder that both write into."""
        return self.place.root / "out"

    def fresh(self, names: tuple[str, ...]) -> None:
        """The folder with a copy of the run, or without one where a run is begun."""
        shutil.rmtree(self.out, ignore_errors=True)
        self.out.mkdir()
        if not set(names) & set(FROM_NOTHING):
            shutil.copytree(self.place.run, self.out / "run é")

    def start(self, name: str, number: int) -> int:
        """The process of a command."""
        words = [word.replace("OUT", str(self.out)) for word in commands(self.place)[name]]
        return forked(words, self.said(number), small_demo)

    def said(self, number: int) -> Path:
        """Where a process writes what it says."""
        return self.place.root / f"said {number}.txt"

    def wait(self, child: int, number: int, told: tuple[str, ...] = REFUSED) -> str:
        """Done, refused as it must be told, or what else became of it."""
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        said = self.said(number).read_text(encoding="utf-8", errors="replace")
        self.said(number).unlink()
        if code in (0, 1):
            return "done"
        refused = code == 2 and any(words in said for words in told)
        return "refused" if refused else f"exit code {code}: {said.splitlines()[-1:]}"

    def in_turn(self, names: tuple[str, ...], pair: tuple[str, str]) -> Found:
        """What the commands leave one after the other, where the run began as it does for the pair."""
        key = (*names, str(bool(set(pair) & set(FROM_NOTHING))))
        if key not in self.serial:
            self.fresh(pair)
            for name in names:
                self.wait(self.start(name, 0), 0)
            self.serial[key] = (0, dict(files(self.out)))
        return self.serial[key]

    def at_once(self, pair: tuple[str, str]) -> tuple[list[str], list[str]]:
        """What became of each, and what is wrong with what they left."""
        self.fresh(pair)
        order = self.draw.sample([0, 1], 2)
        children = [0, 0]
        children[order[0]] = self.start(pair[order[0]], order[0])
        time.sleep(self.draw.choice([0.0, self.draw.uniform(0, 2)]))
        children[order[1]] = self.start(pair[order[1]], order[1])
        begun = bool(set(pair) & set(FROM_NOTHING))
        ended = [
            self.wait(child, number, REFUSED + NO_RUN * (begun and pair[number] not in FROM_NOTHING))
            for number, child in enumerate(children)
        ]
        return ended, [*self.wrong(pair, ended, (0, dict(files(self.out))))]

    def wrong(self, pair: tuple[str, str], ended: list[str], left: Found) -> Iterator[str]:
        """What is not as it must be."""
        yield from (f"{name}: {how}" for name, how in zip(pair, ended, strict=True) if how not in ("done", "refused"))
        if ended == ["refused", "refused"] and "train --more" not in pair:
            yield "both refused"
        done = tuple(name for name, how in zip(pair, ended, strict=True) if how == "done")
        timed = next((name for name in done if name in (*BY_TIME, "train --more")), None)
        kinds = [differing("demo" if timed else "", left, self.in_turn(order, pair))
                 for order in itertools.permutations(done)]  # fmt: skip
        if all(kinds):
            yield f"left is not what they leave in turn: {min(kinds, key=len)[:6]}"


def small_demo() -> None:
    """The demo draws 48 scenes instead of 20,000 and scores 4 prompts a kind instead of 200: it is no test of them."""
    demo.demo.__defaults__ = (4,)
    demo.World = functools.partial(World, scenes=48)  # pyright: ignore[reportAttributeAccessIssue]


def main() -> int:
    """1 where anything went wrong."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", nargs="*", default=[])
    asked, wrong, counts = parser.parse_args(), 0, dict[str, int]()
    with tempfile.TemporaryDirectory(prefix="unclip-pairs-") as folder:
        place = Place(Path(folder))
        place.prepare()
        for name in LOADED:
            importlib.import_module(name)
        bench = Bench(place, random.Random(asked.seed))
        for pair in itertools.combinations_with_replacement(commands(place), 2):
            if asked.only and not set(pair) <= set(asked.only):
                continue
            ended, faults = bench.at_once(pair)
            wrong += len(faults)
            what = " and ".join(sorted(how if how in ("done", "refused") else "failed" for how in ended))
            counts[what] = counts.get(what, 0) + 1
            told = "".join(f"\n    {fault}" for fault in faults)
            print(f"{pair[0]:15} {pair[1]:15} {ended[0][:7]:8} {ended[1][:7]}{told}", flush=True)
    print("| both processes | pairs |\n|---|---|")
    print("\n".join(f"| {what} | {count} |" for what, count in sorted(counts.items())))
    print(f"{wrong} faults")
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
