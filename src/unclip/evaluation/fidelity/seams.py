"""Does an upsampler leave seams? Two questions, and how far its network sees.

seams   the mean absolute difference of neighbours across the borders of p x p blocks, over that inside them, as a
        multiple of the same of real images, which have edges of their own; for the divisors p of the network's
        blocks, of which the farthest from 1 counts. 1: no pattern
halves  a half of the image drawn alone against the same half of the whole, away from the cut: root mean square, in
        levels of 0 ... 255. One image of any size needs no tiles where it is small
reach   how far from a change in its input the network's output changes, px
"""

import math
from dataclasses import replace

import torch

from unclip.core.noise import Noise
from unclip.core.typing import Float, Images, Tensor
from unclip.diffusion.samplers import DDIM
from unclip.models.upsampler import Upsampler

TINY = 1e-4
"""A change of the output below this is rounding."""


def seams(x: Images, real: Float[Tensor, "n c h w"], step: int) -> float:
    """real: images of the same size, best the same ones; step: the side of the network's blocks, px."""
    ratios = [_ratio(x, p) / _ratio(real, p) for p in range(2, step + 1) if step % p == 0]
    return max(ratios, key=lambda r: abs(math.log(r)), default=1.0)


def _ratio(x: Images, period: int) -> float:
    sides = [x.diff(dim=-1).abs(), x.diff(dim=-2).abs().transpose(-1, -2)]
    across = torch.cat([d[..., period - 1 :: period].flatten() for d in sides]).mean()
    inside = torch.cat([_without(d, period).flatten() for d in sides]).mean()
    return (across.clamp(min=TINY) / inside.clamp(min=TINY)).item()


def _without(d: Float[Tensor, "b c h w"], period: int) -> Float[Tensor, "b c h w2"]:
    keep = torch.arange(d.shape[-1], device=d.device) % period != period - 1
    return d[..., keep]


@torch.no_grad()
def reach(model: Upsampler, low: Images) -> int:
    """px of the larger image; the whole width where all of it changes (attention, group norms).

    low: small images whose width is twice a multiple of what the network divides by.
    """
    noise, factor = Noise.shared("reach", device=model.spread.device), model.config.factor
    other, middle = low.flip(0, -1), low.shape[-1] // 2
    mixed = torch.cat([low[..., :middle], other[..., middle:]], dim=-1)
    x = noise.normal((len(low), low.shape[1], *(factor * s for s in low.shape[-2:])))
    level, strength = x.new_zeros(len(x)), x.new_zeros(len(x))
    a, b = (model.diffusion.denoiser(x, level, model.condition(v, strength)).x0 for v in (low, mixed))
    moved = (a - b).abs().amax((0, 1, 2))[: factor * middle] > TINY
    first = int(moved.nonzero()[0]) if bool(moved.any()) else factor * middle
    return factor * middle - first


@torch.no_grad()
def halves(model: Upsampler, low: Images, away: int, seed: int = 0) -> float:
    """Left halves drawn alone against the whole's, from the same noise; columns nearer to the cut than `away` px are
    not compared. Raises ValueError where none is left."""
    factor, middle = model.config.factor, low.shape[-1] // 2
    if factor * middle <= away:
        raise ValueError(f"away = {away} px: a half has {factor * middle}")
    x = Noise.shared(seed, "halves", device=low.device).normal((*low.shape[:2], *(factor * s for s in low.shape[-2:])))
    whole = drawn_from(model, low, x)[..., : factor * middle - away]
    half = drawn_from(model, low[..., :middle], x[..., : factor * middle])[..., : factor * middle - away]
    return ((whole - half) * 127.5).square().mean().sqrt().item()


def drawn_from(model: Upsampler, low: Images, x: Float[Tensor, "b c h2 w2"]) -> Float[Tensor, "b c h2 w2"]:
    """The upsampler's image from this noise, without fresh noise on the way."""
    cond = model.condition(low, low.new_zeros(len(low)))
    assert cond.image is not None
    how = replace(model.config.sampling, sampler=DDIM())
    *_, last = model.diffusion.walk(x, cond, cond, Noise.shared("none", device=x.device), how)
    return cond.image + 2 * model.spread * last.x
