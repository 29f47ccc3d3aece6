"""What captions and pixels say of a data set, beside its numbers."""

from collections.abc import Iterator, Sequence

import numpy as np
from jaxtyping import Int64, UInt8

from unclip.core.shown import printable
from unclip.data.advice.background import background
from unclip.data.advice.counts import FEW
from unclip.data.advice.pairing import relation
from unclip.data.advice.words import sharing

Captions = Sequence[tuple[str, ...]]
MOSTLY = 0.5
"""A share of the images above which a fault is one of the data set."""
RELATED = 3.0
"""Standard deviations above what shuffled captions give; sound data sets of 1,000 images are at 15 and more."""
NEAR = 0.1
"""Near-copies of more than this share of the images are told of."""


def closer(
    images: UInt8[np.ndarray, "n size size 3"],
    captions: Captions,
    every: Captions,
    worded: bool = True,
) -> Iterator[str]:
    """Lines that begin with "!".

    Args:
        images: some of the images.
        captions: of these.
        every: the captions of all images of the data set.
        worded: the model is to follow words.
    """
    if worded and len(every) >= FEW:
        yield from _lonely(every)
    if worded and len(images) >= FEW:
        yield from _unrelated(images, captions)
    if (colour := background(images)) is not None:
        yield (
            f"! nearly all images have the same background ({colour}), which is fine: it is learned at once. A prompt "
            "that asks for another will not get it; --model, --budget and captions do not change that, other images do"
        )


def alike(groups: Int64[np.ndarray, " n"]) -> Iterator[str]:
    """A line that begins with "!" where many images are nearly the same as an earlier one. groups: a number for each
    image, shared by near-copies."""
    images = len(groups)
    near_copies = images - len(np.unique(groups))
    if near_copies > NEAR * images:
        yield (
            f"! {near_copies:,} of {images:,} images are nearly the same as an earlier one: they stay together in the "
            "splits, and are the first to be learned by heart; leave one of each where their captions are alike, too"
        )


def _lonely(every: Captions) -> Iterator[str]:
    alone, example = sharing(every)
    if alone > MOSTLY * len(every):
        yield (
            f"! {alone:,} of {len(every):,} captions share no word with another (as {printable(example, 60)!r}): "
            "they name one image only, and there is nothing that a new prompt could ask for; say what is seen, in "
            "words that other images share"
        )


def _unrelated(images: UInt8[np.ndarray, "n size size 3"], captions: Captions) -> Iterator[str]:
    found = relation(images, captions)
    if found is not None and found < RELATED:
        yield (
            f"! the words of the captions tell nothing of the colours and outlines of their images ({found:.1f} "
            f"standard deviations from shuffled captions, {RELATED:.0f} are the least): do they belong to each other? "
            "Look at a few in RUN/data, or with the command that made the captions"
        )


def cut(lengths: Sequence[int], longest: int) -> Iterator[str]:
    """A line on captions that the model does not read to their ends. lengths: in tokens; longest: the setting."""
    over = sum(length > longest for length in lengths)
    if over:
        yield (
            f"! {over:,} of {len(lengths):,} captions are longer than {longest} tokens and are cut there: what stands "
            f"last is never learned; put what matters first, or --set longest_caption={max(lengths)} (slower)"
        )
