"""The lecture of a VAE, a flow or a GAN: what its z is, and what is known of p(x)."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING

import torch

from unclip.core.noise import Noise
from unclip.core.typing import Float, Tensor
from unclip.figures.slides.sheet import sheet
from unclip.figures.slides.slide import Slide, escaped
from unclip.generation.load import called
from unclip.images.files import to_pictures
from unclip.models.families.base import Explains
from unclip.recipes.events import Event
from unclip.studies.families.explained import (
    CODE,
    Look,
    Strip,
    arcs,
    reconstructions,
    temperatures,
    traversals,
)
from unclip.studies.families.study import between
from unclip.studies.lecture import deck
from unclip.studies.lecture.opening import families
from unclip.studies.lecture.shared import names_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ONE, TWO = "1  From noise to data", "2  Inside of this model"
TEX = {
    "vae": r"\log p(x)\ \geq\ \mathbf{E}_{q(z|x)}\left[\log p(x|z)\right] - "
    r"D_{\mathrm{KL}}\left(q(z|x)\,\|\,\mathcal{N}(0,\mathbf{I})\right)",
    "flow": r"\log p(x) = \log\mathcal{N}(f(x);\,0,\mathbf{I}) + \log\left|\det\frac{\partial f}{\partial x}\right|",
    "gan": r"L_D = \mathrm{softplus}(D(G(z)) - D(x)) + \frac{\gamma}{2}(R_1 + R_2)\qquad "
    r"L_G = \mathrm{softplus}(D(x) - D(G(z)))",
}
"""What each family is trained by."""
SAMPLES = 16
"""Of a VAE's bound: the tighter one takes so many."""
FEW = 5
"""Rows of a slide at the most."""


def lecture(look: Look) -> Iterator[Event]:
    """Makes the slides that apply, and writes them into the look's folder."""
    makes: list[Callable[[Look], Slide]] = [title, way, ways, numbers]
    if look.family.way.back is not None:
        makes.append(back)
    if isinstance(look.model.model, Explains):
        makes.append(likelihood)
    named: list[tuple[str, deck.Make]] = [(make.__name__, partial(make, look)) for make in makes]
    named.insert(1, (families.__name__, families))
    yield from deck.write(f"A {called(look.model)}, seen in {look.family.root.name}", named, look.out, look.model.hash)


def title(look: Look) -> Slide:
    """What the lecture is made of."""
    z = look.family.way.noise(range(look.seed, look.seed + 2 * len(look.labels)))
    pictures = to_pictures(look.family.way.draw(z, look.labels.repeat(2)).cpu())
    half = len(pictures) // 2
    model = look.model
    return Slide(
        "title",
        "A lecture, made from a run",
        "From noise to an image, in one pass",
        f"Every image and figure on these slides is of one run, {escaped(look.family.root.name)}: a {called(model)}, "
        f"{model.size} x {model.size} pixels, model {model.hash}; seed {look.seed}.",
        draw=lambda figure: sheet(figure, [pictures[:half], pictures[half:]]),
        alt="Images that the run has drawn.",
    )


def _strip(strip: Strip) -> "Callable[[Figure], None]":
    return lambda figure: sheet(figure, strip.lines[:FEW], strip.heads or (), (strip.names or [])[:FEW])


def way(look: Look) -> Slide:
    """z to x, by temperature."""
    strip = temperatures(look)
    some = Strip(strip.lines[::2], (strip.names or [])[::2])
    return Slide(
        "noise-to-data",
        ONE,
        "One pass from $z$ to $x$, and what it is trained by",
        f"A column is one $z$ of {look.model.model.latent:,} normal numbers, multiplied by t: at 0 all of a "
        "class are one image; what was learned lies about 1.",
        r"z \sim \mathcal{N}(0,\,t^2\,\mathbf{I}),\quad x = G(z)" + "\n" + TEX[look.model.NAME],
        names_of(*CODE[look.model.NAME]),
        _strip(some),
        "Rows: temperatures, from 0 up; columns: the same noise.",
    )


def ways(look: Look) -> Slide:
    """From one z to another."""
    return Slide(
        "interpolations",
        TWO,
        "Interpolations: from one $z$ to another",
        "Along the arc between two draws, so that every $z$ on the way is as likely as its ends.",
        r"\mathrm{slerp}(a,b,\theta) = \frac{\sin((1-\theta)\,\omega)\,a + \sin(\theta\,\omega)\,b}{\sin\omega}",
        ["unclip.core.slerp.slerp", *names_of(between)],
        _strip(arcs(look)),
        "Rows of images that go from one to another.",
    )


def numbers(look: Look) -> Slide:
    """One number of z at a time."""
    strip = traversals(look)
    return Slide(
        "numbers",
        TWO,
        "One number of $z$ at a time",
        f"Of {look.model.model.latent:,} numbers the {min(FEW, len(strip.lines))} that change this image most, each "
        "moved through its range in standard deviations while the others stay.",
        "",
        ["unclip.studies.families.explained.strongest"],
        _strip(strip),
        "A row a number of z: the image changes from left to right.",
    )


def back(look: Look) -> Slide:
    """From an image to z and back."""
    said = {
        "flow": "A flow gives back what it was given, to rounding: it is one to one.",
        "vae": "A VAE gives what its code had room for: what is lost is the distortion of its bound.",
    }
    return Slide(
        "back",
        TWO,
        "From an image to $z$ and back",
        said[look.model.NAME]
        + f" Below each image what comes back; root of the mean square of the error: {error(look):.4f}.",
        r"x\ \rightarrow\ z\ \rightarrow\ x'",
        names_of(type(look.model.model).encode, type(look.model.model).decode),
        _strip(reconstructions(look)),
        "Held-out images above, what comes back of them below.",
    )


def error(look: Look) -> float:
    """Of the way to z and back, in units of [-1, 1]."""
    z = look.family.way.encode(look.images, look.labels)
    off = look.family.way.draw(z, look.labels).cpu() - look.images
    return off.square().mean().sqrt().item()


def likelihood(look: Look) -> Slide:
    """Bits a dimension of held-out images."""
    exact = look.model.NAME == "flow"
    bits = bits_of(look, 1)
    more = "" if exact else f" With {SAMPLES} samples the bound is tighter: {bits_of(look, SAMPLES).mean():.2f}."
    kind = "exact but for the dequantisation" if exact else "by the bound"
    return Slide(
        "likelihood",
        TWO,
        "What the model makes of images that it has not seen",
        f"Above each held-out image its bits a dimension, {kind}; {bits.mean():.2f} in the mean, 8 if nothing were "
        f"known.{more}"
        " Smooth images cost little, whatever they show.",
        r"\mathrm{bits/dim} = \frac{-\log_2 p(x)}{\mathrm{dim}\,x}",
        names_of(type(look.model.model).bits),
        lambda figure: sheet(figure, [to_pictures(look.images)], [f"{value:.2f}" for value in bits.tolist()]),
        "Held-out images under their bits a dimension.",
    )


@torch.no_grad()
def bits_of(look: Look, k: int) -> Float[Tensor, " b"]:
    """Of the look's images, by k samples."""
    module, device = look.model.model, look.model.device
    assert isinstance(module, Explains)
    noise = Noise.shared(look.seed, "lecture", "bits", device=device)
    return module.bits(look.images.to(device), look.labels.to(device), noise, k).cpu()
