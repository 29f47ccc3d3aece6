"""Curves and bars of a training run."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from unclip.figures.style import FAINT, INK, available, canvas, save
from unclip.training.checkpoint import read_log

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["available", "bars", "loss_curves", "rate_curve", "smoothed"]

BLUE, ORANGE = "#2f6fb5", "#d9822b"
WORDS = {
    "one_seen": "one object",
    "one_unseen": "one object,\nnew pair",
    "two_seen": "two objects",
    "two_unseen": "two objects,\nnew pair",
    "relation": "two and how\nthey stand",
    "three_seen": "three objects",
}
CHANCE = 0.25
"""Of four relations one is right."""


def _figure(panels: int, width: float, height: float) -> "tuple[Figure, list[Axes]]":
    """A clean figure of panels side by side. Raises ValueError where matplotlib is missing."""
    figure, (axes,) = canvas(1, panels, width, height)
    for ax in axes:
        ax.spines[["top", "right"]].set_visible(False)
        ax.tick_params(labelsize=9, colors=INK)
        ax.grid(axis="y", color="#edeff2", linewidth=0.8)
        ax.set_axisbelow(True)
    return figure, axes


def loss_curves(logs: Mapping[str, Path], out: Path) -> None:
    """One panel a stage: each step's loss faint, its moving average over it."""
    figure, axes = _figure(max(1, len(logs)), 4.0 * max(1, len(logs)), 3.2)
    for ax, (stage, path) in zip(axes, logs.items(), strict=False):
        rows = [line for line in read_log(path) if line.get("loss") is not None]
        _curve(ax, [row["step"] for row in rows], [float(row["loss"]) for row in rows])
        seconds = rows[-1].get("elapsed") if rows else None
        ax.set_title(f"{stage}{f', {seconds / 60:.1f} min' if seconds else ''}", fontsize=11, color=INK, loc="left")
        ax.set_xlabel("step", fontsize=9, color=INK)
    axes[0].set_ylabel("loss", fontsize=9, color=INK)
    save(figure, out)


def _curve(ax: "Axes", steps: Sequence[int], losses: Sequence[float]) -> None:
    if not steps:
        ax.text(0.5, 0.5, "no steps yet", transform=ax.transAxes, ha="center", color=FAINT)
        return
    y, mean = np.asarray(losses, dtype=float), smoothed(losses)
    ax.plot(steps, y, color=FAINT, linewidth=0.6, alpha=0.5)
    ax.plot(steps, mean, color=BLUE, linewidth=1.8)
    behind = {"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 1.0}
    place, text = (steps[-1], mean[-1]), f"{mean[-1]:.3g}"
    ax.annotate(text, place, (0, 9), textcoords="offset points", ha="right", fontsize=9, color=INK, bbox=behind)
    if y.min() > 0 and mean.max() > 4 * mean.min():
        _log_axis(ax)
    else:
        low, high = np.quantile(y, [0.0, 0.995])
        ax.set_ylim(low - 0.06 * (high - low), high + 0.06 * (high - low) + 1e-9)


def _log_axis(ax: "Axes") -> None:
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    ax.set_yscale("log")
    ax.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    ax.yaxis.set_minor_formatter(NullFormatter())


def smoothed(values: Sequence[float], share: float = 0.02) -> np.ndarray:
    """A Gaussian average, its width a share of the curve, that is not drawn towards zero at the ends."""
    width = max(1.0, share * len(values))
    reach = min(len(values) - 1, int(3 * width))
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / width) ** 2)
    total = np.convolve(np.asarray(values, dtype=float), kernel, mode="full")
    weight = np.convolve(np.ones(len(values)), kernel, mode="full")
    return (total / weight)[reach : reach + len(values)]


def bars(metrics: Mapping[str, Mapping[str, Mapping[str, Any]]], out: Path) -> None:
    """The exact score: whole scenes and single objects per kind of prompt, with standard errors, and the relation.

    metrics: category -> metric -> {"fraction", "error", "n"}, as `evaluate_shapes` gives; groups without whole scenes
    are left out. Raises ValueError without matplotlib.
    """
    metrics = {name: s for name, s in metrics.items() if "whole" in s}
    figure, (ax,) = _figure(1, 8.2, 3.6)
    places = np.arange(len(metrics), dtype=float)
    _group(ax, places - 0.2, [s["whole"] for s in metrics.values()], BLUE, "whole scene right")
    _group(ax, places + 0.2, [s["objects"] for s in metrics.values()], FAINT, "objects right")
    names = [WORDS.get(name, name) for name in metrics]
    if (related := metrics.get("relation", {}).get("relation_given_objects")) and related["n"]:
        _relation(ax, float(len(metrics)), related)
        names.append(f"relation, if\nobjects right\n(n = {related['n']})")
    ax.set_xticks(range(len(names)), names, fontsize=8)
    ax.set_ylim(0, 1.08)
    ax.set_yticks(np.arange(0, 1.01, 0.2))
    ax.yaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
    ax.legend(frameon=False, fontsize=9, loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=4)
    save(figure, out)


def _group(ax: "Axes", places: np.ndarray, rates: Sequence[Mapping[str, Any]], color: str, label: str) -> None:
    heights = np.asarray([rate["fraction"] for rate in rates], dtype=float)
    errors = np.asarray([rate["error"] for rate in rates], dtype=float)
    whisker = {"ecolor": INK, "elinewidth": 1, "capsize": 2}
    ax.bar(places, heights, 0.38, yerr=errors, color=color, label=label, error_kw=whisker)
    for x, height, error in zip(places, heights, errors, strict=True):
        if np.isfinite(height):
            ax.text(x, height + error + 0.015, f"{height:.0%}", ha="center", fontsize=7.5, color=INK)


def _relation(ax: "Axes", place: float, rate: Mapping[str, Any]) -> None:
    _group(ax, np.asarray([place]), [rate], ORANGE, "relation right")
    ax.plot([place - 0.4, place + 0.4], [CHANCE, CHANCE], color=INK, linestyle="--", linewidth=1.2, label="chance, 25%")


def rate_curve(curve: Mapping[str, Sequence[float]], out: Path) -> None:
    """Progressive decoding (Ho et al. 2020, Fig. 5): how wrong the image is that so many bits give.

    curve: "rate" in bits/dim and "distortion", a root mean square of 0 ... 255. Raises ValueError without matplotlib.
    """
    figure, (ax,) = _figure(1, 4.6, 3.4)
    ax.plot(curve["rate"], curve["distortion"], color=BLUE, linewidth=1.8)
    ax.set_xlabel("rate, bits/dim", fontsize=9, color=INK)
    ax.set_ylabel("distortion, RMSE of 0 ... 255", fontsize=9, color=INK)
    ax.set_xlim(left=0)
    ax.set_ylim(bottom=0)
    save(figure, out)
