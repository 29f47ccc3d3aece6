"""What a data set is too small or too plain for, told before hours are spent on it."""

from collections.abc import Iterator

from unclip.data.prepare.inspect import DataReport

FEW = 200
"""Images below which a model learns them by heart."""
FEW_CAPTIONS = 30
"""Different captions below which there are no words to learn."""
OFTEN = 200
"""Images of one caption above which captions are rather classes."""


def advice(report: DataReport, worded: bool = True) -> Iterator[str]:
    """Lines that begin with "!". worded: the model is to follow words, not classes, nor nothing."""
    if 0 < report.pairs < FEW:
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
