"""Schedules on one slide: beta_t, alpha-bar_t and the log-SNR over time, with what is left of x_0 at T."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from unclip.core.typing import Float, Images, Tensor
from unclip.diffusion import forward
from unclip.diffusion.schedules import (
    BetaTable,
    CosineBeta,
    Karras,
    LinearBeta,
    RectifiedFlow,
    ScaledLinearBeta,
    Schedule,
    Sigmoid,
)
from unclip.figures.style import BODY, COLOURS, HEAD, INK, SMALL, canvas, save, tidy

if TYPE_CHECKING:
    from matplotlib.axes import Axes

T = 1000
"""Steps that a schedule of continuous time is cut into, so that it has betas."""
STANDARDS: Mapping[str, Schedule] = {
    "DDPM, linear β to 0.02": LinearBeta(),
    "some lectures, linear β to 0.2": LinearBeta(beta_T=0.2),
    "latent diffusion, scaled linear": ScaledLinearBeta(),
    "iDDPM, cosine": CosineBeta(),
    "Jabri et al., sigmoid": Sigmoid(),
    "rectified flow": RectifiedFlow(),
    "EDM, Karras": Karras(),
}
DASHES = ("-", "--", "-.", "-", "--", "-.", ":")
DOTS = 40
"""At most so many sampling steps are marked."""
SHOWN = (-21.0, 16.0)
"""Log-SNR that is drawn; one below -20 is noise to any number of digits that anybody looks at."""


@dataclass(frozen=True)
class Curve:
    """A schedule at t = 1/T ... 1. left: KL(q(x_T | x_0) || N(0, I)), bits a dimension."""

    name: str
    t: Float[Tensor, " T"]
    beta: Float[Tensor, " T"]
    alpha_bar: Float[Tensor, " T"]
    log_snr: Float[Tensor, " T"]
    left: float


def curve(name: str, schedule: Schedule, images: Images) -> Curve:
    """A schedule's curves; `images`: of whom something is left at T. A table keeps its own T and its exact betas."""
    if isinstance(schedule, BetaTable):
        beta, log_bar = schedule.betas, schedule.log_alpha_bar
        log_snr = log_bar - torch.log(-torch.expm1(log_bar))
    else:
        log_snr = schedule(torch.arange(1, T + 1) / T).double()
        beta = forward.beta(log_snr, torch.cat([log_snr.new_tensor([math.inf]), log_snr[:-1]]))
    t = torch.arange(1, len(beta) + 1) / len(beta)
    left = forward.terminal_kl(images, log_snr[-1]).mean().item()
    return Curve(name, t, beta, torch.sigmoid(log_snr), log_snr, left)


def schedule_plot(own: Curve, others: Sequence[Curve], stops: Float[Tensor, " steps"], out: Path) -> None:
    """Three panels with one legend. stops: the levels, noisy to clean, at which the run's sampler looks.

    Raises ValueError without matplotlib.
    """
    figure, (axes,) = canvas(1, 3, 12.8, 6.2)
    _lines(axes, own, {"color": INK, "linewidth": 3.4, "zorder": 3})
    for i, line in enumerate(others):
        style = {"color": COLOURS[i % len(COLOURS)], "linestyle": DASHES[i % len(DASHES)], "linewidth": 2.0}
        _lines(axes, line, style)
    places, every = [1 - i / len(stops) for i in range(len(stops))], math.ceil(len(stops) / DOTS)
    label = f"this run's {len(stops):,} sampling steps" + (f" (each {every}th)" if every > 1 else "")
    dots = {"marker": "o", "markersize": 6, "linestyle": "", "markerfacecolor": "white", "markeredgecolor": INK}
    axes[2].plot(places[::every], stops[::every].tolist(), label=label, zorder=5, **dots)
    _frame(axes)
    figure.legend(*axes[2].get_legend_handles_labels(), loc="outside lower center", ncols=3, frameon=False,
                  fontsize=SMALL, handlelength=2.6, columnspacing=1.8, title_fontsize=SMALL,
                  title="In brackets: what is left of $x_0$ in $x_T$, bits a dimension")  # fmt: skip
    save(figure, out)


def _lines(axes: "Sequence[Axes]", line: Curve, style: dict) -> None:
    label = f"{line.name} ({_small(line.left)})"
    for ax, y in zip(axes, (line.beta, line.alpha_bar, line.log_snr), strict=True):
        seen = y > 0 if ax is axes[0] else torch.isfinite(y)
        ax.plot(line.t[seen].tolist(), y[seen].tolist(), label=label, **style)


def _small(value: float) -> str:
    """1.3e-05 as 1.3·10⁻⁵."""
    if value <= 0 or value < 1e-40:
        return "below 10⁻⁴⁰"
    power = math.floor(math.log10(value))
    digits = str(power).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))
    return f"{value / 10**power:.1f}·10{digits}"


def _frame(axes: "Sequence[Axes]") -> None:
    log_snr = r"log-SNR, $\ln\,\bar\alpha_t/(1-\bar\alpha_t)$"
    heads = (r"noise of one step, $\beta_t$", r"share of signal, $\bar\alpha_t$", log_snr)
    for ax, head in zip(axes, heads, strict=True):
        tidy(ax)
        ax.set_title(head, fontsize=HEAD, color=INK, loc="left", pad=10)
        ax.set_xlabel("t / T   (0 clean, 1 noise)", fontsize=BODY, color=INK)
        ax.set_xlim(0, 1)
    axes[0].set_yscale("log")
    axes[0].set_ylim(2e-5, 1.2)
    axes[1].set_ylim(0, 1.01)
    axes[2].set_ylim(*SHOWN)
