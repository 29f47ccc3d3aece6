"""`make box`: a finished run becomes a model of the box, in src/unclip/box/models/NAME.

    python -m tools.box emoji runs/emoji --about "Noto Color Emoji (Apache-2.0) with their names" --machine "2 cores"
    python -m tools.box shapes runs/demo --scores runs/demo/scores.json

What is written: the run as `pack_run(half=True)` packs it, some of its images with their splits, a model card (card.md)
and box.json, with how it was made, its scores, and the SHA-256 of each file. Scores are those of RUN/evaluation, and of
each file of `--scores`. A run that is larger than `--megabytes` leaves room for is refused.
"""

import argparse
import json
import shutil
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from unclip.box.shipped import BOX, CARD, FORMAT, PLACE
from unclip.core.config.duration import words
from unclip.core.config.tables import is_table, read_json, read_toml
from unclip.core.disk import lock, store
from unclip.core.disk.elsewhere import INSTALLED, Elsewhere
from unclip.core.shown import shell_command
from unclip.data.prepare.read import WORDS, load_prepared, read_about, read_captions
from unclip.data.prepare.splits import by_side
from unclip.data.prepare.splits_file import read_splits, write_splits
from unclip.figures.score_rows import rows
from unclip.runs.folder import SEAL, RunFolder
from unclip.runs.modules import model_hash
from unclip.runs.pack import pack_run, restore
from unclip.text.words import words as words_of

MEGA = 1_000_000
ALIKE = (("text.", "clip", "text."), ("space.autoencoder.", f"{INSTALLED}models/autoencoder/weights", ""))
"""What a decoder may have in common with another model: with which its names begin here, where it is, and there."""


def main(argv: Sequence[str] | None = None) -> int:
    """Writes one model; 0 where it is there."""
    asked = _parser().parse_args(argv)
    folder = asked.place / asked.name
    part = folder.with_name(f".{asked.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    part.parent.mkdir(parents=True, exist_ok=True)
    try:
        pack_run(asked.run, part, half=True)
        keep_once(RunFolder(part))
        pack_images(RunFolder(asked.run), part, asked.images)
        sheet = describe(RunFolder(asked.run), RunFolder(part), asked)
        (part / CARD).write_text(card(sheet), encoding="utf-8")
        sheet["files"] = {str(file.relative_to(part).as_posix()): store.sha256(file) for file in _files(part)}
        (part / SEAL).write_text(store.to_json(sheet), encoding="utf-8")
        check_size([part, *(path.parent for path in asked.place.glob(f"[!.]*/{SEAL}") if path.parent != folder)], asked)
        shutil.rmtree(folder, ignore_errors=True)
        part.rename(folder)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    print(f"{folder}: {BOX}:{asked.name}, {_bytes(folder) / MEGA:.1f} MB, model {sheet['model']}")
    return 0


def keep_once(run: RunFolder) -> None:
    """Leaves out of the decoder what is CLIP's, or the autoencoder's that ships with unclip."""
    kept, away = store.load(run.root / "decoder"), list[Elsewhere]()
    tensors = dict(kept.tensors)
    for prefix, folder, theirs in ALIKE:
        one = Elsewhere(prefix, folder, theirs, "")
        there = store.load(one.place(run.root / "decoder"))
        found = one.taken(there.tensors)
        own = {name: value for name, value in kept.tensors.items() if name.startswith(prefix)}
        if own and own.keys() == found.keys() and all(torch.equal(own[k], found[k].to(own[k].dtype)) for k in own):
            away.append(replace(one, sha256=there.sha256))
            tensors |= found  # perhaps of another precision
    if away:
        restore(run, "decoder", kept, tensors, away)
        (run.root / lock.MARK).unlink(missing_ok=True)  # nobody goes on writing there


def pack_images(run: RunFolder, out: Path, n: int) -> None:
    """Copies n of the run's prepared images with captions and splits: a quarter held out for validation, a quarter for
    the test, the rest trained on; each part evenly spread over its rows."""
    if n == 0:
        return
    prepared = load_prepared(run.data)
    splits = read_splits(run.splits, len(prepared))
    held = [_spread(splits.of(name), n // 4) for name in ("validation", "test")]
    parts = [_spread(splits.train, n - sum(map(len, held))), *held]
    taken = np.sort(np.concatenate(parts))
    side = np.select([np.isin(taken, part) for part in parts], [0, 1, 2]).astype(np.uint8)
    (out / "data").mkdir()
    np.save(out / "data" / "images.npy", prepared.images[taken], allow_pickle=False)
    lines = (run.data / "captions.jsonl").read_text(encoding="utf-8").splitlines(keepends=True)
    captions = out / "data" / "captions.jsonl"
    captions.write_text("".join(lines[row] for row in taken.tolist()), encoding="utf-8")
    every = sorted({word for caption in read_captions(run.data) for word in words_of(caption)})
    (out / "data" / WORDS).write_text("".join(f"{word}\n" for word in every), encoding="utf-8")
    about = {**(read_about(run.data) or {}), "count": len(taken), "sha256": {captions.name: store.sha256(captions)}}
    (out / "data" / "prepared.json").write_text(json.dumps(about, indent=2), encoding="utf-8")
    write_splits(out / "splits.json", by_side(side), {"of": len(prepared)})


def describe(run: RunFolder, packed: RunFolder, asked: argparse.Namespace) -> dict[str, Any]:
    """All that box.json says but the hashes of the files."""
    settings, state = read_toml(run.settings, "the settings of a run"), run.state()
    metrics = {name: state[name]["metrics"] for name in run.networks()}
    seconds = sum(float(each.get("seconds", 0)) for each in metrics.values())
    made = {
        "command": asked.command or _command(settings),
        "seed": settings["seed"],
        "pairs": state["data"]["metrics"]["pairs"],
        "steps": {name: each.get("steps") for name, each in metrics.items()},
        "time": words(seconds),
        "machine": asked.machine,
        "unclip": settings.get("unclip", ""),
        "run": model_hash(run),
    }
    return {
        "format": FORMAT,
        "name": asked.name,
        "about": asked.about,
        "size": settings["size"],
        "model": model_hash(packed),
        "prompts": asked.prompt or _held_captions(packed)[:12],
        "parameters": {name: each.get("parameters") for name, each in metrics.items()},
        "made": made,
        "scores": dict(_scores(run, asked.scores)),
    }


def _held_captions(packed: RunFolder) -> list[str]:
    """The first captions of its images of the test split."""
    if not packed.splits.exists():
        return []
    prepared = load_prepared(packed.data)
    return [prepared.captions[row][0] for row in read_splits(packed.splits, len(prepared)).test.tolist()]


def _command(settings: Mapping[str, Any]) -> str:
    """What trains such a run, as far as its settings say."""
    options = {name: settings[name] for name in ("model", "size", "seed")} | {"budget": words(settings["budget"])}
    return shell_command("unclip", "train", "DATA", *(f"--{name}={value}" for name, value in options.items()))


def _scores(run: RunFolder, more: Sequence[Path]) -> Iterator[tuple[str, Any]]:
    """Name of a file -> what it says, of the run's evaluations and of those that were named."""
    for path in [*sorted(run.evaluation.glob("*/scores.json")), *more]:
        found = read_json(path, "the scores of a run")
        if "model" in found and found["model"] != model_hash(run):
            raise ValueError(f"{path}: scores of the model {found['model']}, not of this run ({model_hash(run)})")
        name = f"{path.parent.name} split" if path.is_relative_to(run.evaluation) else path.stem
        yield name, {**found, "run": run.root.name} if "run" in found else found  # not where it lay on the machine


def card(sheet: Mapping[str, Any]) -> str:
    """The model card: what it is, how it was made, and all its scores."""
    made = {name: _told(value) for name, value in sheet["made"].items() if value not in ("", None)}
    parts = [
        f"# {BOX}:{sheet['name']}\n\n{sheet['about']}\n",
        f"Images of {sheet['size']} px; parameters: {_told(sheet['parameters'])}. Model hash `{sheet['model']}`.\n",
        "Weights: matrices in bfloat16, the rest in float32.\n",
        "## How it was made\n\n" + _table(("", ""), made.items()),
    ]
    for name, found in sheet["scores"].items():
        scores = found.get("scores", found)
        parts.append(f"## Scores: {name}\n\n" + _table(("score", "figure", "value"), rows(scores)))
    return "\n".join(parts)


def _told(value: object) -> str:
    return ", ".join(f"{name} {part:,}" for name, part in value.items()) if is_table(value) else f"{value}"


def _table(head: Sequence[str], lines: Iterable[Sequence[object]]) -> str:
    body = [head, ["---"] * len(head), *lines]
    return "".join(f"| {' | '.join(str(cell).replace('|', '/') for cell in line)} |\n" for line in body)


def check_size(folders: Sequence[Path], asked: argparse.Namespace) -> None:
    """Raises ValueError where the models take more than they may together."""
    total = sum(map(_bytes, folders)) / MEGA
    if total > asked.megabytes:
        raise ValueError(
            f"{total:.1f} MB with {', '.join(folder.name.strip('.') for folder in folders)}, and the box may hold "
            f"{asked.megabytes:g}: pack a smaller run, or fewer --images"
        )


def _spread(among: np.ndarray, n: int) -> np.ndarray:
    return among[np.unique(np.linspace(0, len(among) - 1, min(n, len(among))).round().astype(int))] if n else among[:0]


def _files(folder: Path) -> list[Path]:
    return sorted(file for file in folder.rglob("*") if file.is_file())


def _bytes(folder: Path) -> int:
    return sum(file.stat().st_size for file in _files(folder))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", help="as in box:NAME")
    parser.add_argument("run", type=Path, help="a finished run")
    parser.add_argument("--about", default="", help="the data and their licence, in a sentence")
    parser.add_argument("--command", default="", help="what trained it")
    parser.add_argument("--machine", default="", help="what it was trained on")
    parser.add_argument("--prompt", action="append", default=[], help="what `unclip demo` draws with it; repeat it")
    parser.add_argument("--scores", type=Path, action="append", default=[], help="a further file of scores")
    parser.add_argument("--images", type=int, default=120, help="how many of the run's images ship with it")
    parser.add_argument("--megabytes", type=float, default=24.0, help="what all models may take together")
    parser.add_argument("--place", type=Path, default=PLACE)
    return parser


if __name__ == "__main__":
    sys.exit(main())
