"""What the numbers of a data set say: too few images, too few captions, images smaller than what is to be drawn."""

from collections.abc import Iterator

from unclip.data.prepare.inspect import SMALLEST, DataReport

HANDFUL = 30
"""Images of which no model can be made."""
FEW = 200
"""Images below which a model learns them by heart."""
FEW_CAPTIONS = 30
"""Different captions below which there are no words to learn."""
OFTEN = 200
"""Images of one caption above which captions are rather classes."""


def advice(report: DataReport, worded: bool = True) -> Iterator[str]:
    """Lines that begin with "!". worded: the model is to follow words, not classes, nor nothing."""
    if 0 < report.pairs < HANDFUL:
        yield (
            f"! {report.pairs:,} images are very few: a model learns them by heart within minutes and knows nothing "
            "else; gather some hundred that have something in common"
        )
    elif 0 < report.pairs < FEW:
        yield (
            f"! {report.pairs:,} images are very few: a model learns them by heart instead of what they have in "
            "common; some hundred are the least, some thousand are good"
        )
    captions = report.distinct_captions
    if worded and report.pairs >= FEW and 1 < captions < max(FEW_CAPTIONS, report.pairs / OFTEN):
        yield (
            f"! {report.pairs:,} images have only {captions:,} different captions, too few to learn words from: "
            "describe each image in words of its own, or train on classes: --model ddpm --classes"
        )
    if report.orphans > report.pairs:
        yield (
            f"! only {report.pairs:,} of {report.pairs + report.orphans:,} images have a caption: the others are "
            "left out; --model ddpm (without --classes) learns from images alone"
        )
    yield from _small(report)


def _small(report: DataReport) -> Iterator[str]:
    """Most images are enlarged. What they were is told by their median."""
    small, size = report.small
    if 2 * small <= report.pairs or not report.pairs:
        return
    width, height = report.image_size[1]
    smaller = size > SMALLEST and min(width, height) < (SMALLEST + size) / 2
    way = f"--size {SMALLEST} trains in less time and loses nothing" if smaller else "take larger originals"
    yield f"! most images are smaller than the {size} px that are to be drawn ({width} x {height} at the median): {way}"
