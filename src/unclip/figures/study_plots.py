"""Figures of a study: lines with standard errors."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from unclip.figures.style import BODY, COLOURS, INK, SMALL, canvas, save, tidy


@dataclass(frozen=True)
class Line:
    """y over x, with standard errors where there are some."""

    name: str
    x: Sequence[float]
    y: Sequence[float]
    errors: Sequence[float] | None = None


@dataclass(frozen=True)
class Panel:
    """Lines over one axis; even: where a dashed line lies; log: whether the axis is logarithmic."""

    title: str
    axis: str
    lines: Sequence[Line]
    even: float | None = None
    log: bool = False


def panels_plot(panels: Sequence[Panel], out: Path) -> None:
    """Panels side by side. Raises ValueError without matplotlib."""
    figure, (axes,) = canvas(1, len(panels), max(5.0, 4.4 * len(panels)), 4.0)
    for ax, panel in zip(axes, panels, strict=True):
        tidy(ax, SMALL)
        for colour, line in zip(COLOURS, panel.lines, strict=False):
            style = {"color": colour, "linewidth": 2.0, "marker": "o", "markersize": 5, "capsize": 3}
            ax.errorbar(line.x, line.y, yerr=line.errors, label=line.name, **style)
        if panel.even is not None:
            ax.axhline(panel.even, color=INK, linestyle="--", linewidth=1.2)
        if panel.log:
            ax.set_xscale("log")
            ax.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
            ax.xaxis.set_minor_formatter(lambda *_: "")
        if len(panel.lines) > 1:
            ax.legend(frameon=False, fontsize=SMALL)
        ax.set_title(panel.title, fontsize=BODY, color=INK, loc="left", pad=8)
        ax.set_xlabel(panel.axis, fontsize=SMALL, color=INK)
    save(figure, out)


def lines_of(name: str, x: Sequence[float], metrics: Sequence[Mapping[str, float]]) -> Line:
    """A line from means with their errors."""
    return Line(name, x, [f["mean"] for f in metrics], [f["error"] for f in metrics])
