"""Folders of images for models that read no captions: classes that a colour tells apart."""

from pathlib import Path

import numpy as np
from PIL import Image

CLASSES = ("blue", "red", "white")
PAINT = np.array([(20, 20, 240), (240, 20, 20), (240, 240, 240)], dtype=float)


def folder(root: Path, each: int = 24, grain: float = 20, side: int = 8) -> Path:
    """Class folders of noisy images of one colour."""
    rng = np.random.default_rng(0)
    for name, colour in zip(CLASSES, PAINT, strict=True):
        (root / name).mkdir(parents=True)
        for i in range(each):
            pixels = (colour + rng.normal(0, grain, (side, side, 3))).clip(0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(root / name / f"{i}.png")
    return root
