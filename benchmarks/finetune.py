"""What a start from trained weights is worth: two halves of a data set, and losses on what runs hold out.

    python benchmarks/finetune.py halves DATA OUT     # OUT/a, OUT/b: by the first part of each file name
    python benchmarks/finetune.py losses RUN ...      # runs with the same data and seed

A file name's first part, up to "_" or ".", is an emoji's first code point: its skin tones and genders stay together.
Losses: of each run's decoder, told the embeddings of its own CLIP, with the same noise for all runs; and how often its
CLIP finds the caption of an image. `unclip evaluate` judges the prior: its loss is in units of its own embeddings.
"""

import hashlib
import json
import re
import shutil
import sys
from pathlib import Path

import torch

import unclip
from unclip.core.noise import Noise
from unclip.core.task import Batch
from unclip.data.loader import to_tensor
from unclip.data.prepare.write import load_prepared
from unclip.recipes.settings.run import stored_config
from unclip.recipes.splits import splits_of
from unclip.runs.folder import RunFolder

DRAWS = 16
"""Noise levels and noises a pair."""


@torch.no_grad()
def losses(root: str) -> tuple[float, float, float, int]:
    """(decoder, its standard error over pairs' draws, CLIP's share of captions found, pairs)."""
    run, model = RunFolder(Path(root)), unclip.load(root)
    prepared = load_prepared(run.data)
    splits = splits_of(run, prepared, stored_config(run.settings))
    rows = [*splits.validation, *splits.test]
    images, captions = to_tensor(prepared.images[rows]), [prepared.captions[row][0] for row in rows]
    ids, mask = model.tokenizer(captions)
    z = model.embed_images(images).float().cpu()
    batch = Batch(images=images, ids=ids, mask=mask, image_embedding=z)
    found = [float(model.decoder.loss(batch, Noise.shared("held out", n)).total) for n in range(DRAWS)]
    similar = z @ model.embed_captions(captions).float().cpu().T
    right = (similar.argmax(1) == torch.arange(len(rows))).float().mean()
    spread = torch.tensor(found)
    return spread.mean().item(), (spread.std() / DRAWS**0.5).item(), right.item(), len(rows)


def halve(data: Path, out: Path) -> None:
    """Copies an image folder with metadata.jsonl as two."""
    lines = (data / "metadata.jsonl").read_text(encoding="utf-8").splitlines()
    halves: dict[str, list[str]] = {"a": [], "b": []}
    for line in lines:
        name = json.loads(line)["file_name"]
        half = "ab"[hashlib.sha256(re.split(r"[_.]", name)[0].encode()).digest()[0] % 2]
        halves[half].append(line)
        (out / half).mkdir(parents=True, exist_ok=True)
        shutil.copyfile(data / name, out / half / name)
    for half, rows in halves.items():
        (out / half / "metadata.jsonl").write_text("\n".join(rows) + "\n", encoding="utf-8")
        print(f"{out / half}: {len(rows):,} pairs")


if __name__ == "__main__":
    if sys.argv[1] == "halves":
        halve(Path(sys.argv[2]), Path(sys.argv[3]))
    else:
        print("run | decoder's loss | CLIP R@1, % | pairs")
        for name in sys.argv[2:]:
            loss, error, right, pairs = losses(name)
            print(f"{name} | {loss:.3f} +- {error:.3f} | {100 * right:.1f} | {pairs}", flush=True)
