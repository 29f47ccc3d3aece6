"""The title, and chapter 1: four families that convert noise z to a data sample x."""

from typing import TYPE_CHECKING

from unclip.core.noise import Noise
from unclip.diffusion.process import Diffusion
from unclip.figures.slides.sheet import sheet
from unclip.figures.slides.slide import SMALL, Slide, escaped, points
from unclip.figures.style import COLOURS
from unclip.generation.load import called
from unclip.images.files import to_pictures
from unclip.models.autoencoder.space import Codes
from unclip.models.families.flow import Flow
from unclip.models.families.gan import GAN
from unclip.models.families.vae import VAE
from unclip.studies.explain.request import Task
from unclip.studies.lecture.shared import FAMILIES, Box, arrow, drawing, last, names_of, prompts, raw

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ROWS = (
    (
        "VAE",
        r"$z \sim \mathcal{N}(0,\mathbf{I})$",
        "decoder, once",
        r"$\log p(x) \geq \mathbf{E}_q\log p(x|z) - D_{\mathrm{KL}}(q(z|x)\,\|\,p(z))$",
    ),
    ("GAN", r"$z \sim \mathcal{N}(0,\mathbf{I})$", "generator, once", "none: a second network tells real from drawn"),
    (
        "flow",
        r"$z \sim \mathcal{N}(0,\mathbf{I})$",
        "inverse of f, once",
        r"$\log p(x) = \log p(z) + \log|\det\,\partial f/\partial x|$",
    ),
    (
        "diffusion",
        r"$x_T \sim \mathcal{N}(0,\mathbf{I})$",
        r"denoiser, $T$ times",
        r"$\log p(x) \geq$ a bound of $T$ terms",
    ),
)
"""Family, its noise, what makes x of it, and its likelihood."""
DRAWN, OWN = 10, 7
"""Images of the title, and of the run's own z and x."""


def title(look: Task) -> Slide:
    """What the lecture is made of."""
    words = prompts(look, DRAWN)
    pictures = to_pictures(last(look, words, range(look.ask.seed, look.ask.seed + DRAWN)))
    model = look.run.subject.model
    what = f"{called(model)}, {model.size} x {model.size} pixels, model {model.hash}"
    asked = ", ".join(escaped(word, 24) for word in dict.fromkeys(words) if word)
    return Slide(
        "title",
        "A lecture, made from a run",
        "From noise to an image",
        f"Every image, curve and figure on these slides is of one run, {escaped(look.run.root.name)} ({what}), or "
        f"computed while they were made, with seed {look.ask.seed}." + (f"\n\nDrawn here: {asked}." if asked else ""),
        draw=lambda figure: sheet(figure, [pictures[: DRAWN // 2], pictures[DRAWN // 2 :]]),
        alt="Ten images that the run has drawn.",
    )


def families(_: Task | None = None) -> Slide:
    """Four families of generative models."""
    return Slide(
        "families",
        FAMILIES,
        r"Generative models convert noise $z$ to a data sample $x$",
        "All four draw $z$ from a distribution that is easy to draw from, and learn the way to the data. They differ "
        "in how often the network is asked, and in what is known of $p(x)$. All are trained here by one command: "
        "unclip train DATA --model vae, gan, flow or ddpm.",
        "",
        names_of(VAE, GAN, Flow, Diffusion),
        _families,
        "A row a family: its noise, an arrow through its network to x, and its likelihood.",
    )


def _families(figure: "Figure") -> None:
    ax = figure.subplots()
    ax.set_axis_off()
    ax.set_xlim(0, 100)
    ax.set_ylim(0, len(ROWS))
    for i, (name, noise, network, likelihood) in enumerate(ROWS):
        y = len(ROWS) - i - 0.5
        ax.text(0, y, name, va="center", fontsize=points(36), fontweight="bold")
        boxes = ((20, 15, noise, COLOURS[5]), (41, 19, network, COLOURS[4]), (58, 6, "$x$", COLOURS[5]))
        for x, width, words, colour in boxes:
            Box(x, y, width, 0.54, words, colour).draw(ax)
        arrow(ax, 28, 31, y)
        arrow(ax, 51, 54.5, y)
        ax.text(64, y, likelihood, va="center", fontsize=points(SMALL if "$" not in likelihood else 34))


def own_way(look: Task) -> Slide:
    """The run's z and its x."""
    seeds, words = range(look.ask.seed, look.ask.seed + OWN), prompts(look, 1) * OWN
    z = start_of(look, OWN)
    how = look.run.subject.model.resolved(drawing(look))
    asked = f' of "{escaped(words[0])}"' if words[0] else ""
    rows = [raw(look, z), to_pictures(last(look, words, seeds))]
    return Slide(
        "noise-to-data",
        FAMILIES,
        "This run's noise, and what it becomes",
        f"Above, $x_T$: nothing but independent normal numbers{few(z.shape[1])}. Below, what {how.steps} steps of "
        f"{type(how.sampler).__name__} make of each{asked}. The model decides what is an image; the noise decides "
        f"which.",
        r"x_T \sim \mathcal{N}(0,\,\mathbf{I})\quad\longrightarrow\quad x_0 \sim p_\theta(x_0)",
        names_of(Diffusion.sample, type(how.sampler)),
        lambda figure: sheet(figure, rows, (), ("$x_T$", "$x_0$")),
        "A row of noise, and under each the image that it becomes.",
    )


def few(channels: int) -> str:
    """A remark for states of more channels than colours."""
    return f" ({channels} at each place; three of them as colours)" if channels > 3 else ""


def start_of(look: Task, count: int) -> Codes:
    """x_T of the request's seeds: the very numbers that the run begins with."""
    subject, seeds = look.run.subject, range(look.ask.seed, look.ask.seed + count)
    return Noise.per_sample(seeds).fork(subject.stream).normal((count, *subject.shape))


SLIDES = (title, families, own_way)
