"""What the chapters share: states as images, prompts, the run's denoiser, and plain plots."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from PIL import Image
from torch import nn

from unclip.core.condition import Condition
from unclip.core.noise import Noise
from unclip.core.typing import Images, Tensor
from unclip.core.watching import last_of
from unclip.diffusion.denoiser import Denoise, within
from unclip.diffusion.guidance import Unguided
from unclip.diffusion.schedules import BetaTable, LinearBeta
from unclip.figures.slides.slide import SMALL, Pixels, points
from unclip.figures.style import COLOURS, INK, RULE
from unclip.generation.settings import Settings
from unclip.images.files import to_pictures
from unclip.models.autoencoder.space import Codes
from unclip.studies.explain.request import Task

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FAMILIES, FORWARD, REVERSE = (
    "1  From noise to data",
    "2  To noise: the forward process",
    "3  And back: the reverse process",
)
TRAINING, CONTRAST = "4  Training and sampling", "5  CLIP: images and captions in one space"
PRIOR, DECODER = "6  The prior", "7  The decoder"
BRIEF = 18
"""Letters of a prompt that is short."""
MOST = 50
"""Steps of an image that is drawn for a slide."""
SPREAD = 2.5
"""Standard deviations of a state that are shown, black to white."""


def names_of(*things: Any) -> list[str]:
    """The full names of functions and classes, as one would import them."""
    return [f"{thing.__module__}.{thing.__qualname__}" for thing in things]


def counted(module: nn.Module) -> str:
    """The number of its weights, in words."""
    return in_words(sum(p.numel() for p in module.parameters()))


def in_words(count: int) -> str:
    """2,820,000 as 2.82 M; small numbers as they are."""
    return f"{count / 1e6:.2f} M" if count >= 1e5 else f"{count:,}"


def axes(figure: "Figure", rows: int = 1, columns: int = 1, **how: Any) -> "list[Axes]":
    """Plain plots, row by row: two spines, a faint grid."""
    found = [ax for line in figure.subplots(rows, columns, squeeze=False, **how) for ax in line]
    for ax in found:
        ax.spines[["top", "right"]].set_visible(False)
        ax.grid(color=RULE, linewidth=1.2)
        ax.set_axisbelow(True)
    return found


def legend_below(figure: "Figure", ax: "Axes", columns: int) -> None:
    """One legend for all plots of a figure."""
    figure.legend(*ax.get_legend_handles_labels(), loc="outside lower center", ncols=columns, frameon=False)


def histogram(ax: "Axes", values: Tensor, label: str = "", reach: float = 3.5, bins: int = 61) -> None:
    """The density of values between -reach and reach."""
    counts = torch.histc(values.flatten().double(), bins, -reach, reach)
    width = 2 * reach / bins
    middle = (torch.arange(bins) + 0.5) * width - reach
    ax.bar(middle.tolist(), (counts / (values.numel() * width)).tolist(), width, color=COLOURS[5], label=label)


def normal_line(ax: "Axes", mean: float = 0.0, std: float = 1.0, label: str = "", reach: float = 3.5) -> None:
    """The density of a Gaussian."""
    x = torch.linspace(-reach, reach, 400)
    y = torch.exp(-((x - mean) ** 2) / (2 * std**2)) / (std * (2 * torch.pi) ** 0.5)
    ax.plot(x.tolist(), y.tolist(), color=INK, linewidth=3, label=label)


@dataclass(frozen=True)
class Box:
    """A coloured box with words in it, of a drawing without axes: its centre, and its size."""

    x: Pixels
    y: Pixels
    width: Pixels
    height: Pixels
    words: str
    colour: str
    letters: Pixels = SMALL

    def draw(self, ax: "Axes") -> None:
        """Into the drawing's own coordinates."""
        from matplotlib.patches import FancyBboxPatch

        corner = (self.x - self.width / 2, self.y - self.height / 2)
        edge = {"edgecolor": self.colour, "facecolor": (self.colour, 0.25), "linewidth": 2}
        ax.add_patch(FancyBboxPatch(corner, self.width, self.height, boxstyle="round,pad=0,rounding_size=0.1", **edge))
        size = points(self.letters * (1.3 if self.words.startswith("$") else 1))
        ax.text(self.x, self.y, self.words, ha="center", va="center", fontsize=size)


def arrow(ax: "Axes", start: Pixels, end: Pixels, y: Pixels) -> None:
    """From left to right, in a drawing's own coordinates."""
    ax.annotate("", (end, y), (start, y), arrowprops={"arrowstyle": "-|>", "linewidth": 3, "color": INK})


def table_of(look: Task) -> BetaTable:
    """The run's own table of betas, or DDPM's where its schedule has none."""
    return look.schedule if isinstance(look.schedule, BetaTable) else LinearBeta()


def has_table(look: Task) -> bool:
    """Whether the run's schedule is a table of betas."""
    return isinstance(look.schedule, BetaTable)


def codes_note(look: Task) -> str:
    """A sentence more for a run whose states are codes."""
    space = look.run.subject.space
    if space.factor == 1:
        return ""
    each = f"{space.channels} numbers for each {space.factor} x {space.factor} pixels"
    return f" Here $x$ is the code of an image, {each}, made visible by the autoencoder."


def shown(look: Task, x: Codes) -> list[Image.Image]:
    """States as images."""
    return to_pictures(look.shown(x))


def raw(look: Task, x: Codes) -> list[Image.Image]:
    """States as they are, up to three of their channels as colours, of the size of the run's images."""
    few = x[:, :3] if x.shape[1] >= 3 else x[:, :1]
    side = look.run.subject.model.size
    return [p.resize((side, side), Image.Resampling.NEAREST) for p in to_pictures((few / SPREAD).float().cpu())]


def prompts(look: Task, count: int) -> list[str]:
    """Different prompts of held-out images, the first that are short, in turn where there are fewer."""
    distinct = list(dict.fromkeys(look.run.subject.prompts(look.run.rows.tolist())))
    short = [prompt for prompt in distinct if len(prompt) <= BRIEF] or distinct
    return [short[i % min(count, len(short))] for i in range(count)]


def drawing(look: Task) -> Settings:
    """How the slides draw: as the run does, or in `MOST` steps where it takes more, which a lecture has no time for."""
    return Settings() if look.run.subject.sampling.steps <= MOST else Settings(steps=MOST, sampler="ancestral")


def last(look: Task, words: Sequence[str], seeds: Iterable[int], settings: Settings | None = None) -> Images:
    """Images that the run draws, in [-1, 1] on the CPU; settings: None: those of `drawing`."""
    settings = settings or drawing(look)
    return last_of(look.run.subject.steps(words, list(seeds), settings)).x.float().clamp(-1, 1).cpu()


def condition_of(look: Task, count: int) -> Condition:
    """What training shows of the first `count` held-out images."""
    return look.run.subject.condition(look.run.rows[:count].tolist())


def own_denoiser(look: Task, count: int) -> Denoise:
    """The run's, told what training tells of the first `count` held-out images, without guidance."""
    diffusion = look.run.subject.diffusion
    return within(Unguided()(diffusion.denoiser, condition_of(look, count), Condition()), diffusion.config.limit)


def noise_of(look: Task, name: str) -> Noise:
    """A stream of the request's seed."""
    return Noise.shared(look.ask.seed, "lecture", name, device=look.run.device)
