"""How rough and how sharp images are, from the differences of neighbouring pixels."""

from unclip.core.typing import Images


def roughness(x: Images) -> float:
    """Mean absolute difference of neighbouring pixels: noise has several times that of images."""
    return ((x.diff(dim=-1).abs().mean() + x.diff(dim=-2).abs().mean()) / 2).item()


def sharpness(x: Images) -> float:
    """Root mean square difference of neighbouring pixels: a blurred edge has less than a sharp one."""
    return ((x.diff(dim=-1).square().mean() + x.diff(dim=-2).square().mean()) / 2).sqrt().item()
