"""Whether the captions of a data set are classes."""

from collections.abc import Sequence

MOST = 1000
"""More different captions than this are not classes."""


def are_classes(captions: Sequence[str]) -> bool:
    """Whether the (first) captions of a data set are classes: 2 to `MOST` different ones, twice as many images."""
    return 2 <= len(set(captions)) <= min(MOST, len(captions) // 2)
