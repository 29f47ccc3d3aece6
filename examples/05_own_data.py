"""A data set of your own: any object that goes through its images. This one keeps them nowhere, it draws them.

python examples/05_own_data.py
"""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

import unclip
from unclip import RunConfig, grid, save_picture
from unclip.data import Item
from unclip.nn import UNetConfig
from unclip.recipes import DDPMRecipe

COLOURS = {"red": (220, 40, 40), "green": (40, 160, 60), "blue": (40, 70, 220)}


class Rings:
    """Coloured rings on white. What a data set needs: root, kind, its items, and a fingerprint."""

    root, kind = Path("rings"), "drawn rings"  # where it lies and what it is called, in messages

    def __init__(self, n: int) -> None:
        self.n = n

    def __iter__(self) -> Iterator[Item]:
        """Always the same items in the same order; `read` gives the bytes of a file, or pixels: uint8 [h, w, 3]."""
        for i in range(self.n):
            name = list(COLOURS)[i % 3]
            yield Item(key=f"ring-{i}", read=lambda i=i, name=name: self.draw(i, name), captions=(name,))

    def fingerprint(self) -> str:
        """Another one where the data are others: then a run that was trained on them says so."""
        return f"rings {self.n}"

    def draw(self, i: int, name: str) -> np.ndarray:
        """Ring number i, somewhere on 24 x 24 px."""
        rng = np.random.default_rng(i)
        (x, y), radius = rng.uniform(9, 15, 2), rng.uniform(4, 8)
        down, across = np.indices((24, 24))
        ring = abs(np.hypot(across - x, down - y) - radius) < 1.5
        return np.where(ring[..., None], COLOURS[name], 255).astype(np.uint8)


network = UNetConfig(patch=2, widths=(32, 64), blocks=(1, 2), attention=(False, False))  # a small one, for seconds
recipe = DDPMRecipe(classes=True, network=network)
recipe = replace(recipe, train=replace(recipe.train, steps=160), sampling=replace(recipe.sampling, steps=16))
config = RunConfig(model="ddpm", size=16, recipes={"ddpm": recipe})
run = unclip.train(Rings(600), "runs/rings", config=config)
model = unclip.load(run)
rows = [model.generate([name], n=6) for name in COLOURS]
save_picture(grid(rows, list(COLOURS), zoom=4), run / "drawn.png")
print((run / "data" / "captions.jsonl").read_text(encoding="utf-8").count("\n"), "images were prepared")
print("scores on the images that were held out:", unclip.evaluate(run, n=16))
print(f"drew {run / 'drawn.png'}")
