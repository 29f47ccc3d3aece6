"""Advice before training, and the note of a stage that would not see every image."""

from collections.abc import Iterator

import pytest

from unclip.data.advice import advice
from unclip.data.prepare.inspect import DataReport
from unclip.recipes.events import Event, Note, Progress
from unclip.recipes.foresight import Passes, foreseen
from unclip.training.trainer import Report


@pytest.mark.parametrize(
    "report, worded, wanted",
    [
        (DataReport("x", 18, distinct_captions=18), True, ["18 images are very few"]),
        (DataReport("x", 8813, distinct_captions=12), True, ["8,813 images have only 12 different captions"]),
        (DataReport("x", 8813, distinct_captions=12), False, []),
        (
            DataReport("x", 300, orphans=8000, distinct_captions=290),
            True,
            ["only 300 of 8,300 images have a caption"],
        ),
        (DataReport("x", 5000, distinct_captions=4000), True, []),
        (DataReport("x", 0), True, []),
    ],
)
def test_advice(report: DataReport, worded: bool, wanted: list[str]) -> None:
    lines = list(advice(report, worded))
    assert len(lines) == len(wanted)
    assert all(line.startswith("! ") and words in line for line, words in zip(lines, wanted, strict=True))


def steps(each: float) -> Iterator[Event]:
    """Thirty steps, each of that share of the stage."""
    for n in range(1, 31):
        yield Progress("clip", Report(n, 1.0, {}, 1.0, 1e-3, 100.0, float(n), 10.0, n * each), 10.0, 0.1)


@pytest.mark.parametrize("each, seen", [(0.01, "40%"), (0.002, None)])
def test_a_stage_that_cannot_see_every_picture(each: float, seen: str | None) -> None:
    passes = Passes("clip", 4, 1000, 60.0, draws=False)
    notes = [event.text for event in foreseen(steps(each), passes) if isinstance(event, Note)]
    assert len(notes) == (seen is not None)
    assert all(f"sees {seen} of the images" in note for note in notes)
