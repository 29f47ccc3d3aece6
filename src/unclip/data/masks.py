"""Random masks for training to fill in: what is known of an image, and what has to be painted.

Five kinds of holes: a rectangle; strokes of a brush; all that lies on one side of a line (outpainting to one side, half
of the lines upright or level); all around a rectangle, which may touch the border (outpainting to several sides); and
everything. Sizes are shares of the image's sides, so a mask means the same at any size.
"""

import math
from collections.abc import Callable
from dataclasses import astuple, dataclass

import torch
from torch import Tensor

from unclip.core.config.base import Config
from unclip.core.config.ranges import Weight
from unclip.core.noise import Noise
from unclip.core.typing import Bool, Float

Known = Float[Tensor, "#b 1 h w"]
"""1 where an image is known, 0 where it is to be painted; one mask for all images, or one each."""
Draws = Float[Tensor, "b n"]
Holes = Bool[Tensor, "b h w"]
NUMBERS, SEGMENTS = 12, 4
"""Uniform numbers that a mask takes; pieces of a brush stroke."""


@dataclass(frozen=True)
class MaskConfig(Config):
    """How often each kind of hole is drawn, relative to the sum of all.

    Args:
        rectangle: a rectangle.
        strokes: strokes of a brush.
        side: all that lies on one side of a line.
        around: all around a rectangle.
        everything: the whole image.

    Raises:
        ValueError: where all are 0.
    """

    rectangle: Weight = 0.25
    strokes: Weight = 0.25
    side: Weight = 0.25
    around: Weight = 0.15
    everything: Weight = 0.1

    def __post_init__(self) -> None:
        if sum(astuple(self)) <= 0:
            raise ValueError(f"{self}: shares of the kinds of masks; one must be above 0")


def random_masks(n: int, height: int, width: int, noise: Noise, config: MaskConfig = MaskConfig()) -> Known:
    """Draws n random masks, [n, 1, height, width]: 1 where an image is known, 0 where it is to be painted.

    Every mask leaves something to paint.

    Args:
        n: the number of masks.
        height: of the images, px.
        width: of the images, px.
        noise: where they are drawn from.
        config: how often each kind of hole is drawn.
    """
    draws = noise.uniform((n, NUMBERS))
    shares = torch.tensor(astuple(config), device=draws.device)
    kind = torch.searchsorted((shares / shares.sum()).cumsum(0), draws[:, 0].contiguous(), right=True)
    y, x = ((torch.arange(side, device=draws.device) + 0.5) / side for side in (height, width))
    holes = torch.stack([make(draws[:, 1:], y[:, None], x[None]) for make in KINDS])
    hole = holes[kind.clamp(max=len(KINDS) - 1), torch.arange(n, device=draws.device)]
    return (~hole)[:, None].float()


def _between(draw: Tensor, low: float, high: float) -> Tensor:
    return (low + (high - low) * draw)[:, None, None]


def _rectangle(u: Draws, y: Tensor, x: Tensor) -> Holes:
    """Sides of 0.25 to 0.75."""
    return _inside(u, y, x, 0.25, 0.75)


def _around(u: Draws, y: Tensor, x: Tensor) -> Holes:
    """All but a rectangle with sides of 0.4 to 0.8."""
    return ~_inside(u, y, x, 0.4, 0.8)


def _inside(u: Draws, y: Tensor, x: Tensor, minimum: float, maximum: float) -> Holes:
    """A rectangle; its place is drawn beyond the borders and moved back, so that it often touches one."""
    found = None
    for place, size, at in ((u[:, 0], u[:, 1], y), (u[:, 2], u[:, 3], x)):
        side = _between(size, minimum, maximum)
        start = (place[:, None, None] * (1.3 - side) - 0.15).clamp(min=0).minimum(1 - side)
        within = (at >= start) & (at < start + side)
        found = within if found is None else found & within
    assert found is not None
    return found


def _side(u: Draws, y: Tensor, x: Tensor) -> Holes:
    """Beyond a line that leaves a quarter to three quarters of the image's extent in its direction."""
    angle = 2 * math.pi * u[:, 0]
    straight = (math.pi / 2) * (4 * u[:, 0]).floor()
    angle = torch.where(u[:, 1] < 0.5, straight, angle)[:, None, None]
    across, down = angle.cos(), angle.sin()
    reach = (across.abs() + down.abs()) / 2
    return (x - 0.5) * across + (y - 0.5) * down > _between(u[:, 2], -0.5, 0.5) * reach


def _strokes(u: Draws, y: Tensor, x: Tensor) -> Holes:
    """A brush of radius 0.05 to 0.13 along four straight pieces of 0.2 to 0.6, each turned from the last."""
    radius = _between(u[:, 0], 0.05, 0.13)
    at_x, at_y = _between(u[:, 1], 0.15, 0.85), _between(u[:, 2], 0.15, 0.85)
    hole = (x - at_x) ** 2 + (y - at_y) ** 2 < radius**2
    for i in range(SEGMENTS):
        angle, length = 2 * math.pi * u[:, 3 + i, None, None], _between(u[:, 7 + i], 0.2, 0.6)
        to_x = (at_x + length * angle.cos()).clamp(0, 1)
        to_y = (at_y + length * angle.sin()).clamp(0, 1)
        hole = hole | (_distance(x, y, (at_x, at_y), (to_x, to_y)) < radius)
        at_x, at_y = to_x, to_y
    return hole


def _distance(x: Tensor, y: Tensor, start: tuple[Tensor, Tensor], end: tuple[Tensor, Tensor]) -> Tensor:
    """From each place to the nearest point of a straight piece."""
    (ax, ay), (bx, by) = start, end
    along = ((x - ax) * (bx - ax) + (y - ay) * (by - ay)) / ((bx - ax) ** 2 + (by - ay) ** 2).clamp(min=1e-12)
    along = along.clamp(0, 1)
    return ((x - ax - along * (bx - ax)) ** 2 + (y - ay - along * (by - ay)) ** 2).sqrt()


def _everything(u: Draws, y: Tensor, x: Tensor) -> Holes:
    return torch.ones(len(u), y.shape[0], x.shape[1], dtype=torch.bool, device=u.device)


KINDS: tuple[Callable[[Draws, Tensor, Tensor], Holes], ...] = (_rectangle, _strokes, _side, _around, _everything)
"""In the order of `MaskConfig`."""
