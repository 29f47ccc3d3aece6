"""Chapter 2: the noising chain, its closed form, schedules of beta, and x_T against N(0, I)."""

import math
from typing import TYPE_CHECKING

import torch

from unclip.core.noise import Noise
from unclip.core.typing import Float, Tensor
from unclip.diffusion import forward, level
from unclip.diffusion.grids import UniformTime
from unclip.diffusion.schedules import BetaTable, CosineBeta, LinearBeta
from unclip.figures.schedule_plot import Curve, curve
from unclip.figures.slides.sheet import sheet
from unclip.figures.slides.slide import Slide
from unclip.figures.style import COLOURS
from unclip.studies.explain.request import Task
from unclip.studies.lecture.shared import (
    FORWARD,
    axes,
    codes_note,
    has_table,
    histogram,
    legend_below,
    names_of,
    normal_line,
    shown,
    table_of,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TIMES = (0.0, 0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0)
"""Shares of T at which a strip is looked at."""
START, CHAINS = 0.8, 20_000
"""One number that goes through the whole chain so often."""
LECTURE, PAPER = LinearBeta(beta_T=0.2), LinearBeta()
QUARTERS = (0.0, 0.1, 0.25, 1.0)


def chain(look: Task) -> Slide:
    """q(x_t | x_{t-1}), Eq. 2: single steps."""
    table = table_of(look)
    whose = "the run's own" if has_table(look) else "DDPM's, as this run's schedule is a function of time"
    states = walked(look.clean[:2], table, look.ask.seed)
    pictures = [shown(look, torch.cat([state[i : i + 1] for state in states])) for i in range(len(states[0]))]
    heads = [f"t = {t}" for t in times_of(table)]
    return Slide(
        "chain",
        FORWARD,
        "The noising chain: less image, more noise",
        f"Each of T = {len(table.betas):,} steps keeps the variance, $(1-\\beta_t) + \\beta_t = 1$. Betas: {whose}."
        f"{codes_note(look)}",
        r"q(x_t\,|\,x_{t-1}) = \mathcal{N}\left(x_t;\ \sqrt{1-\beta_t}\ x_{t-1},\ \beta_t\,\mathbf{I}\right)"
        r"\qquad q(x_{1:T}\,|\,x_0) = \prod_{t=1}^{T} q(x_t\,|\,x_{t-1})",
        names_of(forward.one_step, forward.chain),
        lambda figure: sheet(figure, pictures, heads),
        f"Two images at {len(heads)} times of the chain, from clean to noise.",
    )


def times_of(table: BetaTable) -> list[int]:
    """`TIMES` as numbers of steps."""
    return [round(share * len(table.betas)) for share in TIMES]


def walked(x0: Float[Tensor, "b ..."], table: BetaTable, seed: int) -> list[Tensor]:
    """x_t at `times_of`, by single steps."""
    steps = forward.chain(x0, UniformTime()(table, len(table.betas)), Noise.shared(seed, "lecture", "chain"))
    states = [x0, *(state.x for state in steps)]
    return [states[t] for t in times_of(table)]


def closed_form(look: Task) -> Slide:
    """q(x_t | x_0), Eq. 4: one jump, held against the chain."""
    table = table_of(look)
    means, stds = moments(table, look.ask.seed)
    bars = table.log_alpha_bar.exp()
    lines = (START * bars.sqrt(), (1 - bars).sqrt())

    def draw(figure: "Figure") -> None:
        every = max(1, len(bars) // 20)
        heads = (r"mean of $x_t$", r"standard deviation of $x_t$")
        plots = axes(figure, 2, sharex=True)
        for ax, line, dots, head in zip(plots, lines, (means, stds), heads, strict=True):
            ax.plot(range(1, len(line) + 1), line.tolist(), color=COLOURS[0], label="closed form")
            ax.plot(
                range(1, len(dots) + 1)[::every],
                dots[::every].tolist(),
                "o",
                color=COLOURS[1],
                markersize=11,
                label=f"{CHAINS:,} chains, step by step",
            )
            ax.set_title(head)
        plots[-1].set_xlabel("t")
        legend_below(figure, plots[-1], 2)

    return Slide(
        "closed-form",
        FORWARD,
        "The closed form: any t in one jump",
        r"With $\alpha_t = 1-\beta_t$, and $\bar\alpha_t$ the product of all up to $t$, the steps fold into one: sums "
        "of Gaussians are Gaussian."
        "\n\n"
        f"So training never walks. Checked: {CHAINS:,} numbers begin at {START} and go through all {len(bars):,} "
        "steps; at the end nothing of it is left.",
        r"\bar\alpha_t = \prod_{s=1}^{t}\ (1-\beta_s)"
        "\n"
        r"q(x_t\,|\,x_0) = \mathcal{N}\left(\sqrt{\bar\alpha_t}\ x_0,\ (1-\bar\alpha_t)\,\mathbf{I}\right)"
        "\n"
        r"x_t = \sqrt{\bar\alpha_t}\ x_0 + \sqrt{1-\bar\alpha_t}\ \epsilon",
        names_of(level.noised, BetaTable),
        draw,
        "Mean and standard deviation of simulated chains lie on the lines of the closed form.",
        "beside",
    )


def moments(table: BetaTable, seed: int) -> tuple[Float[Tensor, " T"], Float[Tensor, " T"]]:
    """Mean and standard deviation of x_1 ... x_T over `CHAINS` chains that begin at `START`."""
    x0 = torch.full((CHAINS, 1), START)
    steps = forward.chain(x0, UniformTime()(table, len(table.betas)), Noise.shared(seed, "lecture", "moments"))
    found = [(state.x.mean(), state.x.std()) for state in steps]
    return torch.stack([mean for mean, _ in found]), torch.stack([std for _, std in found])


def schedules(look: Task) -> Slide:
    """Betas, alpha-bars and log-SNR of some schedules, and the run's."""
    named = {r"linear $10^{-4} \to 0.02$": PAPER, r"linear $10^{-4} \to 0.2$": LECTURE, "cosine": CosineBeta()}
    own = {} if look.schedule in named.values() else {f"this run: {type(look.schedule).__name__}": look.schedule}
    curves = [curve(name, schedule, look.clean) for name, schedule in {**named, **own}.items()]
    return Slide(
        "schedules",
        FORWARD,
        r"Schedules: how fast $\beta_t$ grows",
        f"What is left of $x_0$ in $x_T$, in bits a dimension: {left_in(curves)}. To 0.2, as some lectures print it, "
        "the image is gone after a third of the steps, and the rest of them see nothing but noise.",
        r"\beta_t = \beta_1 + \frac{t-1}{T-1}\,(\beta_T-\beta_1)"
        r"\qquad \bar\alpha_t = \prod_{s\leq t}(1-\beta_s)\qquad \mathrm{SNR}_t = \frac{\bar\alpha_t}{1-\bar\alpha_t}",
        [*names_of(LinearBeta, CosineBeta), "unclip.diffusion.forward.terminal_kl"],
        lambda figure: _schedules(figure, curves),
        "Three plots over t: beta, the share of the signal, and the log of the signal-to-noise ratio.",
    )


def left_in(curves: list[Curve]) -> str:
    """What each schedule leaves of x_0, in words."""
    return "; ".join(f"{c.name}: {power(c.left)}" for c in curves)


def power(value: float) -> str:
    """A small number in TeX."""
    if value < 1e-12:
        return "nothing"
    exponent = math.floor(math.log10(value))
    return rf"${value / 10**exponent:.1f}\cdot 10^{{{exponent}}}$" if exponent < -2 else f"{value:.2g}"


def _schedules(figure: "Figure", curves: list[Curve]) -> None:
    plots = axes(figure, 1, 3)
    heads = (r"$\beta_t$", r"$\bar\alpha_t$", r"$\ln\,\mathrm{SNR}_t$")
    for i, line in enumerate(curves):
        for ax, y, head in zip(plots, (line.beta, line.alpha_bar, line.log_snr), heads, strict=True):
            seen = torch.isfinite(y) & (y > 0 if ax is plots[0] else y > -22)
            style = ("-", "--", "-.", ":")[i % 4]
            ax.plot(line.t[seen].tolist(), y[seen].tolist(), style, color=COLOURS[i], label=line.name)
            ax.set_title(head)
            ax.set_xlabel("t / T")
    plots[0].set_yscale("log")
    plots[0].set_ylim(5e-5, 1.5)
    plots[2].set_ylim(-22, 14)
    legend_below(figure, plots[0], 4)


def terminal(look: Task) -> Slide:
    """x_T against N(0, I), by both of the lecture's schedules."""
    x0 = look.clean
    eps = Noise.shared(look.ask.seed, "lecture", "terminal").normal(x0.shape)
    tables = {"to 0.02": PAPER, "to 0.2": LECTURE}
    states = {name: [_at(x0, table, share, eps) for share in QUARTERS] for name, table in tables.items()}
    left = [forward.terminal_kl(x0, table.table[-1].float()).mean().item() for table in tables.values()]

    def draw(figure: "Figure") -> None:
        plots = axes(figure, 2, len(QUARTERS), sharex=True)
        for i, (name, line) in enumerate(states.items()):
            for j, x in enumerate(line):
                ax = plots[i * len(QUARTERS) + j]
                histogram(ax, x)
                normal_line(ax)
                ax.set_ylim(0, 0.75)
                ax.set_yticks([])
                ax.set_title(rf"$\beta_T$ {name},  t = {round(QUARTERS[j] * 1000)}")

    return Slide(
        "terminal",
        FORWARD,
        r"$x_T$ against $\mathcal{N}(0, \mathbf{I})$",
        f"All numbers of {len(x0)} held-out {'images' if look.run.subject.space.factor == 1 else 'codes'} at four "
        f"times; the black line is $\\mathcal{{N}}(0, 1)$. Left at $T$, in bits a dimension: {power(left[0])} to "
        f"0.02, {power(left[1])} to 0.2. Sampling may begin at pure noise because this is so small.",
        r"L_T = D_{\mathrm{KL}}\left(q(x_T|x_0)\,\|\,\mathcal{N}(0,\mathbf{I})\right) = "
        r"\frac{1}{2}\left(\bar\alpha_T\,x_0^2 - \bar\alpha_T - \ln(1-\bar\alpha_T)\right)",
        names_of(forward.terminal_kl),
        draw,
        "Histograms of the data turn into that of a standard normal as t grows.",
    )


def _at(x0: Tensor, table: BetaTable, share: float, eps: Tensor) -> Tensor:
    t = round(share * len(table.betas))
    return x0 if t == 0 else level.noised(x0, table.table[t - 1].float(), eps)


SLIDES = (chain, closed_form, schedules, terminal)
