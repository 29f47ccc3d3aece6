"""The plane as a stage: points that dissolve into noise, and the ways by which samplers lead back, still and moving."""

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from unclip.core.typing import Float, Tensor
from unclip.data.images.open import open_image
from unclip.figures.style import BODY, COLOURS, HEAD, INK, SMALL, bare, canvas, save
from unclip.images.files import save_picture

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Cloud = Float[Tensor, "n 2"]
Paths = Float[Tensor, "points n 2"]
REACH = 2.8
"""Half the side of the shown square."""
TRAILS = 5
"""Ways that are drawn as lines, of all that there are; with more of them nobody can follow one that wanders."""
FRAME_MS, LAST_MS = 160, 2500
SHADES = 48
"""Colours of the animation."""


@dataclass(frozen=True)
class Trajectories:
    """The states of n points at the start and after each step of one sampler. cost: its evaluations of the denoiser."""

    row: str
    column: str
    paths: Paths
    cost: int


@dataclass(frozen=True)
class ForwardFrame:
    """One frame of the forward process."""

    head: str
    cloud: Cloud


def forward_plot(scenes: Sequence[ForwardFrame], out: Path) -> None:
    """The same points at growing noise, side by side, every other one in the other colour. Needs matplotlib."""
    figure, (axes,) = canvas(1, len(scenes), 12.8, 12.8 / len(scenes) + 0.35)
    for ax, scene in zip(axes, scenes, strict=True):
        _stage(ax)
        for part, colour in ((slice(0, None, 2), COLOURS[0]), (slice(1, None, 2), COLOURS[1])):
            ax.scatter(*_xy(scene.cloud[part]), s=3, color=colour, linewidths=0, alpha=0.7)
        ax.set_title(scene.head, fontsize=SMALL, color=INK)
    save(figure, out)


def flow_plot(flows: Sequence[Trajectories], data: Cloud, out: Path) -> None:
    """One panel a flow, rows and columns by their names: a few ways from noise to data, and where all points ended."""
    figure, panels = _panels(flows, 12.8, below=0.3)
    for flow in flows:
        ax = panels[flow.row, flow.column]
        _known(ax, data)
        ax.scatter(*_xy(flow.paths[-1]), s=5, color=INK, linewidths=0, zorder=3)
        for i, colour in enumerate(COLOURS[:TRAILS]):
            ax.plot(*_xy(flow.paths[:, i]), color=colour, linewidth=1.5, zorder=4)
            ax.scatter(*_xy(flow.paths[:1, i]), s=34, color="white", edgecolors=colour, linewidths=1.8, zorder=5)
            ax.scatter(*_xy(flow.paths[-1:, i]), s=44, color=colour, edgecolors="white", linewidths=0.8, zorder=6)
        ax.set_xlabel(f"{len(flow.paths) - 1} steps, {flow.cost} evaluations", fontsize=SMALL, color=INK)
    save(figure, out)


def flow_animation(
    flows: Sequence[Trajectories], data: Cloud, forward: Sequence[ForwardFrame], heads: Sequence[str], out: Path
) -> None:
    """A GIF that repeats: the scenes forward, then frame k after step k with `heads[k]` above; the end stays a while.

    All flows must have equally many steps. Raises ValueError without matplotlib.
    """
    first, *rest = [frame.quantize(SHADES, dither=Image.Dither.NONE) for frame in _frames(flows, data, forward, heads)]
    lasts = [FRAME_MS] * len(rest) + [LAST_MS]
    save_picture(first, out, save_all=True, append_images=rest, duration=lasts, loop=0, optimize=True)


def _frames(
    flows: Sequence[Trajectories], data: Cloud, forward: Sequence[ForwardFrame], heads: Sequence[str]
) -> Iterator[Image.Image]:
    figure, panels = _panels(flows, 9.6, above=0.4)
    actors = [(flow, _Actor(panels[flow.row, flow.column], data)) for flow in flows]
    title = figure.suptitle(" ", fontsize=HEAD, color=INK)
    for scene in forward:
        title.set_text(scene.head)
        for _, actor in actors:
            actor.show(scene.cloud)
        yield _picture(figure)
    for k, head in enumerate(heads):
        title.set_text(head)
        for flow, actor in actors:
            actor.show(flow.paths[k], flow.paths[: k + 1])
        yield _picture(figure)


class _Actor:
    """What moves in one panel."""

    def __init__(self, ax: "Axes", data: Cloud) -> None:
        _known(ax, data)
        self.dots = ax.plot([], [], ".", color=INK, markersize=3.2, markeredgewidth=0)[0]
        self.ways = [ax.plot([], [], color=c, linewidth=1.2)[0] for c in COLOURS[:TRAILS]]
        style = {"markersize": 6, "markeredgecolor": "white", "markeredgewidth": 0.7}
        self.heads = [ax.plot([], [], "o", color=c, **style)[0] for c in COLOURS[:TRAILS]]

    def show(self, now: Cloud, past: Paths | None = None) -> None:
        self.dots.set_data(*_xy(now))
        for i, (way, head) in enumerate(zip(self.ways, self.heads, strict=True)):
            way.set_data(*(_xy(past[:, i]) if past is not None else ([], [])))
            head.set_data(*(_xy(past[-1:, i]) if past is not None else ([], [])))


def _picture(figure: "Figure") -> Image.Image:
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=100)
    with open_image(file.getvalue()) as found:
        return found.image.convert("RGB")


def _panels(
    flows: Sequence[Trajectories], width: float, above: float = 0.0, below: float = 0.0
) -> "tuple[Figure, dict[tuple[str, str], Axes]]":
    """A panel for each pair of row and column. above: the figure, below: each row, inches for words."""
    rows, columns = (list(dict.fromkeys(names)) for names in ([f.row for f in flows], [f.column for f in flows]))
    side = (width - 0.35) / len(columns)
    figure, axes = canvas(len(rows), len(columns), width, len(rows) * (side + below) + 0.3 + above)
    panels = {(r, c): axes[i][j] for i, r in enumerate(rows) for j, c in enumerate(columns)}
    for ax in panels.values():
        _stage(ax)
    for i, row in enumerate(rows):
        axes[i][0].set_ylabel(row, fontsize=BODY, color=INK)
    for j, column in enumerate(columns):
        axes[0][j].set_title(column, fontsize=BODY, color=INK)
    return figure, panels


def _stage(ax: "Axes") -> None:
    bare(ax)
    ax.set_xlim(-REACH, REACH)
    ax.set_ylim(-REACH, REACH)


def _known(ax: "Axes", data: Cloud) -> None:
    ax.scatter(*_xy(data), s=18, color="#ccd3da", linewidths=0)


def _xy(points: Cloud) -> tuple[np.ndarray, np.ndarray]:
    both = points.detach().numpy()
    return both[:, 0], both[:, 1]
