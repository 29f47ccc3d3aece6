"""Parts that a model may lack while it is trained."""

from typing import TypeVar

M = TypeVar("M")


def require(part: M | None, name: str) -> M:
    """The part, if it is trained; raises ValueError otherwise."""
    if part is None:
        raise ValueError(f"this model has no {name} yet; train that stage first")
    return part
