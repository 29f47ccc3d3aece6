"""`unclip explain` of a VAE, a flow or a GAN: what z is, in images of the run's own model, with the formulas."""

from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from PIL import Image

from unclip.core.typing import Float, Images, Tensor, Vectors
from unclip.evaluation.pictures import held_out
from unclip.figures.report import Section
from unclip.generation.one_pass import OnePassModel
from unclip.images.files import grid, save_picture, to_pictures
from unclip.models.classes import Labels
from unclip.models.families import flow, gan, vae
from unclip.recipes.events import Event, ImageSaved
from unclip.runs.folder import RunFolder
from unclip.studies.explain.page import where
from unclip.studies.explain.subject import held_out_of
from unclip.studies.families.study import Family, between

COLUMNS, ROWS, PAIRS = 9, 8, 4
TEMPERATURES = (0.0, 0.3, 0.5, 0.7, 0.85, 1.0, 1.2)
FURTHEST = 3.0
"""Standard deviations that a number of z is moved to each side."""
AMONG = 512
"""Numbers of z that are tried; a flow has thousands."""
CODE = {"vae": (vae.VAE, vae.Gaussian), "flow": (flow.Flow,), "gan": (gan.GAN, gan.GANTraining)}
FORMULA = {
    "vae": "log p(x) ≥ E_q[log p(x|z)] − KL(q(z|x) ‖ N(0, I))",
    "flow": "log p(x) = log N(f(x); 0, I) + log |det ∂f/∂x|",
    "gan": "L_D = softplus(D(G(z)) − D(x)) + γ/2 (R_1 + R_2),   L_G = softplus(D(x) − D(G(z)))",
}


@dataclass(frozen=True)
class Look:
    """A run that is looked at: its model, held-out images and their classes, and where pictures go."""

    family: Family
    model: OnePassModel[Any]
    images: Images
    labels: Labels
    out: Path
    seed: int


@dataclass(frozen=True)
class Strip:
    """Rows of images with their names, and what stands above the columns."""

    lines: list[list[Image.Image]]
    names: list[str] | None = None
    heads: list[str] | None = None


def explain_family(look: Look) -> Generator[Event, None, list[Section]]:
    """Draws everything into the look's folder, and returns what the page says of it."""
    parts = [_samples(look), _between(look), _moved(look)]
    if look.family.way.back is not None:
        parts.append(_again(look))
    sections = []
    for section in parts:
        yield from (ImageSaved("explain", path) for path in section.pictures)
        sections.append(section)
    return sections


def look_at(root: Path, model: OnePassModel[Any], out: Path, seed: int) -> Look:
    """A run with its held-out images. Raises ValueError for one without its data."""
    prepared, rows, _ = held_out_of(model, RunFolder(root))
    images, labels = held_out(model, prepared, rows[:COLUMNS])
    return Look(Family.of(root, model), model, images, labels, out, seed)


def _samples(look: Look) -> Section:
    return Section(
        "From z to an image, by temperature",
        "Each column is one z, drawn from N(0, I) and multiplied by t. At 0 all are the image in the middle; what the "
        "model has learned lies about 1.",
        formula=FORMULA[look.model.NAME],
        code=where(*CODE[look.model.NAME]),
        pictures=[_saved(look, "temperature", temperatures(look))],
    )


def temperatures(look: Look) -> Strip:
    """A row a temperature, all from the same z."""
    z = look.family.way.noise(range(look.seed, look.seed + len(look.labels)))
    lines = [to_pictures(look.family.way.draw(t * z, look.labels).cpu()) for t in TEMPERATURES]
    return Strip(lines, [f"t = {t:g}" for t in TEMPERATURES])


def _between(look: Look) -> Section:
    return Section(
        "From one z to another",
        "Along the arc between two draws, so that every z on the way is as likely as its ends.",
        formula="slerp(a, b, t) = (sin((1 − t) ω) a + sin(t ω) b) / sin ω",
        pictures=[_saved(look, "between", arcs(look))],
    )


def arcs(look: Look) -> Strip:
    """A row a pair: along the arc from one z to another."""
    z = look.family.way.noise(range(look.seed, look.seed + 2 * PAIRS))
    pairs = [between(look.family.way, look.labels, z[2 * i : 2 * i + 2], COLUMNS) for i in range(PAIRS)]
    return Strip([to_pictures(images.cpu()) for images in pairs])


def _moved(look: Look) -> Section:
    strip = traversals(look)
    return Section(
        "One number of z at a time",
        f"Of {look.model.model.latent:,} numbers the {len(strip.lines)} that change this image most, each moved from "
        f"{-FURTHEST:g} to {FURTHEST:g} standard deviations while the others stay.",
        pictures=[_saved(look, "traversals", strip)],
    )


def traversals(look: Look) -> Strip:
    """A row each of the numbers of z that change the image most, moved through its range."""
    z = look.family.way.noise([look.seed])
    assert isinstance(z, Tensor)
    label, values = look.labels[:1], torch.linspace(-FURTHEST, FURTHEST, COLUMNS)
    order = strongest(look, z, label)
    lines, heads = list[list[Image.Image]](), [f"{value:+.1f}" for value in values.tolist()]
    for place in order:
        moved = z.repeat(COLUMNS, 1)
        moved[:, place] = values.to(z)
        lines.append(to_pictures(look.family.way.draw(moved, label.expand(COLUMNS)).cpu()))
    return Strip(lines, [f"z {place}" for place in order], heads)


def strongest(look: Look, z: Float[Tensor, "1 d"], label: Labels) -> list[int]:
    """The numbers of z that change the image of this z most when moved by a standard deviation, among at most `AMONG`
    of them, evenly spread."""
    count = z.shape[1]
    places = torch.linspace(0, count - 1, min(count, AMONG)).round().long().unique()
    moved: Vectors = z.repeat(len(places), 1)
    moved[torch.arange(len(places)), places] += 1
    start = look.family.way.draw(z, label)
    change = (look.family.way.draw(moved, label.expand(len(places))) - start).square().flatten(1).sum(1)
    return places[change.argsort(descending=True)[:ROWS].cpu()].tolist()


def _again(look: Look) -> Section:
    return Section(
        "From an image to z and back",
        "A flow gives back what it was given, to rounding. A VAE gives what its code had room for: what is lost is the "
        "distortion of its bound, and the code's length the rate.",
        pictures=[_saved(look, "reconstructions", reconstructions(look))],
    )


def reconstructions(look: Look) -> Strip:
    """Held-out images, and below them what is left after the way to z and back."""
    z = look.family.way.encode(look.images, look.labels)
    again = look.family.way.draw(z, look.labels)
    return Strip([to_pictures(look.images), to_pictures(again.cpu())], ["held out", "to z and back"])


def _saved(look: Look, name: str, strip: Strip) -> Path:
    path = look.out / f"{name}.png"
    save_picture(grid(strip.lines, strip.names, heads=strip.heads), path)
    return path
