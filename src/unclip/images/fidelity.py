"""How far an image is from another one, pixel by pixel."""

from unclip.core.typing import Images, PerSample
from unclip.core.wide import wide


def squared_error(a: Images, b: Images) -> PerSample:
    """Mean squared difference of each pair, pixels counted from 0 to 1."""
    return ((wide(a).clamp(-1, 1) - wide(b).clamp(-1, 1)) / 2).square().flatten(1).mean(1)


def psnr(a: Images, b: Images) -> PerSample:
    """Peak signal-to-noise ratio of each pair, -10 log10 of the squared error, in dB; at most 100: no error."""
    return -10 * squared_error(a, b).clamp(min=1e-10).log10()
