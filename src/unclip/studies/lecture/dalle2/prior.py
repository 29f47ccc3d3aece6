"""Chapter 6: DALL-E 2 as a whole, and the prior as a picture."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from PIL import Image
from torch import nn

from unclip.core.typing import Float, Tensor, Vectors
from unclip.figures.slides.slide import SMALL, Slide, escaped, points
from unclip.figures.style import COLOURS, FAINT, INK
from unclip.generation.require import require
from unclip.generation.text_to_image import TextToImage
from unclip.images.files import to_pictures
from unclip.nn.prior.pca import principal
from unclip.studies.explain.request import Task
from unclip.studies.lecture.dalle2.contrast import distinct
from unclip.studies.lecture.shared import BRIEF, PRIOR, Box, arrow, axes, counted, last, legend_below, names_of, prompts

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST, DRAWN, CAPTIONS = 400, 32, 3
"""Image embeddings of the background; draws of the prior for each of so many captions."""
ONE = 0.99
"""Above this cosine two embeddings are the same to anybody who looks."""


def unclip_of(look: Task) -> TextToImage:
    """The run's model."""
    model = look.run.subject.model
    assert isinstance(model, TextToImage)
    return model


def whole(look: Task) -> Slide:
    """From a caption to an image, with the run's own shapes."""
    model = unclip_of(look)
    [word] = prompts(look, 1)
    [image] = to_pictures(last(look, [word], [look.ask.seed]))
    return Slide(
        "whole",
        PRIOR,
        "DALL-E 2 as a whole: unCLIP",
        "CLIP says where a caption and an image lie. The prior goes from the caption to an image's embedding; the "
        "decoder is the diffusion of the chapters before, told that embedding. Given the image, its embedding is "
        "known: so the product is exact.",
        r"p(x\,|\,y) = p(x,\,z_i\,|\,y) = p(x\,|\,z_i,\,y)\ p(z_i\,|\,y)",
        names_of(TextToImage, type(model.prior), type(model.decoder)),
        lambda figure: _whole(figure, model, word, image),
        "Boxes from the caption by CLIP's text tower, the prior and the decoder to the image.",
    )


def _whole(figure: "Figure", model: TextToImage, word: str, image: Image.Image) -> None:
    from matplotlib.offsetbox import AnnotationBbox, OffsetImage

    ax = figure.subplots()
    ax.set_axis_off()
    ax.set_xlim(0, 100)
    ax.set_ylim(0, 10)
    width, prior, decoder = model.clip.config.width, require(model.prior, "prior"), require(model.decoder, "decoder")
    weights = counted(prior) if isinstance(prior, nn.Module) else "none"
    boxes = (
        (10.5, 17, f'"{escaped(word, BRIEF)}"', "caption $y$", FAINT),
        (30, 16, "CLIP\ntext tower", f"{counted(model.clip.text)} of {counted(model.clip)}", COLOURS[0]),
        (50, 16, "prior", f"{weights}, {type(prior).__name__}", COLOURS[1]),
        (70, 16, "decoder", counted(decoder), COLOURS[2]),
    )
    for x, wide, words, below, colour in boxes:
        Box(x, 5, wide, 3.2, words, colour, 32).draw(ax)
        ax.text(x, 2.6, below, ha="center", va="top", fontsize=points(SMALL))
    for x, name in ((19.5, ""), (38.5, "$z_t$"), (58.5, "$z_i$"), (78.5, "$x$")):
        arrow(ax, x, x + 3, 5)
        ax.text(x + 1.2, 5.6, name, ha="center", fontsize=points(38))
    ax.text(50, 9.2, f"$z_t$, $z_i$: unit vectors of {width} numbers", ha="center", fontsize=points(SMALL + 2))
    size = model.size
    ax.add_artist(AnnotationBbox(OffsetImage(np.asarray(image), zoom=230 / size), (91, 5), pad=0.1))
    ax.text(91, 0.7, f"{size} x {size} pixels", ha="center", fontsize=points(SMALL))


@dataclass(frozen=True)
class Drawn:
    """Of a caption: its text embedding, its image's, and what the prior draws for it."""

    caption: str
    text: Float[Tensor, "one d"]
    image: Float[Tensor, "one d"]
    prior: Float[Tensor, "draws d"]


def picture(look: Task) -> Slide:
    """Embeddings in the plane of their two largest components."""
    model = unclip_of(look)
    background, found = background_of(look, model), drawn(look, model)
    mean, components, variances = principal(background)
    flat = components[:, :2]
    share = (variances[:2].sum() / variances.sum()).item()
    own, gap = (
        _cosine([d.prior for d in found], [d.image for d in found]),
        _cosine([d.text for d in found], [d.image for d in found]),
    )
    among = _cosine([d.prior[:-1] for d in found], [d.prior[1:] for d in found])
    return Slide(
        "prior",
        PRIOR,
        "The prior: from a caption to embeddings of images",
        f"Gray: embeddings of {len(background)} images of the data, in the plane of their two largest principal "
        f"components ({share:.0%} of the variance). For {len(found)} held-out captions: the text embedding, the "
        f"image's own, and {DRAWN} draws of the prior, each the nearer of its candidates.\n\n"
        f"Cosine to the image's own embedding: of the text's {gap:.2f}, of the draws' {own:.2f}; of the draws among "
        f"each other {among:.3f}" + (": this prior draws nearly one embedding a caption." if among > ONE else "."),
        r"z_i \sim p_\theta(z_i\,|\,y)\qquad L_{\mathrm{prior}} = \mathbf{E}\,\|\,f_\theta(z_i^{(t)},t,y) - z_i\,\|^2",
        names_of(type(model.prior), principal),
        lambda figure: _plane(figure, (background.double() - mean) @ flat, [_flat(d, mean, flat) for d in found]),
        "A cloud of image embeddings; for each caption its text embedding apart, and the prior's draws near its "
        "image's.",
        "beside",
    )


def background_of(look: Task, model: TextToImage) -> Vectors:
    """Embeddings of images of the data, evenly spread over it."""
    rows = np.unique(np.linspace(0, len(look.run.prepared.captions) - 1, MOST).round().astype(int)).tolist()
    parts = [model.embed_images(look.run.subject.images(rows[i : i + 64])) for i in range(0, len(rows), 64)]
    return torch.cat(parts).float().cpu()


def drawn(look: Task, model: TextToImage) -> list[Drawn]:
    """Of a few held-out captions, each with `DRAWN` draws of the prior."""
    found = []
    for row in distinct(look, CAPTIONS):
        [word] = look.run.subject.prompts([row])
        seeds = range(look.ask.seed, look.ask.seed + DRAWN)
        z = model.embed_prompts([word] * DRAWN, seeds).float().cpu()
        image = model.embed_images(look.run.subject.images([row])).float().cpu()
        found.append(Drawn(word, model.embed_captions([word]).float().cpu(), image, z))
    return found


def _cosine(a: list[Tensor], b: list[Tensor]) -> float:
    return float(np.mean([(x * y).sum(1).mean().item() for x, y in zip(a, b, strict=True)]))


def _flat(d: Drawn, mean: Tensor, flat: Tensor) -> Drawn:
    moved = [(part.double() - mean) @ flat for part in (d.text, d.image, d.prior)]
    return Drawn(d.caption, *moved)


def _plane(figure: "Figure", background: Float[Tensor, "n two"], found: list[Drawn]) -> None:
    [ax] = axes(figure)
    ax.scatter(*background.t().tolist(), color=FAINT, s=40, alpha=0.5, linewidths=0)
    for d, colour in zip(found, COLOURS, strict=False):
        edge = {"edgecolors": INK, "linewidths": 2, "color": colour}
        ax.scatter(*d.image.t().tolist(), s=500, marker="o", label=escaped(d.caption, BRIEF), **edge)
        ax.scatter(*d.text.t().tolist(), s=800, marker="*", **edge)
        ax.scatter(*d.prior.t().tolist(), s=170, marker="X", edgecolors=INK, linewidths=1, color=colour, zorder=4)
    ax.set_title("star: the text   circle: the image   cross: a draw of the prior")
    ax.set_xlabel("first component")
    ax.set_ylabel("second")
    legend_below(figure, ax, 3)


SLIDES = (whole, picture)
