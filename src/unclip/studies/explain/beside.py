"""What `unclip explain` leaves in a folder: a page, a deck where it was asked for, and the way between them."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from unclip.figures.link import Link
from unclip.figures.report import Section, write_report
from unclip.figures.slides.deck import shows
from unclip.recipes.events import Event, ImageSaved

PAGE, DECK, FOLDER = "explain.html", "slides.html", "slides"
"""FOLDER: of the slides' PNGs."""
TO_PAGE, TO_DECK = Link("All images on one page", PAGE), Link("The lecture, as slides", DECK)


def write_both(
    out: Path, title: str, sections: Sequence[Section], model: str, slides: Iterable[Event] | None
) -> Iterator[Event]:
    """Writes the page, then makes the slides where they are asked for, and leads from the page to them.

    A deck that was there before is led to as well, where it shows the model with the same hash.
    """

    def page() -> Path:
        link = TO_DECK if shows(out / DECK, model) else None
        return write_report(out, title, sections, PAGE, link)

    yield ImageSaved("explain", page())
    if slides is not None:
        yield from slides
        page()
