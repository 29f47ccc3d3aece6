"""Which stage an error comes from: exact scores of a drawn-shapes run with parts of its pipeline replaced.

    python benchmarks/trace_errors.py runs/demo [-n 96]

The decoder gets, beside the caption: the embedding of a true picture of the prompt, the prior's embedding (what
`generate` does), the text embedding in its place, or nothing. Prints a Markdown row each: whole scenes right.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from unclip.core import machine
from unclip.core.noise import Noise
from unclip.core.typing import Images, Vectors
from unclip.data.loader import to_pixels, to_tensor
from unclip.data.shapes_caption import Prompt, listing
from unclip.data.shapes_parse import score_many
from unclip.data.shapes_world import Scene, World
from unclip.models.decoder import drop_captions
from unclip.pipeline.run_folder import RunFolder
from unclip.pipeline.text_to_image import TextToImage, there

GIVEN = ("true picture + caption", "prior + caption", "text embedding + caption", "caption alone")
KINDS = {"one_seen": (1, "seen"), "one_unseen": (1, "unseen"), "two_seen": (2, "seen")}


def embedding(model: TextToImage, given: str, texts: Sequence[str], seeds: range, scenes: Sequence[Scene]) -> Vectors:
    """What stands in for the image embedding."""
    if given.startswith("true"):
        world = World(32)
        return model.embed_images(to_tensor(np.stack([world.draw(s) for s in scenes])))
    return model.embed_prompts(texts, seeds) if given.startswith("prior") else model.embed_captions(texts)


@torch.no_grad()
def draw(model: TextToImage, given: str, texts: Sequence[str], seeds: range, scenes: Sequence[Scene]) -> Images:
    """One picture a prompt with the run's own sampling."""
    decoder, noise = there(model.decoder, "decoder"), Noise.per_sample(seeds)
    ids, mask = model.tokenizer(texts)
    z = embedding(model, given, texts, seeds, scenes)
    if given != "caption alone":
        *_, last = decoder.sample(z, ids, mask, noise)
        return last.x
    none = torch.zeros(len(z), dtype=torch.bool)
    cond, null = decoder.condition(z, none, ids, mask), decoder.condition(z, none, *drop_captions(ids, mask, none))
    shape = (len(z), 3, decoder.config.size, decoder.config.size)
    *_, last = decoder.diffusion.sample(shape, cond, null, noise, decoder.config.sampling)
    return last.x


def score(model: TextToImage, given: str, kind: str, n: int) -> str:
    """The share of whole scenes right."""
    count, pairs = KINDS[kind]
    rng, world = np.random.default_rng(7), World(32)
    scenes = [world.scene(rng, count=count, pairs=pairs) for _ in range(n)]
    asked = [Prompt(listing(s.kinds, rng), s.kinds, None, kind) for s in scenes]
    parts = []
    for i in range(0, n, 48):
        seeds = range(i, min(i + 48, n))
        parts.append(draw(model, given, [p.text for p in asked[i : i + 48]], seeds, scenes[i : i + 48]))
    rate = score_many(list(to_pixels(torch.cat(parts))), asked)[kind]["whole"]
    return f"{rate.fraction:.0%} ± {rate.error:.0%}"


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("run", type=Path)
    parser.add_argument("-n", type=int, default=96)
    args = parser.parse_args()
    model = TextToImage.load(RunFolder(args.run), machine.device())
    print("| given to the decoder | one seen | one never seen | two objects |\n|---|---|---|---|")
    for given in GIVEN:
        print(f"| {given} | {' | '.join(score(model, given, kind, args.n) for kind in KINDS)} |", flush=True)


if __name__ == "__main__":
    main()
