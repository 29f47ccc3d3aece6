"""Chapter 3: the joint reverse chain, its posterior, the bound and its parts, and the variance Sigma."""

from typing import TYPE_CHECKING

import torch

from unclip.core.noise import Noise
from unclip.core.typing import Float, Tensor
from unclip.diffusion import forward
from unclip.diffusion.likelihood import (
    Bound,
    BoundSettings,
    DiscretisedGaussian,
    GaussianDensity,
    summarise,
    variational_bound,
)
from unclip.diffusion.likelihood.joint import joint_bits
from unclip.diffusion.process import Diffusion
from unclip.diffusion.samplers import Ancestral, Step
from unclip.diffusion.schedules import BetaTable, LinearBeta
from unclip.figures.slides.sheet import sheet
from unclip.figures.slides.slide import Slide, escaped
from unclip.figures.style import COLOURS
from unclip.generation.settings import Settings
from unclip.images.files import to_pictures
from unclip.studies.explain.request import Task, levels_of
from unclip.studies.lecture.shared import (
    REVERSE,
    axes,
    codes_note,
    histogram,
    last,
    legend_below,
    names_of,
    noise_of,
    normal_line,
    own_denoiser,
    prompts,
    table_of,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLUMNS = 9
MANY, NEAR = 2_000_000, 0.02
"""Simulated chains, and how near to x_t one has to come by."""
X_0, X_T, PLACE = 0.8, 0.1, 5
SHORT = LinearBeta(4e-3, 0.4, T=20)
JUDGED, VISITS = 16, 24
"""Images that the bound is taken of, and steps of it for each."""
WALK = 50
"""Steps of the joint chain."""
FEW = (8, 20)
SHARED = 3
"""Images of one variance and number of steps."""


def joint(look: Task) -> Slide:
    """p(x_0:T), by the run's own sampling."""
    how, words = look.run.subject.sampling, prompts(look, 1)
    steps = list(look.run.subject.steps(words, [look.ask.seed], Settings()))
    chosen = spread(steps, COLUMNS)
    rows = [
        to_pictures(torch.cat([getattr(step, part)[:1].float().cpu() for _, step in chosen])) for part in ("x", "x0")
    ]
    asked = f'"{escaped(words[0])}", ' if words[0] else ""
    return Slide(
        "joint",
        REVERSE,
        "The reverse chain: a network takes the noise away",
        f"{asked}{how.steps} steps of {type(how.sampler).__name__}. Above, the state. Below, $\\hat x_0$: the mean of "
        f"all images that could have become this state, blurred while there are many of them.{codes_note(look)}",
        r"p_\theta(x_{0:T}) = p(x_T)\prod_{t=1}^{T} p_\theta(x_{t-1}|x_t)\qquad "
        r"p_\theta(x_{t-1}|x_t) = \mathcal{N}\left(x_{t-1};\ \mu_\theta(x_t,t),\ \Sigma_\theta(x_t,t)\right)",
        names_of(Diffusion.sample, type(how.sampler)),
        lambda figure: sheet(figure, rows, [f"step {n}" for n, _ in chosen], ("$x_t$", r"$\hat x_0$")),
        "A strip of states from noise to an image, and the network's clean estimate under each.",
    )


def spread(steps: list[Step], count: int) -> list[tuple[int, Step]]:
    """(number from 1, step) of at most `count` steps, evenly, the first and the last among them."""
    count = min(count, len(steps))
    places = [round(i * (len(steps) - 1) / max(1, count - 1)) for i in range(count)]
    return [(place + 1, steps[place]) for place in places]


def posterior(look: Task) -> Slide:
    """q(x_{t-1} | x_t, x_0), Eq. 6-7, held against chains that come by."""
    kept, exact = come_by(look.ask.seed)

    def draw(figure: "Figure") -> None:
        [ax] = axes(figure)
        histogram(ax, kept, f"{len(kept):,} chains that come by", 1.6, 81)
        normal_line(ax, exact.mean.item(), exact.variance.sqrt().item(), "Eq. 6 and 7", 1.6)
        ax.set_xlim(-0.8, 1.4)
        ax.set_xlabel(rf"$x_{{t-1}}$, given $x_t$ = {X_T} and $x_0$ = {X_0}")
        legend_below(figure, ax, 2)

    return Slide(
        "posterior",
        REVERSE,
        r"The way back, if one knew $x_0$",
        r"Nobody can write $q(x_{t-1}|x_t)$ down. With $x_0$ as well it is Gaussian, by Bayes' rule: this is what the "
        "network's step is held against."
        "\n\n"
        f"Checked: of {MANY:,} chains from $x_0$ = {X_0} those are kept that come by $x_t$ = {X_T}, and one "
        "looks where they were a step earlier.",
        r"q(x_{t-1}|x_t,x_0) = \mathcal{N}(\tilde\mu_t,\ \tilde\beta_t\mathbf{I})"
        "\n"
        r"\tilde\mu_t = \frac{\sqrt{\bar\alpha_{t-1}}\,\beta_t}{1-\bar\alpha_t}\,x_0 + "
        r"\frac{\sqrt{\alpha_t}\,(1-\bar\alpha_{t-1})}{1-\bar\alpha_t}\,x_t"
        "\n"
        r"\tilde\beta_t = \frac{1-\bar\alpha_{t-1}}{1-\bar\alpha_t}\ \beta_t",
        names_of(forward.posterior),
        draw,
        "The histogram of simulated chains under the Gaussian of the formula.",
        "beside",
    )


def come_by(seed: int) -> tuple[Float[Tensor, " n"], forward.Gaussian]:
    """Where chains were before they came by x_t, and the posterior that says where."""
    levels = SHORT.table.float()
    noise = Noise.shared(seed, "lecture", "posterior")
    earlier, later = levels[PLACE - 1], levels[PLACE]
    x0 = torch.full((MANY,), X_0)
    before = torch.sigmoid(earlier).sqrt() * x0 + torch.sigmoid(-earlier).sqrt() * noise.normal((MANY,))
    after = forward.one_step(before, earlier, later).draw(noise)
    one = torch.ones(1)
    return before[(after - X_T).abs() < NEAR], forward.posterior(X_T * one, X_0 * one, later, earlier)


def bound(look: Task) -> Slide:
    """L_T, L_{t-1}, L_0 of held-out images."""
    found = bound_of(look)
    parts = summarise([found])
    pixels = look.run.subject.space.factor == 1
    of = "8-bit pixels" if pixels else "a density over codes, so that bits may be negative"
    named = {"L_T": parts.terminal.mean, r"\Sigma L_{t-1}": parts.steps.mean, "L_0": parts.decoder.mean}
    figures = [f"${name} = {value:.{4 if name == 'L_T' else 2}f}$" for name, value in named.items()]
    return Slide(
        "bound",
        REVERSE,
        "The bound and its parts",
        f"{found.terminal.numel()} held-out images, bits a dimension ({of}): {', '.join(figures)}; together "
        f"{parts.total.mean:.2f} $\\pm$ {parts.total.error:.2f}."
        "\n\n"
        f"A dot is $L_{{t-1}}$ of one image at one of the T = {len(found.levels):,} steps. Most bits are spent in few "
        "steps at the clean end.",
        r"-\log p_\theta(x_0) \leq L_T + \sum_{t>1} L_{t-1} + L_0"
        "\n"
        r"L_T = D_{\mathrm{KL}}(q(x_T|x_0)\,\|\,p(x_T))"
        "\n"
        r"L_{t-1} = D_{\mathrm{KL}}(q(x_{t-1}|x_t,x_0)\,\|\,p_\theta(x_{t-1}|x_t))"
        "\n"
        r"L_0 = -\log p_\theta(x_0|x_1)",
        names_of(variational_bound, summarise),
        lambda figure: _bound(figure, found),
        "The cost of single steps over t, on a logarithmic axis, high at small t.",
        "beside",
    )


@torch.no_grad()
def bound_of(look: Task) -> Bound:
    """Of a few held-out images, by a stratified few of the steps."""
    subject, x0 = look.run.subject, look.clean[:JUDGED].to(look.run.device)
    decoder = DiscretisedGaussian() if subject.space.factor == 1 else GaussianDensity()
    grid = look.schedule.grid(look.schedule.length, look.run.device)
    noise = Noise.per_sample(range(len(x0)), look.run.device).fork("bound")
    return variational_bound(own_denoiser(look, len(x0)), grid, x0, noise, BoundSettings("beta", decoder, VISITS))


def _bound(figure: "Figure", found: Bound) -> None:
    [ax] = axes(figure)
    t = len(found.levels) - found.index
    ax.plot(
        t.flatten().tolist(),
        found.kl.clamp(min=1e-9).flatten().tolist(),
        "o",
        color=COLOURS[0],
        markersize=8,
        alpha=0.5,
    )
    ax.set_yscale("log")
    ax.set_xlabel("t")
    ax.set_title(r"$L_{t-1}$, bits a dimension")


def expectation(look: Task) -> Slide:
    """The bound as the mean of log q / p along the joint chains."""
    p, q = joint_of(look)
    gap = (p.sum(1) - q.sum(1)).mean().item()

    def draw(figure: "Figure") -> None:
        [ax] = axes(figure)
        for values, label, colour in ((p, r"$-\log_2\,p_\theta$", COLOURS[1]), (q, r"$-\log_2\,q$", COLOURS[0])):
            along = values.mean(0).cumsum(0)
            ax.plot(range(len(along)), along.tolist(), color=colour, label=label)
        ax.set_xlabel(r"factors of the product, from $x_T$ to $x_0$")
        ax.set_title("bits a dimension, so far")
        legend_below(figure, ax, 2)

    return Slide(
        "expectation",
        REVERSE,
        "Where the bound comes from",
        f"{len(p)} held-out images go to noise in {WALK} steps. Along each chain the factors of "
        r"$p_\theta(x_{0:T})$ and of $q(x_{1:T}|x_0)$ are added up."
        "\n\n"
        f"Between the ends lie {gap:.2f} bits a dimension: one draw of the bound for chains of so many steps.",
        r"-\log p_\theta(x_0) = -\log\int p_\theta(x_{0:T})\ dx_{1:T}"
        "\n"
        r"\leq\ \mathbf{E}_q\left[\,-\log\frac{p_\theta(x_{0:T})}{q(x_{1:T}|x_0)}\,\right]",
        names_of(joint_bits),
        draw,
        "Two lines that rise and fall together along the chain; their distance at the end is the bound.",
        "beside",
    )


@torch.no_grad()
def joint_of(look: Task) -> tuple[Float[Tensor, "b n"], Float[Tensor, "b n"]]:
    """Bits of every factor of p and of q along chains of held-out images."""
    x0 = look.clean[:JUDGED].to(look.run.device)
    grid = levels_of(look.run.subject.sampling, look.schedule, min(WALK, look.schedule.length)).to(look.run.device)
    found = joint_bits(own_denoiser(look, len(x0)), grid, x0, noise_of(look, "joint"))
    return found.p.cpu(), found.q.cpu()


def variances(look: Task) -> Slide:
    """Sigma = beta_t I against beta-tilde and a learned one."""
    table, learned = table_of(look), look.run.subject.diffusion.config.vlb_weight > 0
    named = {"beta": "beta", "beta-tilde": "beta_tilde", **({"learned": "learned"} if learned else {})}
    words = prompts(look, SHARED)
    steps = [n for n in FEW if n <= look.schedule.length]
    rows = [
        [p for n in steps for p in to_pictures(last(look, words, [look.ask.seed] * SHARED, _by(variance, n)))]
        for variance in named.values()
    ]
    heads = [f"{n} steps" if i == 0 else "" for n in steps for i in range(SHARED)]
    said = {"beta": r"$\beta_t$", "beta-tilde": r"$\tilde\beta_t$", "learned": "learned"}
    ratio = posterior_ratio(table)
    return Slide(
        "sigma",
        REVERSE,
        r"$\Sigma_\theta$: $\beta_t\mathbf{I}$, $\tilde\beta_t\mathbf{I}$, or learned between them",
        r"$\beta_t$ is right for data that are noise, $\tilde\beta_t$ for a single point; of DDPM's table they differ "
        f"by more than 1 % only below t = {int((ratio < 0.99).sum()) + 1}. With few steps they are far apart, and "
        r"$\beta_t$ leaves noise in the image."
        + ("" if learned else " This run has learned no variance (decoder.diffusion.vlb_weight trains one)."),
        r"\tilde\beta_t\ \leq\ \sigma_t^2\ \leq\ \beta_t\qquad \Sigma_\theta(x_t,t) = \exp\left(v\,\log\beta_t + "
        r"(1-v)\,\log\tilde\beta_t\right)",
        names_of(Ancestral),
        lambda figure: sheet(figure, rows, heads, [said[name] for name in named]),
        "Images drawn in few steps with each variance; those of beta are noisier.",
    )


def _by(variance: str, steps: int) -> Settings:
    return Settings(steps=steps, sampler=Ancestral(variance))  # pyright: ignore[reportArgumentType]


def posterior_ratio(table: BetaTable) -> Float[Tensor, " T"]:
    """beta-tilde_t / beta_t, which is 0 at t = 1."""
    bars = table.log_alpha_bar.exp()
    before = torch.cat([bars.new_ones(1), bars[:-1]])
    return (1 - before) / (1 - bars)


SLIDES = (joint, posterior, bound, expectation, variances)
