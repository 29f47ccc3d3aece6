"""Runs that are broken on purpose in eight ways, and sound ones: does `unclip diagnose` name each, and accuse none?

    python benchmarks/broken_runs.py FOLDER --sound UNCLIP_RUN [RUN ...]

The first sound run is a finished one of model unclip; copies of it get other weights or statistics. What is wrong from
the first step on is trained here, for a minute each. Prints a table; the exit code says whether all was well. Runs that
lie in FOLDER already are diagnosed again, not made again.
"""

import argparse
import json
import random
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch

from unclip.cli.main import app
from unclip.clip.model import CLIP, CLIPConfig
from unclip.core.disk import store
from unclip.core.noise import initial_weights
from unclip.recipes import feed
from unclip.studies.diagnose.check import first_cause
from unclip.studies.diagnose.study import diagnose, verdict

Break = Callable[[Path, Path, Path], None]
"""Makes a broken run: of (where it shall lie, a sound run, the drawn images)."""
STEPS = 200


def call(*words: object) -> None:
    try:
        app([str(word) for word in words])
    except SystemExit as stop:
        if stop.code not in (0, 1, 2, None):  # a gate said no, or it diverged, as it should
            raise


def ddpm(out: Path, pictures: Path, *settings: str) -> None:
    """A small DDPM of drawn shapes."""
    small = ("ddpm.network.widths=[16,32]", "ddpm.network.blocks=[1,2]", f"ddpm.train.steps={STEPS}", *settings)
    said = [word for setting in small for word in ("--set", setting)]
    call("train", pictures, "--out", out, "--model", "ddpm", "--size", 32, *said)


def clip_alone(out: Path, pictures: Path, steps: int) -> None:
    """The CLIP of a run, which ends there: its gate says no."""
    said = ["--set", f"clip.train.steps={steps}", "--set", "clip.vision_stem=[16,32]"]
    call("train", pictures, "--out", out, "--size", 32, *said)


def recaptioned(pictures: Path, place: Path, change: Callable[[list[str]], list[str]]) -> Path:
    """The images with other captions."""
    shutil.copytree(pictures, place)
    rows = [json.loads(line) for line in (place / "metadata.jsonl").read_text(encoding="utf-8").splitlines()]
    images = list({row["file_name"]: row for row in rows}.values())
    texts = change([row["text"] for row in images])
    lines = (json.dumps({**row, "text": text}) + "\n" for row, text in zip(images, texts, strict=True))
    (place / "metadata.jsonl").write_text("".join(lines), encoding="utf-8")
    return place


def shuffled(texts: list[str]) -> list[str]:
    return random.Random(0).sample(texts, len(texts))


def rewritten(out: Path, sound: Path, name: str, change: Callable[[store.Stored], dict[str, torch.Tensor]]) -> None:
    """A copy of the sound run with other weights of a stage, whole in themselves."""
    shutil.copytree(sound, out)
    stored = store.load(out / name, name)
    store.save(out / name, name, stored.config, change(stored), stored.extra)


def fresh(stored: store.Stored) -> dict[str, torch.Tensor]:
    with initial_weights(7, "clip"):
        return CLIP(CLIPConfig.from_dict(stored.config)).state_dict()


def turned(stored: store.Stored) -> dict[str, torch.Tensor]:
    """A CLIP as good as before, whose dimensions mean something else: what was trained on the old one is of another."""
    names = ("image_projection.weight", "text_projection.weight")
    return stored.tensors | {name: -stored.tensors[name].roll(17, 0) for name in names}


def unscaled(stored: store.Stored) -> dict[str, torch.Tensor]:
    mean, std = (stored.tensors[f"statistics.{name}"] for name in ("mean", "std"))
    return stored.tensors | {"statistics.mean": mean * 0, "statistics.std": std * 0 + 1}


def positive(out: Path, sound: Path, pictures: Path) -> None:
    """Trained on [0, 1]."""
    own = feed.to_tensor
    feed.to_tensor = lambda pixels: (own(pixels) + 1) / 2
    try:
        ddpm(out, pictures, "ddpm.train.steps=400")
    finally:
        feed.to_tensor = own


RATES = ("ddpm.train.optim.lr={0}", "ddpm.train.optim.muon_lr={0}")
BROKEN: dict[str, tuple[str, Break]] = {
    "rate-too-low": ("rate is too low", lambda o, s, p: ddpm(o, p, *(r.format(1e-6) for r in RATES))),
    "rate-too-high": ("rate is too high", lambda o, s, p: ddpm(o, p, *(r.format(0.3) for r in RATES))),
    "no-captions": (
        "captions are all the same",
        lambda o, s, p: clip_alone(o, recaptioned(p, o.with_suffix(".data"), lambda t: ["a picture"] * len(t)), 30),
    ),
    "shuffled-captions": (
        "captions do not belong",
        lambda o, s, p: clip_alone(o, recaptioned(p, o.with_suffix(".data"), shuffled), STEPS),
    ),
    "untrained-clip": ("never trained", lambda o, s, p: rewritten(o, s, "clip", fresh)),
    "prior-of-another-clip": ("prior of another CLIP", lambda o, s, p: rewritten(o, s, "clip", turned)),
    "too-few-steps": ("too few steps", lambda o, s, p: ddpm(o, p, "ddpm.train.steps=40")),
    "dead-average": ("average of its weights lags", lambda o, s, p: ddpm(o, p, "ddpm.train.ema_decay=0.99999")),
    "wrong-statistics": ("normalisation is wrong", lambda o, s, p: rewritten(o, s, "decoder", unscaled)),
    "images-in-0-1": ("normalisation is wrong", positive),
}
"""Name -> (what the verdict must say, how the run is broken)."""


def main() -> int:
    ask = argparse.ArgumentParser(description="Runs broken on purpose, and what `unclip diagnose` says of them.")
    ask.add_argument("folder", type=Path)
    ask.add_argument("--sound", type=Path, nargs="+", required=True)
    ask.add_argument("--only", nargs="*", default=[])
    given = ask.parse_args()
    pictures, table, good = given.folder / "pictures", [], True
    if not pictures.exists():
        call("shapes", pictures, "-n", 1500)
    for name, (wanted, make) in BROKEN.items():
        if given.only and name not in given.only:
            continue
        place = given.folder / name
        if not place.exists():
            make(place, given.sound[0], pictures)
        told, seconds, _ = asked(place)
        named = wanted in told
        good = good and named
        table.append((name, "named" if named else "MISSED", f"{seconds:.0f} s", told))
        print(*table[-1], sep=" | ", flush=True)
    for run in [] if given.only else given.sound:
        told, seconds, accused = asked(run)
        good = good and not accused
        table.append((str(run), "ACCUSED" if accused else "not accused", f"{seconds:.0f} s", told))
        print(*table[-1], sep=" | ", flush=True)
    print("\n| run | | time | verdict |\n|---|---|---|---|")
    print("\n".join(f"| {' | '.join(row)} |" for row in table))
    return 0 if good else 1


def asked(run: Path) -> tuple[str, float, bool]:
    """(the verdict, seconds, whether something is said to be wrong)."""
    start, checks = time.monotonic(), list(diagnose(run))
    return verdict(checks), time.monotonic() - start, first_cause(checks) is not None


if __name__ == "__main__":
    sys.exit(main())
