"""Whether a stage will see each image at all, told while there is still time to stop it."""

from collections.abc import Iterator

from unclip.recipes.events import Event, Note, Progress

STEPS, SHARE = 20, 0.02
"""So many steps, and so much of a stage, tell its speed."""


def foreseen(events: Iterator[Event], stage: str, batch: int, pictures: int) -> Iterator[Event]:
    """The events of a stage and, once its speed is known, a warning where it sees less than every image once.

    batch: images in one step; pictures: that it trains on.
    """
    told = False
    for event in events:
        yield event
        if not told and isinstance(event, Progress) and event.report.step >= STEPS and event.report.share >= SHARE:
            told, seen = True, event.report.step / event.report.share * batch / pictures
            if seen < 1:
                yield Note(stage, warning(seen))


def warning(seen: float) -> str:
    """seen: how often a stage sees each image."""
    return (
        f"! at this speed the stage sees {seen:.0%} of the images, each once: give a new run (another --out) a "
        f"{5 / seen:,.0f} times larger --budget, or fewer or smaller images"
    )
