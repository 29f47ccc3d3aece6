"""A network of your own as a judge: a TorchScript file, such as the Inception v3 with which FID is computed.

The module takes images [n, 3, side, side] and returns features [n, d], or [n, d, 1, 1], or a tuple, list or dict
whose first value is one of these. `Wants` says what images it is given; by default squares of 299 px with values
0 ... 255, as NVIDIA's and clean-fid's Inception files take them. (clean-fid also rounds to bytes after it resizes; here
nothing is rounded, so the last digits may differ from its own.)

TorchScript and not ONNX: torch is here already, nothing else has to be installed, and the Inception files are
published so. torch deprecates TorchScript for new networks but reads its files (2.13 was tried), by a reader in C++,
never by Python's unpickler. Still, such a file is a program: use one from somebody whom you trust.
"""

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import torch
import torch.nn.functional as F

from unclip.core.config.base import Config
from unclip.core.config.ranges import Range, Signed
from unclip.core.disk.store import sha256
from unclip.core.shown import printable
from unclip.core.typing import Float, Images, Tensor, Vectors
from unclip.judges.judge import Judge

LARGEST = 4096


@dataclass(frozen=True)
class Wants(Config):
    """What images a network of your own is given.

    Args:
        side: px, to which images are resized by anti-aliased bicubic interpolation; 0: they stay as they are.
        low: the value of black.
        high: the value of white.
    """

    side: Annotated[int, Range(0, LARGEST)] = 299
    low: Signed = 0.0
    high: Signed = 255.0


def load_torchscript(path: Path, wants: Wants, device: torch.device | str = "cpu") -> Judge:
    """A judge from a TorchScript file. Raises ValueError where it is none."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            module = torch.jit.load(path, map_location=device).eval()
    except (RuntimeError, ValueError) as error:
        raise ValueError(
            f"{printable(path)}: no TorchScript file, as torch.jit.save writes it ({printable(error, 200)})"
        ) from error

    def describe(images: Images) -> Vectors:
        x = (resized(images.to(device).expand(-1, 3, -1, -1), wants.side) + 1) / 2
        return vectors(module(wants.low + x * (wants.high - wants.low)), path).to(images.device)

    return Judge(str(path), sha256(path), (1, LARGEST), describe)


def resized(images: Images, side: int) -> Float[Tensor, "b c h2 w2"]:
    """Squares of this side by anti-aliased bicubic interpolation, within [-1, 1]; 0: as they are."""
    if side == 0 or images.shape[-2:] == (side, side):
        return images
    return F.interpolate(images, (side, side), mode="bicubic", antialias=True, align_corners=False).clamp(-1, 1)


def vectors(found: object, path: Path) -> Vectors:
    """The features [n, d] in what a module returned. Raises ValueError where there are none."""
    if isinstance(found, dict):
        found = next(iter(found.values()), None)
    if isinstance(found, tuple | list):
        found = next(iter(found), None)
    if not isinstance(found, Tensor) or found.dim() < 2 or found.flatten(1).shape[1] != found.shape[1]:
        shape = list(found.shape) if isinstance(found, Tensor) else type(found).__name__
        raise ValueError(f"{printable(path)}: returns {shape}; a judge returns features [n, d], or [n, d, 1, 1]")
    return found.flatten(1).float()
