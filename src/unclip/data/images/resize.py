"""Images to smaller and larger ones: the one way in which low-resolution images are made and enlarged.

    shrink   Lanczos (a = 3) over 3 x factor pixels to each side, as `decode` scales the images of a data set
    enlarge  bicubic (a = -1/2), what an upsampler starts from and is measured against

Both equal Pillow's up to its rounding to bytes.
"""

from functools import lru_cache

import torch
import torch.nn.functional as F

from unclip.core.typing import Float, Images, Tensor


def shrink(images: Images, factor: int) -> Float[Tensor, "b c h2 w2"]:
    """1/factor of the size. Raises ValueError where a side is not a multiple of the factor."""
    h, w = images.shape[-2:]
    if factor < 1 or h % factor or w % factor:
        raise ValueError(f"images of {h} x {w} px cannot be made {factor} times smaller; crop them to a multiple")
    down, across = (lanczos(side, factor).to(images) for side in (h, w))
    return down @ images @ across.T


@lru_cache(maxsize=16)
def lanczos(side: int, factor: int) -> Float[Tensor, "small large"]:
    """Row i: the weights of all pixels of a line in pixel i of the smaller line; they sum to 1 at the borders too."""
    centre = (torch.arange(side // factor, dtype=torch.float64) + 0.5) * factor
    away = (torch.arange(side, dtype=torch.float64) + 0.5 - centre[:, None]) / factor
    weights = torch.where(away.abs() < 3, torch.sinc(away) * torch.sinc(away / 3), 0.0)
    return (weights / weights.sum(1, keepdim=True)).float()


def enlarge(images: Images, factor: int) -> Float[Tensor, "b c h2 w2"]:
    """`factor` times the size, in [-1, 1] like the image."""
    return images if factor == 1 else interpolated(images, factor).clamp(-1, 1)


def interpolated(images: Images, factor: int) -> Float[Tensor, "b c h2 w2"]:
    """`factor` times the size as the filter leaves it, which overshoots at edges, also beyond [-1, 1]."""
    size = [factor * side for side in images.shape[-2:]]
    # antialias: no blur where an image grows, but Pillow's coefficient, -1/2 in the place of -3/4
    return F.interpolate(images, size, mode="bicubic", antialias=True)
