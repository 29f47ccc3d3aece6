"""What code that unclip did not write gives back, checked where it comes in: a sampler's steps, a loss, a gate."""

from typing import TypeVar

R = TypeVar("R")


def returned(value: object, kind: type[R], whose: str) -> R:
    """The value. Raises ValueError that names whose it is where it is of another kind."""
    if not isinstance(value, kind):
        raise ValueError(f"{whose} gives {type(value).__name__}, and must give {kind.__name__}")
    return value
