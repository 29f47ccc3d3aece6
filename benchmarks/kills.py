"""Kills runs at random instants, lets them go on, and compares them with one to which nothing happened.

    python benchmarks/kills.py [--kills 20] [--seed 0] [--keep FOLDER]

Each kill is a SIGKILL of a real `unclip train` or `unclip add` on drawn images, with tiny networks. Where it strikes:

    prepare   before a file operation while the images are prepared
    first     in a stage, before its first checkpoint
    save      before a file operation of a checkpoint, of a finished stage, or of run.toml and state.json
    add       as first or save, in a stage that `unclip add` trains
    time      anywhere, by the clock

The same command then continues (and is killed again, now and then). At the end weights, logs, previews, prepared
images and settings must equal the uninterrupted run's, nothing half-written may be left, and files that somebody else
laid into and beside the run must be as they were. Prints a table; the exit code says whether all was well.
"""

import argparse
import importlib
import importlib.util
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from unclip.cli.main import app
from unclip.core.disk import store
from unclip.data.shapes.world import World
from unclip.models.decoder import decoder_sampling
from unclip.models.priors.diffusion import prior_sampling
from unclip.nn.backbones.unet import UNetConfig
from unclip.recipes.settings.run import RunConfig, write_settings
from unclip.recipes.stages import CLIPRecipe, DecoderRecipe, PriorRecipe
from unclip.runs.folder import RunFolder
from unclip.training.checkpoint import read_log
from unclip.training.optim import OptimConfig
from unclip.training.trainer import TrainConfig, Trainer

PICTURES, STEPS = 48, 5
ADDED = "autoregressive_prior"
STAGES = ("clip", "prior", "decoder", ADDED)
KINDS = ("first", "prepare", "save", "first", "add", "time")
"""Where kills strike, in turn: half of them before a first checkpoint."""
OPERATIONS = frozenset({"open", "os.rename", "os.mkdir", "os.remove", "os.rmdir", "os.chmod"})
"""What Python tells its audit hooks of files."""
TIMES = frozenset({"elapsed", "images_per_s"})
"""What of a log's line may differ."""
WORK = "somebody's work"
LOADED = ("unclip.recipes.run", "unclip.recipes.add", "unclip.cli.arguments.data", "unclip.cli.screen.progress",
          "matplotlib.figure", "matplotlib.backends.backend_agg")  # fmt: skip
"""What the commands import when they run."""


@dataclass
class Instant:
    """When a process dies: at operation `number` that `counts`, at training step `number` of `stage`, or after
    `seconds`. A process that never comes there lives."""

    kind: str
    number: int = 1
    stage: str = ""
    seconds: float = 0.0

    def arm(self, run: Path) -> None:
        """Lays the trap, in the process that shall die."""
        if self.stage:
            self._arm_step()
        elif not self.seconds:
            sys.addaudithook(self._hook(str(run)))

    def _arm_step(self) -> None:
        real, left = Trainer._one, self.number

        def one(trainer: Trainer, *about: Any) -> Any:
            nonlocal left
            if type(trainer.task).__name__.lower() == self.stage.replace("_", ""):
                left -= 1
                if left < 0:
                    die()
            return real(trainer, *about)

        Trainer._one = one  # pyright: ignore[reportAttributeAccessIssue]

    def _hook(self, run: str) -> Callable[[str, tuple[Any, ...]], None]:
        left = self.number

        def hook(event: str, about: tuple[Any, ...]) -> None:
            nonlocal left
            if event not in OPERATIONS or not isinstance(about[0], str | os.PathLike):
                return
            path = os.fspath(about[0])
            if not path.startswith(run) or (event == "open" and not writes(about[1])):
                return
            if (f"{run}/data" in path) == (self.kind == "prepare"):
                left -= 1
                if left < 0:
                    die()

        return hook


def writes(mode: object) -> bool:
    """Whether a file is opened to be changed."""
    return isinstance(mode, str) and any(letter in mode for letter in "wxa+")


def die() -> None:
    """No good-bye, no buffers, no locks given back."""
    os.kill(os.getpid(), signal.SIGKILL)


def forked(words: list[str], said: Path, before: Callable[[], object] = lambda: None) -> int:
    """The real command line in a process of its own, after `before`; what it says is appended to a file."""
    sys.stdout.flush()
    child = os.fork()
    if child:
        return child
    out = os.open(said, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for stream in (1, 2):
        os.dup2(out, stream)
    before()
    code: object = 3
    try:
        app(words)
        code = 0
    except SystemExit as stop:
        code = stop.code
    finally:
        sys.stdout.flush()
        os._exit(code if isinstance(code, int) else 3)


@dataclass
class Bench:
    """Data, settings, and the run to which nothing happened."""

    root: Path
    draw: random.Random
    seconds: float = 0.0
    killed: dict[str, int] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)
    runs: int = 0

    @property
    def whole(self) -> Path:
        """The uninterrupted run."""
        return self.root / "whole"

    def prepare(self) -> None:
        """Draws the images, writes the settings, trains the run that is compared with."""
        for name in LOADED:  # once here instead of in each child
            if importlib.util.find_spec(name.partition(".")[0]):
                importlib.import_module(name)
        data = self.root / "pictures"
        data.mkdir(parents=True)
        for i, (pixels, captions, _) in enumerate(World(32).sample(PICTURES, 0)):
            Image.fromarray(pixels).save(data / f"{i:03d}.png")
            (data / f"{i:03d}.txt").write_text("\n".join(captions), encoding="utf-8")
        write_settings(self.root / "settings.toml", settings())
        start = time.monotonic()
        for words in self.commands(self.whole):
            if self.process(words, self.whole, None) != "done":
                raise SystemExit(f"the uninterrupted run failed: unclip {' '.join(words)}")
        self.seconds = time.monotonic() - start

    def commands(self, run: Path) -> list[list[str]]:
        """What a person types."""
        begin = ["train", str(self.root / "pictures"), "--config", str(self.root / "settings.toml")]
        few = [f"{ADDED}.{name}" for name in ("width=32", "layers=1", "buckets=8", "waves=4", "train.batch=4")]
        few += [f"{ADDED}.train.steps={STEPS}", f"{ADDED}.train.optim.warmup=2"]
        sets = [word for setting in few for word in ("--set", setting)]
        return [[*begin, "--out", str(run), "--force"], ["add", ADDED, "--run", str(run), *sets]]

    def process(self, words: list[str], run: Path, instant: Instant | None) -> str:
        """Runs a command in a process of its own: "done", "killed", or what else became of it."""
        child = forked(words, self.root / f"{run.name}.txt", lambda: instant and instant.arm(run))
        if instant is not None and instant.seconds:
            time.sleep(instant.seconds)
            os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        if os.WIFSIGNALED(status):
            return "killed" if os.WTERMSIG(status) == signal.SIGKILL else f"signal {os.WTERMSIG(status)}"
        return "done" if os.WEXITSTATUS(status) in (0, 1) else f"exit code {os.WEXITSTATUS(status)}"

    def instant(self, number: int) -> Instant:
        """Where kill `number` shall strike."""
        kind = KINDS[number % len(KINDS)]
        if kind == "time":
            return Instant(kind, seconds=self.draw.uniform(0.05, self.seconds))
        if kind == "first" or (kind == "add" and self.draw.random() < 0.5):
            stage = ADDED.replace("_", "") if kind == "add" else self.draw.choice(["clip", "prior", "decoder"])
            return Instant(kind, self.draw.randrange(3), stage)
        return Instant(kind, self.draw.randrange(8 if kind == "prepare" else 60))

    def one(self, first: int, kills: int) -> int:
        """A run with up to `kills` kills from number `first` on; returns how many struck."""
        self.runs += 1
        began = time.monotonic()
        run, struck = self.root / f"run {self.runs}", 0
        beside = planted(self.root / f".run {self.runs}.99999.part")
        for words in self.commands(run):
            while True:
                instant = self.instant(first + struck) if struck < kills else None
                if instant is not None and (instant.kind == "add") != (words[0] == "add"):
                    instant = None
                ended = self.process(words, run, instant)
                if ended != "killed":
                    break
                struck += 1
                self.killed[instant.kind] = self.killed.get(instant.kind, 0) + 1  # pyright: ignore[reportOptionalMemberAccess]
                for place in (run, run / "checkpoints", run / "samples", run / "clip", run / "data"):
                    if place.is_dir():
                        planted(place)
            if ended != "done":
                self.wrong.append(f"run {self.runs}: unclip {words[0]}: {ended}, see run {self.runs}.txt")
                return struck
        if not struck:  # a machine that has become idle is faster, and most kills by the clock would come too late
            self.seconds = min(self.seconds, time.monotonic() - began)
        self.wrong += [f"run {self.runs}: {what}" for what in different(self.whole, run)]
        if not beside.is_file():
            self.wrong.append(f"run {self.runs}: what lay beside it is gone")
        shutil.rmtree(run)
        return struck


def planted(folder: Path) -> Path:
    """A file of somebody else's."""
    folder.mkdir(exist_ok=True)
    (folder / "thesis.txt").write_text(WORK, encoding="utf-8")
    return folder / "thesis.txt"


def settings() -> RunConfig:
    """Tiny networks, few steps, a checkpoint now and then."""
    few = TrainConfig(4, OptimConfig(lr=1e-3, muon_lr=1e-3, warmup=2), steps=STEPS)
    return RunConfig(
        size=32,
        precision="float32",
        checkpoint_seconds=0.1,
        recipes={
            "clip": CLIPRecipe(width=16, text_width=32, text_layers=1, vision_stem=(8, 16), vision_width=32, train=few),
            "prior": PriorRecipe(width=32, layers=1, sampling=replace(prior_sampling(), steps=2), train=few),
            "decoder": DecoderRecipe(
                network=UNetConfig(patch=2, widths=(8, 16), blocks=(1, 1), attention=(False, True), fine=8),
                sampling=replace(decoder_sampling(), steps=2),
                train=few,
            ),
        },
    )


def different(whole: Path, run: Path) -> Iterator[str]:
    """What of a run is not as in the other."""
    for stage in (*STAGES, "early/decoder"):
        if store.identity(whole / stage) != store.identity(run / stage):
            yield f"{stage} has other weights"
    for stage in STAGES:
        if log(whole, stage) != log(run, stage):
            yield f"the log of {stage} differs"
    for name in ("run.toml", "tokenizer.json", "data/captions.jsonl"):
        if (whole / name).read_bytes() != (run / name).read_bytes():
            yield f"{name} differs"
    if not np.array_equal(*(np.load(folder / "data" / "images.npy") for folder in (whole, run))):
        yield "the prepared images differ"
    previews = [{p.name: p.read_bytes() for p in (f / "samples").glob("*.png")} for f in (whole, run)]
    if previews[0] != previews[1]:
        yield "the previews differ"
    if RunFolder(whole).state().keys() != RunFolder(run).state().keys():
        yield "state.json names other stages"
    for path in run.rglob("*"):
        if path.name.endswith((".part", ".old", ".tmp")) or ".part." in path.name:
            yield f"{path.relative_to(run)} is left"
        if path.name.startswith("thesis") and path.read_text(encoding="utf-8") != WORK:
            yield f"{path.relative_to(run)}, which is somebody else's, was changed"
    if not (run / "thesis.txt").is_file() and any(run.rglob("thesis*")):
        yield "thesis.txt, which is somebody else's, is gone"


def log(run: Path, stage: str) -> list[str]:
    """Its lines without times."""
    lines = read_log(RunFolder(run).logs / f"{stage}.jsonl")
    return [json.dumps({k: v for k, v in line.items() if k not in TIMES}) for line in lines]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", type=Path, help="where to work, and leave what was written")
    asked = parser.parse_args()
    root = (asked.keep or Path(tempfile.mkdtemp(prefix="unclip-kills-"))).resolve()
    bench = Bench(root, random.Random(asked.seed))
    bench.prepare()
    struck, idle = 0, 0
    while struck < asked.kills and idle < 10:
        new = bench.one(struck, min(asked.kills - struck, bench.draw.choice((3, 4, 5))))
        struck, idle = struck + new, 0 if new else idle + 1
        print(f"run {bench.runs}: {new} kills, {struck} of {asked.kills}", file=sys.stderr, flush=True)
    print("| where | kills |\n|---|---|")
    for kind, count in sorted(bench.killed.items()):
        print(f"| {kind} | {count} |")
    print(f"| **all**, in {bench.runs} runs of {bench.seconds:.1f} s | {struck} |")
    print("\n".join(["", f"{len(bench.wrong)} differences", *bench.wrong]))
    if asked.keep is None and not bench.wrong:
        shutil.rmtree(root)
    raise SystemExit(bool(bench.wrong) or struck < asked.kills)


if __name__ == "__main__":
    main()
