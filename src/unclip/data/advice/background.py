"""Whether nearly all images have the same plain background."""

import numpy as np
from jaxtyping import UInt8

from unclip.data.images.square import border_colour, borders

NEAR = 12
"""Values (of 255) within which colours are the same."""
MOST = 0.9
"""Of an image's border that has the colour, and of the images that have such a border."""
NAMES = {"white": (255, 255, 255), "black": (0, 0, 0)}


def background(images: UInt8[np.ndarray, "n size size 3"]) -> str | None:
    """The colour of the borders of nearly all images, by name or as #808080; None where they differ."""
    if len(images) < 2 or images.shape[1] < 3:
        return None
    rows = borders(images)
    colour = np.array(border_colour(rows.reshape(-1, 3)))
    near = (np.abs(rows.astype(np.int16) - colour) <= NEAR).all(-1).mean(1)
    if (near >= MOST).mean() < MOST:
        return None
    named = [name for name, value in NAMES.items() if np.abs(colour - value).max() <= NEAR]
    return named[0] if named else "#" + "".join(f"{int(value):02x}" for value in colour)
