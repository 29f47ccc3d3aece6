"""What may have happened to an image: blur, noise, compression and other faults, of a strength in [0, 1].

A feature net must see these, so they are among what it is asked; none of them is ever something to ignore.
"""

import torch
import torch.nn.functional as F

from unclip.core.noise import Noise
from unclip.core.typing import Images, Int, PerSample, Tensor
from unclip.data.degradation.blur import filtered, gaussian
from unclip.data.degradation.jpeg import compressed
from unclip.judges.procedural.textures import spectral

FAULTS = ("none", "blur", "noise", "coloured noise", "jpeg", "pixels", "colours", "warp", "scraps", "faded noise")


def _blur(x: Images, u: PerSample, noise: Noise) -> Images:
    """A Gaussian of 0.3 to 4 px at 32 px."""
    sigma = (0.3 + 3.7 * u.square()) * x.shape[-1] / 32
    reach = 2 * int(2.5 * float(sigma.max())) + 1
    reach = min(reach, 2 * x.shape[-1] - 1)
    return filtered(x, gaussian(reach, sigma, sigma, torch.zeros_like(sigma)))


def _noise(x: Images, u: PerSample, noise: Noise) -> Images:
    return x + _wide(0.03 + 0.9 * u.square()) * noise.normal(x.shape)


def _coloured(x: Images, u: PerSample, noise: Noise) -> Images:
    exponent = 3 * noise.uniform((len(x),))
    return x + _wide(0.05 + 0.9 * u.square()) * spectral(len(x), x.shape[-1], exponent, noise, 3)


def _jpeg(x: Images, u: PerSample, noise: Noise) -> Images:
    return compressed(x.clamp(-1, 1), 90 * (1 - u).square() + 3)


def _pixels(x: Images, u: PerSample, noise: Noise) -> Images:
    """Made smaller and brought back, by one share for all."""
    side = max(2, round(x.shape[-1] * (0.9 - 0.7 * float(u[0]))))
    back = "nearest" if float(noise.uniform((1,))) < 0.5 else "bilinear"
    return F.interpolate(F.interpolate(x, side, mode="area"), x.shape[-1], mode=back)


def _colours(x: Images, u: PerSample, noise: Noise) -> Images:
    """Contrast, saturation and tint."""
    fate = noise.uniform((len(x), 5)) * 2 - 1
    grey = x.mean(1, keepdim=True)
    x = grey + (x - grey) * _wide(1 + u * fate[:, 0])
    return x * _wide(1 + 0.6 * u * fate[:, 1]) + 0.6 * (u[:, None] * fate[:, 2:])[:, :, None, None]


def _warp(x: Images, u: PerSample, noise: Noise) -> Images:
    """Each pixel taken from a place nearby: bent lines."""
    size = x.shape[-1]
    shift = spectral(len(x), size, torch.full((len(x),), 2.5), noise, 2) * _wide(0.02 + 0.16 * u)
    line = (torch.arange(size) + 0.5) * 2 / size - 1
    grid = torch.stack(torch.meshgrid(line, line, indexing="xy"), dim=-1) + shift.permute(0, 2, 3, 1)
    return F.grid_sample(x, grid, align_corners=False, padding_mode="reflection")


def _scraps(x: Images, u: PerSample, noise: Noise) -> Images:
    """Squares of the image in another order: right up close, torn as a whole."""
    cells = 2 if float(u.mean()) < 0.5 else 4
    n, c, size, _ = x.shape
    step = size // cells
    if step * cells != size:
        return x
    parts = x.view(n, c, cells, step, cells, step).permute(0, 2, 4, 1, 3, 5).reshape(n, cells**2, c, step, step)
    moved = noise.uniform((n, cells**2)) < _wide(u)[:, :, 0, 0].clamp(min=0.3)
    order = torch.where(moved, noise.uniform((n, cells**2)).argsort(1), torch.arange(cells**2))
    parts = parts.gather(1, order[:, :, None, None, None].expand_as(parts))
    return parts.view(n, cells, cells, c, step, step).permute(0, 3, 1, 4, 2, 5).reshape(x.shape)


def _faded(x: Images, u: PerSample, noise: Noise) -> Images:
    """Blurred, with noise upon it: what a denoiser leaves that was trained for too short a time."""
    return _noise(_blur(x, u, noise), u * noise.uniform((len(x),)), noise)


_DAMAGES = (_blur, _noise, _coloured, _jpeg, _pixels, _colours, _warp, _scraps, _faded)


def _wide(values: PerSample) -> Tensor:
    return values[:, None, None, None]


def draw_faults(n: int, noise: Noise, share: float = 0.5) -> tuple[Int[Tensor, " b"], PerSample]:
    """What happens to n images: for a share of them a fault, each as likely, and its strength in [0, 1]; 0: none."""
    fault = torch.where(noise.uniform((n,)) < share, 1 + noise.integers(len(FAULTS) - 1, (n,)), 0)
    return fault, noise.uniform((n,)) * (fault > 0)


def damaged(images: Images, fault: Int[Tensor, " b"], strength: PerSample, noise: Noise) -> Images:
    """Images with these faults, numbers of `FAULTS`, each of its strength in [0, 1]; clamped to [-1, 1]."""
    made = images.clone()
    for number, damage in enumerate(_DAMAGES, start=1):
        rows = (fault == number).nonzero()[:, 0]
        if len(rows):
            made[rows] = damage(images[rows], strength[rows], noise.fork(FAULTS[number]))
    return made.clamp(-1, 1)
