"""The network of chapter 4, drawn from the shapes that go through it, and not from its settings."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from unclip.core.shown import printable
from unclip.diffusion.process import Diffusion
from unclip.figures.slides.slide import SMALL, Slide, points
from unclip.figures.style import COLOURS, INK
from unclip.runs.folder import RunFolder
from unclip.runs.modules import load_stage
from unclip.studies.explain.request import Task
from unclip.studies.lecture.shared import TRAINING, condition_of, counted, in_words, names_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LABELLED = 9
"""So many boxes have room for their words side by side."""


@dataclass(frozen=True)
class Part:
    """What a part of a network gives: channels and side of a map, or width and number of tokens; how many parts in a
    row give the same, and their parameters."""

    channels: int
    side: int
    parameters: int
    tokens: bool = False
    times: int = 1

    @property
    def words(self) -> str:
        """Its shape."""
        return f"{self.side}\nx {self.channels}" if self.tokens else f"{self.channels}\n{self.side} x {self.side}"


def plain_diffusion(look: Task) -> Diffusion:
    """That of the stage that denoises, read anew as torch modules on the processor, whatever computes the run's
    images."""
    folder = RunFolder(look.run.root)
    return load_stage(folder, folder.drawing, type(look.run.subject.stage)).diffusion


def parts_of(network: nn.Module, *given: Any) -> list[Part]:
    """What its parts give, in the order in which they are called, equal ones in a row together."""
    found = list[Part]()
    with _watched(network, found), torch.no_grad():
        network(*given)
    together = found[:1]
    for part in found[1:]:
        same = (part.channels, part.side) == (together[-1].channels, together[-1].side)
        if same:
            merged = together[-1].parameters + part.parameters
            together[-1] = replace(together[-1], parameters=merged, times=together[-1].times + 1)
        else:
            together.append(part)
    return together


@contextmanager
def _watched(network: nn.Module, found: list[Part]) -> Iterator[None]:
    def note(module: nn.Module, _: Any, out: object) -> None:
        count = sum(p.numel() for p in module.parameters())
        if isinstance(out, Tensor) and out.dim() == 4:
            found.append(Part(out.shape[1], out.shape[-1], count))
        elif isinstance(out, Tensor) and out.dim() == 3:
            found.append(Part(out.shape[2], out.shape[1], count, tokens=True))

    hooks = [part.register_forward_hook(note) for part in inside(network)]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def inside(module: nn.Module) -> Iterator[nn.Module]:
    """The parts that a network calls: what its lists hold, and what stands beside them."""
    for child in module.children():
        if isinstance(child, nn.ModuleList) or any(isinstance(part, nn.ModuleList) for part in child.children()):
            yield from inside(child)
        elif not isinstance(child, nn.Identity):
            yield child


def network(look: Task) -> Slide:
    """The U-Net, or what the run has in its place."""
    module = plain_diffusion(look).denoiser.network
    cond, x = condition_of(look, 1).map(lambda c: c.cpu()), look.clean[:1]
    parts = [Part(x.shape[1], x.shape[-1], 0), *parts_of(module, x, torch.zeros(1), cond)]
    told = [f"a vector of {cond.vector.shape[1]:,} numbers"] if cond.vector is not None else []
    told += [f"{cond.tokens.shape[1]} tokens of {cond.tokens.shape[2]}"] if cond.tokens is not None else []
    beside = f", and the condition: {' and '.join(told)}" if told else ""
    ways = skips(parts)
    shape = "Arcs carry maps past the middle, so that edges need not go through it. "
    if not ways:
        shape = "It is no U-Net: " + (
            "a transformer, whose tokens keep their number. "
            if any(p.tokens for p in parts)
            else "all of its blocks work at one side. "
        )
    space = rf"\mathbf{{R}}^{{{x.shape[1]}\times {x.shape[2]}\times {x.shape[3]}}}"
    return Slide(
        "network",
        TRAINING,
        f"The network of this run, {printable(type(module).__name__)}, from its own shapes",
        f"One call, as it went through the trained network: {counted(module)} parameters. Each box is what parts of "
        f"it give, channels over height x width; its height is the side, its width the channels. {shape}It is told "
        f"the noise level as well{beside}.",
        rf"\epsilon_\theta(x_t,\,t):\ {space}\times\{{1,\ldots,T\}}\ \rightarrow\ {space}",
        names_of(type(module)),
        lambda figure: _network(figure, parts, ways),
        "Boxes from left to right, one for each shape on the way through the network: "
        + ", ".join(part.words.replace("\n", " of ") for part in parts),
    )


def skips(parts: list[Part]) -> list[tuple[int, int]]:
    """Pairs of places, on the way down and up again, between which maps of one side are carried past the middle."""
    if any(part.tokens for part in parts):
        return []
    smallest = min(range(len(parts)), key=lambda i: parts[i].side)
    found, sides = list[tuple[int, int]](), {part.side for part in parts[1:-1]}
    for side in sorted(sides, reverse=True):
        before = [i for i in range(1, smallest) if parts[i].side == side]
        after = [i for i in range(smallest + 1, len(parts) - 1) if parts[i].side == side]
        if before and after:
            found.append((before[-1], after[0]))
    return found


def _network(figure: "Figure", parts: list[Part], ways: list[tuple[int, int]]) -> None:
    from matplotlib.patches import Rectangle

    ax = figure.subplots()
    ax.set_axis_off()
    tallest, widest = max(p.side for p in parts), max(p.channels for p in parts)
    crowded = len(parts) > LABELLED
    ax.set_xlim(0, len(parts))
    ax.set_ylim(-0.5 if not crowded else -0.75, 1.5 if ways else 1.1)
    for i, part in enumerate(parts):
        high, wide = 0.12 + 0.88 * part.side / tallest, 0.08 + 0.5 * part.channels / widest
        colour = COLOURS[5] if i in (0, len(parts) - 1) else COLOURS[2]
        ax.add_patch(
            Rectangle((i + 0.5 - wide / 2, 0.5 - high / 2), wide, high, facecolor=colour, alpha=0.45, edgecolor=INK)
        )
        if i:
            ax.annotate("", (i + 0.22, 0.5), (i - 0.02, 0.5), arrowprops={"arrowstyle": "-|>", "color": INK})
        _label(ax, i, part, crowded)
    for a, b in ways:
        ax.annotate(
            "",
            (b + 0.5, 0.56 + parts[b].side / tallest / 2),
            (a + 0.5, 0.56 + parts[a].side / tallest / 2),
            arrowprops={"arrowstyle": "-|>", "color": COLOURS[1], "linewidth": 3, "connectionstyle": "arc3,rad=-0.1"},
        )


def _label(ax: "Axes", i: int, part: Part, crowded: bool) -> None:
    many = f"\n{part.times} parts" if part.times > 1 else ""
    words = part.words + ("" if crowded or not part.parameters else f"{many}\n{in_words(part.parameters)}")
    low = -0.28 if crowded and i % 2 else -0.02
    ax.text(i + 0.5, low, words, ha="center", va="top", fontsize=points(SMALL), linespacing=1.2)


SLIDES = (network,)
