"""Plots of an evaluation: distances between floor and noise, power by frequency."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from unclip.figures.style import INK, canvas, save, tidy

COLOURS = {"kid_floor": "#7a9e3f", "kid": "#2f6fb5", "kid_noise": "#b0b6bd"}
LETTERS = 10
WORDS = {"kid_floor": "training images", "kid": "generated", "kid_noise": "coloured noise"}


def distances(judges: Mapping[str, Mapping[str, Any]], out: Path) -> None:
    """A panel a judge: the root of KID of generated images between that of training images and of coloured noise."""
    figure, (axes,) = canvas(1, len(judges), 4.4 * len(judges), 1.9)
    for ax, (name, scores) in zip(axes, judges.items(), strict=True):
        known = [kind for kind in WORDS if kind in scores]
        roots = {kind: _roots(scores[kind]) for kind in known}
        values = [roots[kind][0] for kind in known]
        spread = [[max(0.0, v - roots[k][1]) for k, v in zip(known, values, strict=True)]]
        spread.append([max(0.0, roots[k][2] - v) for k, v in zip(known, values, strict=True)])
        ax.barh([WORDS[k] for k in known], values, xerr=spread, color=[COLOURS[k] for k in known], ecolor=INK)
        ax.invert_yaxis()
        ax.set_title(Path(name).name, fontsize=LETTERS, color=INK, loc="left")
        ax.set_xlabel("root of KID to held-out images", fontsize=LETTERS - 1, color=INK)
        tidy(ax, LETTERS)
    save(figure, out)


def _roots(score: Mapping[str, float]) -> tuple[float, float, float]:
    """Root of a kernel distance and of the ends of its interval: the kernel distance itself is a square."""
    value, low, high = (max(0.0, score[name]) ** 0.5 for name in ("mean", "low", "high"))
    return value, low, high


def octaves(spectrum: Mapping[str, Mapping[str, Any]], out: Path) -> None:
    """Power of generated images over that of real ones, by octave of spatial frequency."""
    found = {float(edge): ratio for edge, ratio in spectrum["octaves"].items() if ratio["mean"] > 0}
    figure, ((ax,),) = canvas(1, 1, 5.0, 2.4)
    edges, means = list(found), [ratio["mean"] for ratio in found.values()]
    spread = [[r["mean"] - r["low"] for r in found.values()], [r["high"] - r["mean"] for r in found.values()]]
    ax.axhline(1, color="#b0b6bd", linewidth=1)
    ax.errorbar(edges, means, yerr=spread, color=COLOURS["kid"], marker="o", markersize=4, capsize=3)
    ax.set_xscale("log", base=2)
    ax.set_yscale("log", base=2)
    ax.set_xticks(edges, [f"{edge:.2g}" for edge in edges])
    ax.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
    ax.set_xlabel("cycles a pixel, up to", fontsize=LETTERS - 1, color=INK)
    ax.set_title("power, generated over real (1: equal)", fontsize=LETTERS, color=INK, loc="left")
    tidy(ax, LETTERS)
    save(figure, out)
