"""Images to learn from that can be made anywhere: silhouettes with textures on textured or white ground, and textures.

Four layouts: an icon (a few shapes or letters near the middle of a plain ground), a scene (on any texture), "dead
leaves" (many shapes that cover each other, edges and surfaces at every scale as in photographs; Lee et al. 2001), and
a texture alone. A part of the images is damaged, and each image comes with what is true of it.
"""

import math
from dataclasses import dataclass

import torch

from unclip.core.noise import Noise
from unclip.core.typing import Float, Images, Int, PerSample, Tensor
from unclip.judges.procedural import silhouettes
from unclip.judges.procedural.damage import FAULTS, damaged, draw_faults
from unclip.judges.procedural.textures import FEATURELESS, KINDS, paint

LAYOUTS = ("icon", "scene", "leaves", "texture")
SHARES = (0.4, 0.25, 0.2, 0.15)
LEAVES = 14
WHITE = 0.5
"""Of the icons on a flat ground, those whose ground is white."""
NONE = -100
"""The class of what is not there, which no loss counts."""


@dataclass(frozen=True)
class Scenes:
    """Images in [-1, 1] and what is true of each.

    Args:
        images: [b, 3, size, size].
        classes: for each of `QUESTIONS` a number, or `NONE`, [b, questions].
        amounts: for each of `AMOUNTS` a number about [-1, 1], nan where it means nothing, [b, amounts].
    """

    images: Images
    classes: Int[Tensor, "b q"]
    amounts: Float[Tensor, "b a"]


AMOUNTS = (
    "ground red", "ground green", "ground blue", "red", "green", "blue", "spectrum", "size", "sine", "cosine", "damage",
)  # fmt: skip


def questions() -> dict[str, int]:
    """Name -> number of answers of what a net is asked about an image."""
    return {
        "layout": len(LAYOUTS),
        "count": 5,
        "silhouette": silhouettes.count()[0],
        "ground": len(KINDS),
        "surface": len(KINDS),
        "fault": len(FAULTS),
    }


def draw(n: int, size: int, noise: Noise, faulty: float = 0.5) -> Scenes:
    """Draws n images of a side of `size` px; a share `faulty` of them is damaged."""
    layout = (noise.uniform((n,))[:, None] > torch.tensor(SHARES).cumsum(0)).sum(1).clamp(max=len(SHARES) - 1)
    ground = paint(_ground(layout, noise), size, noise.fork("ground"))
    white = (layout == 0) & (ground.kind == 0) & (noise.uniform((n,)) < WHITE)
    images, count = torch.where(white[:, None, None, None], 1.0, ground.images), _counts(layout, noise)
    means = images.mean((2, 3))
    silhouette, surface = torch.full((n,), NONE), torch.full((n,), NONE)
    look = torch.full((n, 6), math.nan)
    for place in range(int(count.max())):
        rows = (place < count).nonzero()[:, 0]
        one = _objects(layout[rows], count[rows], size, noise.fork(f"object {place}"))
        images[rows] = images[rows] + one.cover * (one.images - images[rows])
        silhouette[rows], surface[rows], look[rows] = one.silhouette, one.surface, one.look
    images = images.clamp(-1, 1)
    fault, strength = draw_faults(n, noise, faulty)
    images = damaged(images, fault, strength, noise.fork("damage"))
    classes = torch.stack([layout, _told(count), silhouette, ground.kind, surface, fault], dim=1)
    spectrum = torch.where(ground.exponent > 0, ground.exponent / 2 - 1, math.nan)
    amounts = torch.cat([means, look[:, :3], spectrum[:, None], look[:, 3:], strength[:, None]], dim=1)
    return Scenes(images, classes, amounts)


def _ground(layout: Int[Tensor, " b"], noise: Noise) -> Int[Tensor, " b"]:
    """An icon's ground is plain; the rest of the kinds follow evenly."""
    n = len(layout)
    plain = torch.where(noise.uniform((n,)) < 0.7, 0, noise.integers(FEATURELESS, (n,)))
    return torch.where(layout == 0, plain, noise.integers(len(KINDS), (n,)))


def _counts(layout: Int[Tensor, " b"], noise: Noise) -> Int[Tensor, " b"]:
    few = 1 + noise.integers(4, (len(layout),))
    many = LEAVES // 2 + noise.integers(LEAVES // 2, (len(layout),))
    return torch.where(layout == 3, 0, torch.where(layout == 2, many, few))


def _told(count: Int[Tensor, " b"]) -> Int[Tensor, " b"]:
    """Objects as a class: 1, 2, 3, 4 or many; a texture has no number."""
    return torch.where(count == 0, NONE, (count - 1).clamp(max=4))


@dataclass(frozen=True)
class _Objects:
    images: Images
    cover: Float[Tensor, "b 1 size size"]
    silhouette: Int[Tensor, " b"]
    surface: Int[Tensor, " b"]
    look: Float[Tensor, "b 6"]


def _objects(layout: Int[Tensor, " b"], count: Int[Tensor, " b"], size: int, noise: Noise) -> _Objects:
    """One object for each image, with a colour, a surface, shade and, by chance, an outline."""
    n, (every, shapes) = len(layout), silhouettes.count()
    fate = noise.uniform((n, 10))
    letter = fate[:, 0] < 0.3
    kind = torch.where(letter, shapes + noise.integers(every - shapes, (n,)), noise.integers(shapes, (n,)))
    radius = _radius(layout, count, fate[:, 1])
    spread = torch.where(layout == 2, 1.0, 1.0 - 1.6 * radius).clamp(min=0.1)[:, None]
    centre = (fate[:, 2:4] * 2 - 1) * torch.where((count == 1)[:, None], spread * 0.4, spread)
    angle = torch.where(fate[:, 4] < 0.4, 0.0, (fate[:, 5] * 2 - 1) * math.pi)
    stretch = 0.6 + 0.8 * fate[:, 6]
    surface = torch.where(fate[:, 7] < 0.45, 0, noise.integers(len(KINDS), (n,)))
    texture = paint(surface, size, noise.fork("surface"))
    cover = silhouettes.cover(kind, centre, radius, angle, size, stretch)
    image = _shaded(texture.images, fate[:, 8], size)
    if size >= 16:  # an outline: the inner part is a smaller self
        inner = silhouettes.cover(kind, centre, radius * 0.82, angle, size, stretch)
        line = ((fate[:, 9] < 0.25) & ~letter)[:, None, None, None] * (1 - inner)
        image = image * (1 - line) - line * 0.8
    colour = (image * cover).sum((2, 3)) / cover.sum((2, 3)).clamp(min=1e-3)
    look = torch.cat([colour, torch.stack([radius * 4 - 1, angle.sin(), angle.cos()], dim=1)], dim=1)
    return _Objects(image, cover, kind, surface, look)


def _radius(layout: Int[Tensor, " b"], count: Int[Tensor, " b"], u: PerSample) -> PerSample:
    """As a share of the side. Leaves follow 1/r^3 roughly, as things at every distance do; a lone object is large."""
    leaf = 0.06 / (1 - 0.93 * u).sqrt().clamp(min=0.15)
    alone = 0.2 + 0.28 * u
    several = 0.1 + 0.22 * u
    return torch.where(layout == 2, leaf, torch.where(count == 1, alone, several))


def _shaded(images: Images, u: PerSample, size: int) -> Images:
    """Light from above, for half of them."""
    line = (torch.arange(size) + 0.5) * 2 / size - 1
    depth = ((u - 0.5).clamp(min=0) * 1.2)[:, None, None, None]
    return images - depth * line[None, None, :, None]
