"""Which images a network takes."""

from unclip.core.typing import Images


def check_size(x: Images, channels: int, multiple: int) -> None:
    """Raises ValueError, with the fix, where the channels differ or a side is not a multiple of `multiple`."""
    _, c, h, w = x.shape
    if c != channels:
        raise ValueError(f"images with {c} channels: this network takes {channels}; build it with channels = {c}")
    if h % multiple or w % multiple:
        fit = " x ".join(str(max(1, round(side / multiple)) * multiple) for side in (h, w))
        raise ValueError(
            f"images of {h} x {w} px: this network needs sides divisible by {multiple}; resize or crop them to {fit}"
        )
