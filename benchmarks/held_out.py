"""The losses of finished text-to-image runs on the pairs that they hold out, for runs with the same data and seed.

    python benchmarks/held_out.py RUN ...

Each run's decoder, told the embeddings of its own CLIP, and each run's CLIP; noise and noise levels are the same for
all runs. The prior is judged by `unclip evaluate`: its loss is in units of its own embeddings.
"""

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


if __name__ == "__main__":
    print("run | decoder's loss | CLIP R@1, % | pairs")
    for name in sys.argv[1:]:
        loss, error, right, pairs = losses(name)
        print(f"{name} | {loss:.3f} +- {error:.3f} | {100 * right:.1f} | {pairs}", flush=True)
