"""`unclip explain --slides`: the lecture of a run, as one deck of HTML and a PNG of each slide."""

import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

from unclip.figures.slides.deck import Laid, write_deck
from unclip.figures.slides.layout import arrange
from unclip.figures.slides.paint import paint, panel
from unclip.figures.slides.slide import Slide
from unclip.generation.captioned import CaptionedModel
from unclip.generation.text_to_image import TextToImage
from unclip.images.files import save_picture
from unclip.recipes.events import Event, ImageSaved, working
from unclip.studies.explain.beside import DECK, FOLDER, PAGE, TO_PAGE
from unclip.studies.explain.request import Task
from unclip.studies.lecture import opening
from unclip.studies.lecture.dalle2 import contrast, decoder, prior
from unclip.studies.lecture.ddpm import forward, network, reverse, training

Make = Callable[[], Slide]


def lecture(look: Task) -> Iterator[Event]:
    """Makes the slides that apply to the run, and writes them into the request's folder."""
    makes = [(make.__name__, partial(make, look)) for make in chapters(look)]
    yield from write(f"Diffusion, seen in {look.run.root.name}", makes, look.out, look.run.subject.model.hash)


def chapters(look: Task) -> list[Callable[[Task], Slide]]:
    """The slides in the lecture's order: those of every diffusion, and what else the run has."""
    model = look.run.subject.model
    parts = [
        *opening.SLIDES,
        *forward.SLIDES,
        *reverse.SLIDES,
        training.objective,
        *network.SLIDES,
        training.five_steps,
        training.sampling,
    ]
    if isinstance(model, TextToImage):
        return [*parts, *contrast.SLIDES, *prior.SLIDES, *decoder.SLIDES]
    parts += [decoder.guidance] if any(look.prompts) else []
    return [*parts, *contrast.SLIDES] if isinstance(model, CaptionedModel) else parts


def write(title: str, makes: Sequence[tuple[str, Make]], out: Path, model: str = "") -> Iterator[Event]:
    """Slides, each as a PNG as soon as it is made, then the deck, which leads to the page where one is there.

    model: the hash of the one that is shown. Raises ValueError without matplotlib.
    """
    laid, start = list[Laid](), time.monotonic()
    for number, (name, make) in enumerate(makes, 1):
        slide = make()
        placed = arrange(slide, f"{number} / {len(makes)}")
        room = next((block for block in placed if block.kind == "picture"), None)
        picture = panel(slide.draw, room.width, room.height) if room and slide.draw else None
        laid.append(Laid(slide, placed, picture))
        path = out / FOLDER / f"{number:02d}-{slide.name}.png"
        save_picture(paint(placed, picture), path, optimize=True)
        yield ImageSaved("slides", path)
        yield working("slides", f"slide {number} of {len(makes)}, {name.replace('_', ' ')}", number, len(makes), start)
    written = {f"{number:02d}-{done.slide.name}.png" for number, done in enumerate(laid, 1)}
    for path in (out / FOLDER).glob("[0-9][0-9]-*.png"):
        if path.name not in written:  # of a lecture that was here before
            path.unlink()
    write_deck(out / DECK, title, laid, model, TO_PAGE if (out / PAGE).is_file() else None)
    yield ImageSaved("slides", out / DECK)
