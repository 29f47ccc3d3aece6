"""How well a negative prompt removes a colour: docs/guidance.md.

    python benchmarks/negative_prompts.py [--run box:emoji] [-n 48] [--guidance W ...] > negative.json

For each thing that the training captions have in many colours ("heart", "circle" ...), n images of its name alone,
then the same seeds with `negative` the colour that came most often, and the second. Counted: images whose painted
pixels (those unlike the corners) have that colour as their nearest of the palette; by no model, so by no judge that the
run was trained with. The errors are those of a binomial share.
"""

import argparse
import json
from collections import Counter
from collections.abc import Sequence

import numpy as np
from PIL import Image

import unclip

THINGS = ("heart", "circle", "square")
PALETTE = {
    "red": (221, 46, 68),
    "orange": (244, 144, 12),
    "yellow": (253, 203, 88),
    "green": (120, 177, 89),
    "blue": (85, 172, 238),
    "purple": (170, 142, 214),
    "brown": (193, 105, 79),
    "black": (49, 55, 61),
    "white": (230, 231, 232),
    "pink": (244, 171, 186),
}
"""The colours of the words, as the pictures that the run was trained on have them (Twemoji)."""


def colour(image: Image.Image) -> str:
    """The word for what it is painted in."""
    pixels = np.asarray(image.convert("RGB"), dtype=float)
    corner = np.median(pixels[[0, 0, -1, -1], [0, -1, 0, -1]], axis=0)
    painted = pixels[np.abs(pixels - corner).max(-1) > 24]
    middle = np.median(painted, axis=0) if len(painted) else corner
    return min(PALETTE, key=lambda word: float(np.abs(middle - PALETTE[word]).sum()))


def counted(images: Sequence[Image.Image]) -> Counter[str]:
    return Counter(map(colour, images))


def share(count: int, n: int) -> dict[str, float]:
    p = count / n
    return {"share": p, "error": (p * (1 - p) / n) ** 0.5}


def measured(model: unclip.ImageModel, thing: str, n: int, guidance: float | None) -> list[dict[str, object]]:
    """Before and after, of the two colours that come most often."""
    plain = counted(model.generate([thing], n, seed=1, settings=unclip.Settings(guidance=guidance)))
    rows = list[dict[str, object]]()
    for word, count in plain.most_common(2):
        how = unclip.Settings(guidance=guidance, negative=word)
        found = counted(model.generate([thing], n, seed=1, settings=how))
        sizes = {"without": share(count, n), "with": share(found[word], n)}
        rows.append({"thing": thing, "negative": word, "guidance": guidance, **sizes, "found": dict(found)})
        print(json.dumps(rows[-1]), flush=True)
    return rows


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", default="box:emoji")
    parser.add_argument("-n", type=int, default=48)
    parser.add_argument("--guidance", type=float, nargs="*", default=[])
    asked = parser.parse_args()
    model = unclip.load(asked.run)
    for guidance in (None, *asked.guidance):
        for thing in THINGS:
            measured(model, thing, asked.n, guidance)


if __name__ == "__main__":
    main()
