"""The plane as a stage: points that dissolve into noise, and the ways by which samplers lead back, still and moving."""

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from unclip.core.typing import Float, Tensor
from unclip.pipeline.canvas import BODY, COLOURS, FAINT, HEAD, INK, bare, canvas, save

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Cloud = Float[Tensor, "n 2"]
Paths = Float[Tensor, "points n 2"]
REACH = 3.1
"""Half the side of the shown square."""
TRAILS = 28
"""Ways that are drawn as lines, of all that there are."""
START, WAY, END = COLOURS[4], COLOURS[0], COLOURS[1]
FRAME_MS, LAST_MS = 160, 2500


@dataclass(frozen=True)
class Flow:
    """The states of n points at the start and after each step of one sampler. cost: its evaluations of the denoiser."""

    row: str
    column: str
    paths: Paths
    cost: int


def forward_plot(clouds: Sequence[Cloud], heads: Sequence[str], out: Path) -> None:
    """The same points at growing noise, side by side, coloured by where they came from."""
    figure, (axes,) = canvas(1, len(clouds), 12.8, 12.8 / len(clouds) + 0.55)
    for ax, cloud, head in zip(axes, clouds, heads, strict=True):
        _stage(ax)
        for part, colour in ((slice(0, None, 2), COLOURS[0]), (slice(1, None, 2), COLOURS[1])):
            ax.scatter(*_xy(cloud[part]), s=3, color=colour, linewidths=0, alpha=0.7)
        ax.set_title(head, fontsize=BODY, color=INK)
    save(figure, out)


def flow_plot(flows: Sequence[Flow], data: Cloud, out: Path) -> None:
    """One panel a flow, rows and columns by their names: ways from noise to data, and where all points ended."""
    figure, panels = _panels(flows, 12.8)
    for flow in flows:
        ax = panels[flow.row, flow.column]
        ax.scatter(*_xy(data), s=2, color="#d5dbe1", linewidths=0)
        for i in range(min(TRAILS, flow.paths.shape[1])):
            ax.plot(*_xy(flow.paths[:, i]), color=WAY, linewidth=0.8, alpha=0.55)
        ax.scatter(*_xy(flow.paths[0, :TRAILS]), s=12, color=START, edgecolors="white", linewidths=0.4, zorder=3)
        ax.scatter(*_xy(flow.paths[-1]), s=5, color=END, linewidths=0, zorder=4)
        steps = len(flow.paths) - 1
        ax.set_xlabel(f"{steps} steps, {flow.cost} evaluations", fontsize=BODY - 2, color=INK)
    save(figure, out)


def flow_animation(flows: Sequence[Flow], data: Cloud, out: Path, heads: Sequence[str]) -> None:
    """The same as a GIF that repeats: frame k after step k, `heads[k]` above it; the end stays for a while.

    All flows must have equally many steps.
    """
    frames = [_indexed(frame) for frame in _frames(flows, data, heads)]
    out.parent.mkdir(parents=True, exist_ok=True)
    lasts = [FRAME_MS] * (len(frames) - 1) + [LAST_MS]
    frames[0].save(out, save_all=True, append_images=frames[1:], duration=lasts, loop=0, optimize=True, disposal=1)


def _frames(flows: Sequence[Flow], data: Cloud, heads: Sequence[str]) -> Iterator[Image.Image]:
    figure, panels = _panels(flows, 9.6)
    drawn = []
    for flow in flows:
        ax = panels[flow.row, flow.column]
        ax.scatter(*_xy(data), s=2, color="#d5dbe1", linewidths=0)
        ways = [ax.plot([], [], color=WAY, linewidth=0.9, alpha=0.5)[0] for _ in range(TRAILS)]
        drawn.append((flow, ax.plot([], [], ".", color=END, markersize=3.2, markeredgewidth=0)[0], ways))
    title = figure.suptitle(" ", fontsize=HEAD, color=INK)
    for k, head in enumerate(heads):
        title.set_text(head)
        for flow, dots, ways in drawn:
            dots.set_data(*_xy(flow.paths[k]))
            for i, way in enumerate(ways):
                way.set_data(*_xy(flow.paths[: k + 1, i]))
        yield _picture(figure)


def _picture(figure: "Figure") -> Image.Image:
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=100)
    return Image.open(file).convert("RGB")


def _indexed(frame: Image.Image) -> Image.Image:
    return frame.quantize(32, dither=Image.Dither.NONE)


def _panels(flows: Sequence[Flow], width: float) -> "tuple[Figure, dict[tuple[str, str], Axes]]":
    rows, columns = (list(dict.fromkeys(names)) for names in ([f.row for f in flows], [f.column for f in flows]))
    figure, axes = canvas(len(rows), len(columns), width, width / len(columns) * len(rows) + 1.0)
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


def _xy(points: Float[Tensor, "n 2"]) -> tuple[np.ndarray, np.ndarray]:
    both = points.detach().numpy()
    return both[:, 0], both[:, 1]
