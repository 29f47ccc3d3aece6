"""Two moons: points of the plane on two half circles that reach into each other, the smallest data with a shape.

    upper  ( cos a, sin a)        lower  (1 - cos a, 1/2 - sin a)        a ~ U[0, pi], plus N(0, spread^2)

moved to mean 0 and scaled by sqrt 2, so that the mean square of a coordinate is 1, as a diffusion likes it.
"""

import math

import torch
from torch import Tensor

from unclip.core.noise import Noise
from unclip.core.typing import Float

Points = Float[Tensor, "n 2"]
CENTRE = (0.5, 0.25)
SCALE = 2**0.5


def two_moons(n: int, noise: Noise, spread: float = 0.06) -> Points:
    """Draws n points, [n, 2], on two half circles that reach into each other: the smallest data set with a shape.

    The mean is 0, and the mean square of a coordinate is 1.

    Args:
        n: the number of points; they alternate between the moons.
        noise: where they are drawn from.
        spread: the standard deviation of the noise around the moons, before the scaling by sqrt 2.
    """
    angle = noise.uniform((n,)) * math.pi
    upper = torch.stack([angle.cos(), angle.sin()], dim=1)
    lower = torch.stack([1 - angle.cos(), 0.5 - angle.sin()], dim=1)
    even = (torch.arange(n, device=angle.device) % 2 == 0)[:, None]
    points = torch.where(even, upper, lower) + spread * noise.normal((n, 2))
    return (points - points.new_tensor(CENTRE)) * SCALE
