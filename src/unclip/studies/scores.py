"""The page of an evaluation: RUN/evaluation/SPLIT/report.html with its images, and scores.json beside it."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from PIL import Image

from unclip.core.disk.atomic import write_atomic
from unclip.core.disk.store import to_json
from unclip.evaluation.judging.compared import Compared
from unclip.evaluation.judging.copies import closest_pairs, enough
from unclip.figures import plots, score_plots
from unclip.figures.differences import calibration_sentence
from unclip.figures.report import Section, write_report
from unclip.figures.score_rows import rows, side_by_side
from unclip.images.files import grid, save_picture, to_pictures
from unclip.recipes.api.evaluate import Evaluation

COLUMNS, ROWS, PAIRS = 12, 3, 12
HELD = """Judges are feature nets that this run did not train. Between the distance of training images, which no model
can be expected to beat, and that of coloured noise, which has learnt nothing but colours, a distance can be placed:
way is 1 at the first and 0 at the second."""
NEAR = """nearest: the median distance of generated images to the nearest training image, over that of held-out images;
near 0 for a model that knows its images by heart. near_copies: the share of generated images nearer to a training image
than 99 of 100 held-out ones are; expected: of a model that copies nothing."""
COPIES = """Each generated image above the training image that it is nearest to; those first that are far nearer to one
training image than to its neighbours. A model that copies shows the same image twice."""


def write_page(folder: Path, about: Mapping[str, Any], found: Evaluation) -> Path:
    """Writes scores.json, the images and report.html; returns the page's path."""
    folder.mkdir(parents=True, exist_ok=True)
    write_atomic(folder / "scores.json", to_json({**about, "scores": found.scores}))
    sections = [Section("What was judged", table=[["", ""], *([k, str(v)] for k, v in about.items())])]
    shown = set[str]()
    if found.compared is not None:
        sections += [*_pictures(folder, found.compared), *_plots(folder, found.scores, found.compared)]
        shown = {"copies", *(judge.name for judge in found.compared.judges)}
    prior = found.scores.get("prior")
    if isinstance(prior, Mapping) and (line := calibration_sentence(prior)):
        sections.append(Section("Does the prior sample as widely as the truth?", line))
    others = {name: metrics for name, metrics in found.scores.items() if name not in shown}
    sections.append(Section("Other figures", table=[["", "score", "value"], *rows(others)]))
    return write_report(folder, f"How good is {about['run']}?", sections)


def _pictures(folder: Path, compared: Compared) -> Iterator[Section]:
    n = min(len(compared.made), COLUMNS * ROWS)
    lines, labels = [], []
    for first in range(0, n, COLUMNS):
        for name, images in (("generated", compared.made), ("held out", compared.real)):
            lines.append(to_pictures(images[first : min(n, first + COLUMNS)]))
            labels.append(name)
    captioned = any(compared.captions)
    text = "Of the same captions." if captioned else "No more than examples: none belongs to another."
    yield Section("Generated and held-out images", text, pictures=[_saved(grid(lines, labels), folder / "samples.png")])
    if all(map(enough, compared.spaces.values())):
        sheets = [_saved(sheet, folder / f"copies-{name}.png") for name, sheet in _copies(compared)]
        yield Section("The closest training images", COPIES, pictures=sheets)


def _copies(compared: Compared) -> Iterator[tuple[str, Image.Image]]:
    for name, space in compared.spaces.items():
        pairs = closest_pairs(space, PAIRS)
        rows = [to_pictures(images) for images in (compared.made[pairs.made], compared.train[pairs.train])]
        yield _file_name(name), grid(rows, [f"generated (by {name})", "training"])


def _plots(folder: Path, scores: Mapping[str, Any], compared: Compared) -> Iterator[Section]:
    judges = {judge.name: scores[judge.name] for judge in compared.able}
    table, pictures = side_by_side(judges), list[Path]()
    if not plots.available():
        yield Section("By judges", HELD, table)
        return
    if judges:
        score_plots.distances(judges, folder / "distances.png")
        pictures.append(folder / "distances.png")
    if "spectrum" in scores:
        score_plots.octaves(scores["spectrum"], folder / "spectrum.png")
        pictures.append(folder / "spectrum.png")
    yield Section("By judges", HELD, table, pictures)
    yield Section("Is anything copied?", NEAR, _copied(scores["copies"]))


def _copied(copies: Mapping[str, Any]) -> list[Sequence[str]]:
    known = {name: metrics for name, metrics in copies.items() if isinstance(metrics, Mapping)}
    return side_by_side(known) if known else [["", ""], *([name, str(why)] for name, why in copies.items())]


def _saved(picture: Image.Image, path: Path) -> Path:
    save_picture(picture, path)
    return path


def _file_name(judge: str) -> str:
    return "".join(c if c.isalnum() or c == "-" else "-" for c in Path(judge).name)
