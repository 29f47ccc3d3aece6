"""The error of a denoiser over the noise level, on one slide."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from unclip.figures.style import BODY, COLOURS, HEAD, INK, SMALL, canvas, save, tidy

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True)
class Errors:
    """One panel: a mean and its standard error at each level; `blind`: what a constant guess would have."""

    title: str
    means: Sequence[float]
    errors: Sequence[float]
    blind: Sequence[float]


def level_plot(log_snr: Sequence[float], panels: Sequence[Errors], trained: tuple[float, float], out: Path) -> None:
    """Panels side by side over the log-SNR, logarithmic. trained: the levels between which 90 % of training lies.

    Raises ValueError without matplotlib.
    """
    figure, (axes,) = canvas(1, len(panels), 12.8, 5.2)
    for ax, panel in zip(axes, panels, strict=True):
        tidy(ax)
        ax.axvspan(*trained, color="#f1f4f7", zorder=0, label="90 % of the levels seen in training")
        blind = {"color": COLOURS[1], "linestyle": "--", "linewidth": 1.8, "label": "guessing the mean image"}
        ax.plot(log_snr, panel.blind, **blind)
        _points(ax, log_snr, panel)
        ax.set_yscale("log")
        ax.set_title(panel.title, fontsize=HEAD, color=INK, loc="left", pad=10)
        ax.set_xlabel("log-SNR  (left noise, right clean)", fontsize=BODY, color=INK)
    axes[0].set_ylabel("mean over images and values", fontsize=BODY, color=INK)
    seen = axes[0].get_legend_handles_labels()
    figure.legend(*seen, loc="outside lower center", ncols=3, frameon=False, fontsize=SMALL)
    save(figure, out)


def _points(ax: "Axes", log_snr: Sequence[float], panel: Errors) -> None:
    whisker = {"elinewidth": 1.4, "capsize": 3, "ecolor": INK}
    line = {"color": COLOURS[0], "linewidth": 2.2, "marker": "o", "markersize": 6}
    ax.errorbar(log_snr, panel.means, yerr=panel.errors, label="this run, ± one standard error", **line, **whisker)
