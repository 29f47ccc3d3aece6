"""Every command as a process of its own, under other encodings, 40 columns and a closed pipe: the same files?

    python benchmarks/terminals.py                              # every command, every setting
    python benchmarks/terminals.py --only generate blend

On a tiny run that it trains first, with letters beyond ASCII in captions, prompts and names. Prints a line for each
command and setting, and exits with 1 where a file differs from that under UTF-8; half an hour on two cores.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from kills import settings
from PIL import Image

from unclip.data.shapes.world import World
from unclip.recipes.settings.run import write_settings

WORDS = "ein grüner Würfel ❤ :heart: [b]x[/b]"
SCENES = 48
SETTINGS = {
    "utf-8": {"PYTHONIOENCODING": "utf-8"},
    "ascii": {"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0", "LC_ALL": "C", "PYTHONCOERCECLOCALE": "0"},
    "posix": {"LC_ALL": "POSIX"},
    "cp1252": {"PYTHONIOENCODING": "cp1252"},
    "latin-1": {"PYTHONIOENCODING": "latin-1"},
    "40 columns": {"COLUMNS": "40"},
    "closed pipe": {},
    "no stdout": {},
}
"""Name -> what is set in the environment; a default encoding that is not UTF-8 is told by -X warn_default_encoding."""
DEMO = ("utf-8", "ascii", "closed pipe")
"""For the demo, whose scores take two minutes."""
BY_TIME = ("demo", "compare-priors")
"""Commands that train for a time, so that only the names of what they write can be compared."""
NEW = ("add", "compare-priors")
"""Commands that change a run: each has a copy of its own."""
TIMES = re.compile(r"elapsed|images_per_s|seconds|began|sha256|per_image|time")
"""Keys whose values tell when, or how fast."""
UPSAMPLER = ("network.widths=[16, 32]", "network.blocks=[1, 1]", "network.embedding=32", "network.fine=8",
             "sampling.steps=2", "train.steps=4", "train.batch=4")  # fmt: skip
PRIOR = ("width=32", "layers=1", "buckets=8", "waves=4", "train.steps=4", "train.batch=4")


@dataclass(frozen=True)
class Place:
    """A folder with data, a run with an upsampler, an image and a mask."""

    root: Path

    @property
    def data(self) -> Path:
        """Captioned images."""
        return self.root / "Bilder é"

    @property
    def run(self) -> Path:
        """What was trained on them."""
        return self.root / "Lauf é [b]"

    def prepare(self) -> None:
        """Draws and trains everything, under UTF-8."""
        self.data.mkdir()
        lines: list[str] = []
        for i, (pixels, captions, _) in enumerate(World(64).sample(SCENES, 0)):
            Image.fromarray(pixels).save(self.data / f"ü{i:03d}.png")
            lines.append(json.dumps({"file_name": f"ü{i:03d}.png", "text": f"{captions[0]} {WORDS}"}))
        (self.data / "metadata.jsonl").write_text("\n".join(lines), encoding="utf-8")
        write_settings(self.root / "settings.toml", replace(settings(), held_out=0.2))
        Image.new("RGB", (32, 32), "red").save(self.root / "ü.png")
        mask = Image.new("L", (32, 32))
        mask.paste(255, (0, 0, 16, 32))
        mask.save(self.root / "mask.png")
        for words in (self._train(self.run), self._add("upsampler", UPSAMPLER, self.run)):
            code, files = result(words, "utf-8", self.run)
            if code not in (0, 1) or not files:
                raise SystemExit(f"unclip {' '.join(words)} failed")

    def _train(self, out: Path | str) -> list[str]:
        config = str(self.root / "settings.toml")
        return ["train", str(self.data), "--config", config, "--out", str(out), "--force"]

    def _add(self, stage: str, few: tuple[str, ...], run: Path | str) -> list[str]:
        sets = [word for setting in few for word in ("--set", f"{stage}.{setting}")]
        return ["add", stage, str(self.data), "--run", str(run), *sets]

    def commands(self) -> dict[str, list[str]]:
        """Each command, with few steps; OUT stands for the folder that it writes to."""
        run, data, picture = str(self.run), str(self.data), str(self.root / "ü.png")
        few = ["--run", run, "--steps", "2", "--out", "OUT"]
        return {
            "help": ["--help"],
            "shapes": ["shapes", "OUT/é", "-n", "5"],
            "data": ["data", data],
            "pack": ["pack", data, "OUT/é"],
            "train": self._train("OUT/run é"),
            "train ddpm": ["train", data, "--model", "ddpm", "--out", "OUT/run é", "--force", "--size", "16", "--set",
                           "ddpm.train.steps=3", "--set", "ddpm.sampling.steps=2"],
            "add": self._add("autoregressive_prior", PRIOR, "OUT/run é"),
            "info": ["info", run],
            "generate": ["generate", WORDS, "-n", "3", *few],
            "upsample": ["upsample", picture, "--run", run, "--out", "OUT"],
            "vary": ["vary", picture, "-n", "2", *few],
            "blend": ["blend", picture, picture, "-n", "2", *few],
            "diff": ["diff", picture, "--to", WORDS, "-n", "2", *few],
            "invert": ["invert", picture, *few],
            "probe": ["probe", picture, "--labels", WORDS, "x", *few],
            "edit": ["edit", picture, WORDS, "--mask", str(self.root / "mask.png"), "-n", "1", *few],
            "extend": ["extend", picture, WORDS, "--right", "0.5", "-n", "1", *few],
            "classify": ["classify", picture, "--labels", WORDS, "x", "--run", run],
            "search": ["search", WORDS, "--run", run, "--out", "OUT"],
            "evaluate": ["evaluate", run, "-n", "4", "--json", "OUT/é.json"],
            "compare-priors": ["compare-priors", "--run", "OUT/run é", "--budget", "1s", "-n", "4", "--json",
                               "OUT/é.json"],
            "study": ["study", "--run", run, "-n", "2", "--pairs", "2", "--steps", "2,3", "--scales", "1,2", "--out",
                      "OUT/é"],
            "explain": ["explain", "--run", run, "-n", "1", "--steps", "2", "--samplers", "ddim", "--out", "OUT/é"],
            "pack-run": ["pack-run", run, "OUT/é"],
            "demo": ["demo", "--out", "OUT/run é", "--budget", "3s"],
        }  # fmt: skip

    def ready(self, name: str, out: Path) -> None:
        """Lays a copy of the run where a command would change it."""
        if name in NEW:
            shutil.copytree(self.run, out / "run é")


def result(words: list[str], setting: str, out: Path) -> tuple[int, dict[str, bytes]]:
    """The exit code of a command, and the files that it wrote; 99 with what is wrong where Python itself complained."""
    process = [sys.executable, "-X", "warn_default_encoding", "-m", "unclip", *words]
    environment = {**os.environ, **SETTINGS[setting]}
    if setting == "no stdout":
        process = ["sh", "-c", 'exec "$@" >&-', "sh", *process]
    if setting == "closed pipe":
        reader, writer = os.pipe()
        os.close(reader)
        done = subprocess.run(process, env=environment, stdout=writer, stderr=subprocess.PIPE)
        os.close(writer)
    else:
        done = subprocess.run(process, env=environment, capture_output=True)
    said = done.stderr.decode(errors="replace").splitlines()
    if faults := [line for line in said if "Traceback" in line or ("EncodingWarning" in line and "unclip" in line)]:
        return 99, dict.fromkeys(faults, b"")
    if done.returncode not in (0, 1):
        return done.returncode, dict.fromkeys(said, b"")
    return done.returncode, dict(files(out))


def files(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Names and contents below a folder, without times; which checkpoints stay is a matter of time."""
    for path in sorted(folder.rglob("*")):
        if "checkpoints" in path.parts:
            continue
        if path.is_file() and path.suffix in (".json", ".jsonl"):
            lines = path.read_text(encoding="utf-8").splitlines() if path.suffix == ".jsonl" else [path.read_bytes()]
            yield str(path.relative_to(folder)), repr([timeless(json.loads(line)) for line in lines]).encode()
        elif path.is_file():
            yield str(path.relative_to(folder)), path.read_bytes()


def timeless(value: Any) -> Any:
    """JSON without what tells of time."""
    if isinstance(value, dict):
        return {k: timeless(v) for k, v in value.items() if not TIMES.search(k)}  # pyright: ignore
    return [timeless(v) for v in value] if isinstance(value, list) else value  # pyright: ignore


def differing(name: str, found: tuple[int, dict[str, bytes]], right: tuple[int, dict[str, bytes]]) -> list[str]:
    """Files that are not as under UTF-8."""
    if name in BY_TIME:
        names = ({path for path in each[1] if "/" not in path.removeprefix("run é/")} for each in (found, right))
        return [*set.symmetric_difference(*names)]
    every = sorted(found[1].keys() | right[1].keys())
    return [path for path in every if found[1].get(path) != right[1].get(path)]


def main() -> int:
    """1 where anything differs, or a command failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="*", default=[])
    asked, wrong = parser.parse_args(), 0
    with tempfile.TemporaryDirectory(prefix="unclip-terminals-") as folder:
        place = Place(Path(folder))
        place.prepare()
        for name, words in place.commands().items():
            if asked.only and name not in asked.only:
                continue
            right = None
            for setting in DEMO if name == "demo" else SETTINGS:
                out = place.root / "out"
                place.ready(name, out)
                found = result([word.replace("OUT", str(out)) for word in words], setting, out)
                right = right or found
                bad = differing(name, found, right) or ([*found[1]] if found[0] not in (0, 1) else [])
                bad += [f"exit code {found[0]} in the place of {right[0]}"] * (found[0] != right[0])
                wrong += len(bad)
                told = f"  DIFFERS: {'; '.join(bad[:5])}" if bad else ""
                print(f"{name:14} {setting:12} exit {found[0]}, {len(found[1])} files{told}", flush=True)
                shutil.rmtree(out, ignore_errors=True)
    print(f"{wrong} differences")
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
