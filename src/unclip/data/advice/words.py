"""Whether captions share words: what no two of them say cannot be asked for again."""

import re
from collections import Counter
from collections.abc import Sequence

COMMON = 0.9
"""A word of more than this share of the images tells none from another ("photo", "IMG")."""


def words(captions: Sequence[str]) -> set[str]:
    """The words of an image's captions, in small letters."""
    return {word for caption in captions for word in re.findall(r"[^\W_]+", caption.lower())}


def shared(every: Sequence[Sequence[str]]) -> Counter[str]:
    """Word -> images, of the words that more than one image has, and that not nearly all have."""
    counts = Counter(word for captions in every for word in words(captions))
    return Counter({word: n for word, n in counts.items() if 1 < n <= COMMON * len(every)})


def sharing(every: Sequence[Sequence[str]]) -> tuple[int, str]:
    """(the number of images that share no word with another, one of their captions). None counts where all images
    have the same words."""
    known, alone, example, first, same = shared(every), 0, "", None, True
    for captions in every:
        for caption in captions:
            first = caption if first is None else first
            same &= caption == first
        if captions and not words(captions) & known.keys():
            alone, example = alone + 1, example or captions[0]
    return (0, "") if same else (alone, example)
