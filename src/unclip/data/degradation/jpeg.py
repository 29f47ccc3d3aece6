"""What JPEG takes from an image, without a codec: quantised cosine transforms of 8 x 8 blocks.

    Y Cb Cr (ITU-R 601) -> D B D^T - 128 of each block -> round(. / Q) Q -> back,  D_uv = c_u cos((2 v + 1) u pi / 16)

Q: the tables of ITU-T T.81, annex K, scaled to a quality 1 ... 100 as libjpeg does; colour at full resolution (4:4:4).
An image is continued by its border to whole blocks. Values are rounded to bytes at the end, as a decoder does.
"""

import math
from functools import lru_cache

import torch
import torch.nn.functional as F

from unclip.core.typing import Float, Images, PerSample, Tensor

SIDE = 8
LUMA = """16 11 10 16 24 40 51 61  12 12 14 19 26 58 60 55  14 13 16 24 40 57 69 56  14 17 22 29 51 87 80 62
18 22 37 56 68 109 103 77  24 35 55 64 81 104 113 92  49 64 78 87 103 121 120 101  72 92 95 98 112 100 103 99"""
CHROMA = """17 18 24 47 99 99 99 99  18 21 26 66 99 99 99 99  24 26 56 99 99 99 99 99  47 66 99 99 99 99 99 99
99 99 99 99 99 99 99 99  99 99 99 99 99 99 99 99  99 99 99 99 99 99 99 99  99 99 99 99 99 99 99 99"""
TO_YCC = ((0.299, 0.587, 0.114), (-0.168736, -0.331264, 0.5), (0.5, -0.418688, -0.081312))


@lru_cache(maxsize=1)
def cosines() -> Float[Tensor, "8 8"]:
    """D, orthonormal."""
    place = torch.arange(SIDE, dtype=torch.float64)
    rows = torch.cos((2 * place + 1) * place[:, None] * math.pi / (2 * SIDE)) / 2
    rows[0] /= math.sqrt(2)
    return rows.float()


def tables(quality: PerSample, channels: int) -> Float[Tensor, "b c 8 8"]:
    """Q for these qualities: luma first, then chroma."""
    plain = [[float(v) for v in text.split()] for text in (LUMA, CHROMA, CHROMA)[:channels]]
    base = torch.tensor(plain, device=quality.device).view(1, channels, SIDE, SIDE)
    scale = torch.where(quality < 50, 5000 / quality, 200 - 2 * quality).view(-1, 1, 1, 1)
    return ((base * scale + 50) / 100).floor().clamp(1, 255)


def compressed(images: Images, quality: PerSample) -> Images:
    """Gray or RGB images in [-1, 1] as they come out of a JPEG file of this quality, one an image."""
    c, h, w = images.shape[1:]
    assert c in (1, 3), f"{c} channels: JPEG knows gray and colour"
    levels = (images + 1) * 127.5 - 128
    colours = torch.tensor(TO_YCC, device=images.device) if c == 3 else torch.ones(1, 1, device=images.device)
    planes = torch.einsum("dc,bchw->bdhw", colours, levels)
    quantised = _quantised(F.pad(planes, (0, -w % SIDE, 0, -h % SIDE), mode="replicate"), tables(quality, c))
    back = torch.einsum("dc,bchw->bdhw", torch.linalg.inv(colours), quantised[..., :h, :w])
    return (back + 128).round().clamp(0, 255) / 127.5 - 1


def _quantised(planes: Images, table: Float[Tensor, "b c 8 8"]) -> Images:
    b, c, h, w = planes.shape
    d = cosines().to(planes)
    blocks = planes.view(b, c, h // SIDE, SIDE, w // SIDE, SIDE).transpose(3, 4)
    steps = table[:, :, None, None]
    kept = (d @ blocks @ d.T / steps).round() * steps
    return (d.T @ kept @ d).transpose(3, 4).reshape(b, c, h, w)
