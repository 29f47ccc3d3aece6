"""How holes should be filled: what is known put in at the end, at each step, or with RePaint's walks back.

    python benchmarks/inpainting.py RUN [--pictures 64] [--steps 24] [--seed 0]

On held-out images of a finished run with random holes, their own embeddings and captions: RMS error in the hole, the
step over its border beside that of the data, and evaluations of the network; for the decoder alone, and for the
inpainting stage where the run has one.
"""

import argparse
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch

import unclip
from unclip.core.noise import Noise
from unclip.core.typing import Images
from unclip.data.loader import to_tensor
from unclip.data.masks import random_masks
from unclip.data.prepare.write import load_prepared
from unclip.diffusion.samplers import Anchored, RePaint, Sampler, Walk
from unclip.evaluation.fidelity.inpainting import HOLES, hole_error, seam
from unclip.generation.text_to_image import TextToImage
from unclip.models.known_region import KnownRegion
from unclip.recipes.settings.run import stored_config
from unclip.recipes.splits import splits_of
from unclip.runs.folder import RunFolder

Make = Callable[[KnownRegion, Sampler], Walk]
WALKS: dict[str, Make] = {
    "at the end only": lambda given, sampler: sampler,
    "x0 at each step": lambda given, sampler: Anchored(given.images, given.mask, sampler),
    "state at each step": lambda given, _: RePaint(given.images, given.mask, resamples=1),
    "RePaint 3 x 3": lambda given, _: RePaint(given.images, given.mask, 3, 3),
    "RePaint 6 x 4": lambda given, _: RePaint(given.images, given.mask, 6, 4),
    "RePaint 10 x 10": lambda given, _: RePaint(given.images, given.mask, 10, 10),
}
"""Name -> the walk; RePaint jump x resamples."""


@torch.no_grad()
def painted(
    model: TextToImage, inpainter: bool, make: Make, given: KnownRegion, words: list[str], steps: int
) -> tuple[Images, int]:
    """The filled images, and how many steps it took."""
    ids, seen = model.tokenizer(words)
    how = replace(model.sampling, steps=steps)
    part = model.inpainter.decoder if inpainter else model.decoder
    conditions = part.conditions(model.embed_images(given.images), ids, seen)
    if inpainter:
        conditions = tuple(replace(c, image=given.shown()) for c in conditions)
    noise = Noise.per_sample(range(len(words))).fork("inpainting")
    walk = part.diffusion.walk(noise.normal(given.images.shape), *conditions, noise, how, make(given, how.sampler))
    *_, last = made = list(walk)
    return torch.where(given.mask == 1, given.images, last.x.clamp(-1, 1)), len(made)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("--pictures", type=int, default=64)
    parser.add_argument("--steps", type=int, default=24)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    model, prepared = unclip.load(asked.run, "cpu"), load_prepared(RunFolder(asked.run).data)
    folder = RunFolder(asked.run)
    rows = splits_of(folder, prepared, stored_config(folder.settings)).test[: asked.pictures]
    images, words = to_tensor(prepared.images[rows]), [prepared.captions[r][0] for r in rows]
    noise = Noise.per_sample(range(asked.seed, asked.seed + len(rows))).fork("holes")
    given = KnownRegion(images, random_masks(len(rows), *images.shape[2:], noise, HOLES))
    print(f"{'':32} error  +-     seam   steps   (seam of the data {seam(images, given.mask):.3f})")
    for inpainter in (False, True)[: 1 + (model.inpainter is not None)]:
        for name, make in WALKS.items():
            x, count = painted(model, inpainter, make, given, words, asked.steps)
            error = hole_error(x, images, given.mask)
            spread, who = error.std() / len(rows) ** 0.5, f"{'inpainter' if inpainter else 'decoder'}, {name}"
            print(f"{who:32} {error.mean():.3f}  {spread:.3f}  {seam(x, given.mask):.3f}  {count:4}")


if __name__ == "__main__":
    main()
