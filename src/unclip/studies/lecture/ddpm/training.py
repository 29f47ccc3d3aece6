"""Chapter 4: L_simple, training in five steps on a real batch (Algorithm 1), sampling (Algorithm 2)."""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from PIL import Image

from unclip.core.noise import Noise
from unclip.core.typing import Float, PerSample, State, Tensor
from unclip.diffusion.denoiser import Prediction
from unclip.diffusion.level import alpha, noised, resolvable
from unclip.diffusion.likelihood.terms import step_kl
from unclip.diffusion.process import Diffusion
from unclip.diffusion.samplers import DDIM, Ancestral
from unclip.diffusion.schedules import BetaTable
from unclip.evaluation.levels import LevelError, error_by_level, spread_levels
from unclip.figures.slides.sheet import sheet
from unclip.figures.slides.slide import Slide
from unclip.figures.style import COLOURS
from unclip.generation.settings import Settings
from unclip.images.files import to_pictures
from unclip.studies.explain.request import Task
from unclip.studies.lecture.ddpm.network import plain_diffusion
from unclip.studies.lecture.shared import (
    TRAINING,
    axes,
    condition_of,
    last,
    names_of,
    noise_of,
    prompts,
    raw,
    shown,
    table_of,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

BATCH, RATE = 8, 2e-4
"""Images of the batch that is shown; the rate of its one step."""
JUDGED, LEVELS = 32, 12
STEPS = (5, 10, 25)
COMPARED = {"DDPM": "ddpm", "DDIM": "ddim", "DPM-Solver++": "dpmpp-2m"}


def objective(look: Task) -> Slide:
    """From L_{t-1} to L_simple, and what the run's error is."""
    weight, errors = eps_weight(table_of(look)), errors_of(look)

    def draw(figure: "Figure") -> None:
        left, right = axes(figure, 2)
        left.plot(range(2, len(weight) + 2), weight.tolist(), color=COLOURS[0], label=r"factor in $L_{t-1}$")
        left.axhline(1, color=COLOURS[1], linestyle="--", label=r"$L_{\mathrm{simple}}$")
        left.set_yscale("log")
        left.set_xlabel("t")
        left.legend()
        right.plot([e.log_snr for e in errors], [e.eps.mean for e in errors], "o-", color=COLOURS[2], markersize=11)
        right.set_title(r"this run: $\|\epsilon-\hat\epsilon\|^2$, a dimension")
        right.set_xlabel(r"$\ln\,\mathrm{SNR}_t$: noise at the left, image at the right")

    kind = type(look.run.subject.diffusion.config.parameterization).__name__
    said = "" if kind == "Eps" else f" This run's network predicts by {kind}; $\\hat\\epsilon$ follows from it."
    return Slide(
        "objective",
        TRAINING,
        r"What is learned: the noise",
        r"With $\mu_\theta$ written by a predicted noise, $L_{t-1}$ becomes a squared error with a factor. "
        r"$L_{\mathrm{simple}}$ leaves the factor out: it would spend the effort on errors too small to be seen."
        "\n\n"
        f"Measured on {len(look.clean[:JUDGED])} held-out images.{said}",
        r"\mu_\theta = \frac{1}{\sqrt{\alpha_t}}\left(x_t - "
        r"\frac{\beta_t}{\sqrt{1-\bar\alpha_t}}\,\epsilon_\theta(x_t,t)\right)"
        "\n"
        r"L_{t-1} = \mathbf{E}\ \frac{\beta_t^2}{2\sigma_t^2\,\alpha_t\,(1-\bar\alpha_t)}\,"
        r"\|\epsilon-\epsilon_\theta\|^2"
        "\n"
        r"L_{\mathrm{simple}} = \mathbf{E}_{t,x_0,\epsilon}\ \|\epsilon-\epsilon_\theta(x_t,t)\|^2",
        names_of(Diffusion.loss, step_kl, error_by_level),
        draw,
        "The factor falls by orders of magnitude over t; the run's error of the noise by level.",
        "beside",
    )


def eps_weight(table: BetaTable) -> Float[Tensor, " n"]:
    """What an error of 1 in every eps costs in L_{t-1}, nats a dimension, t = 2 ... T, for Sigma = beta_t I, beyond
    what no error costs: DDPM's factor (Eq. 12)."""
    t, s = table.table[1:], table.table[:-1]
    none, off = torch.zeros(len(t), 1, dtype=torch.float64), torch.exp(-t / 2)[:, None]
    beta = torch.ones((), dtype=torch.float64)
    return (step_kl(none, off, beta, t, s) - step_kl(none, none, beta, t, s)) * math.log(2)


def errors_of(look: Task) -> list[LevelError]:
    """The run's errors at a few levels, on held-out images."""
    x0 = look.clean[:JUDGED].to(look.run.device)
    levels = spread_levels(look.schedule, LEVELS)
    return error_by_level(look.run.subject.diffusion, x0, condition_of(look, len(x0)), levels, noise_of(look, "levels"))


@dataclass(frozen=True)
class Learned:
    """A batch on its way through the five steps, and its loss before and after the last."""

    log_snr: PerSample
    eps: State
    x: State
    guess: Prediction
    before: float
    after: float


def five_steps(look: Task) -> Slide:
    """Algorithm 1 on a real batch, one gradient step included."""
    x0 = look.clean[:BATCH]
    done = learned(look, x0)
    rows: list[list[Image.Image]] = [shown(look, x0), *(raw(look, part) for part in (done.eps, done.x, done.guess.eps))]
    heads = [f"{value:.2f}" for value in alpha(done.log_snr).square().tolist()]
    return Slide(
        "training",
        TRAINING,
        "Training in five steps, on a batch of this run",
        r"1. draw images, $x_0 \sim q(x_0)$;  2. draw a $t$ for each, here as this run does;  3. draw noise, "
        r"$\epsilon \sim \mathcal{N}(0,\mathbf{I})$;  4. make $x_t$ by the closed form, and ask the network for "
        r"$\epsilon_\theta(x_t,t)$;  5. take a step down the gradient. "
        f"One such step, by AdamW at {RATE:g}, takes the loss of this very batch from {done.before:.4f} to "
        rf"{done.after:.4f}. Above each image, its $\bar\alpha_t$.",
        r"\nabla_\theta\,\|\,\epsilon - \epsilon_\theta(\sqrt{\bar\alpha_t}\,x_0 + \sqrt{1-\bar\alpha_t}\,\epsilon,\ "
        r"t)\,\|^2",
        [*names_of(Diffusion.loss), "unclip.training.trainer.Trainer"],
        lambda figure: sheet(figure, rows, heads, ("$x_0$", r"$\epsilon$", "$x_t$", r"$\epsilon_\theta$")),
        "Columns are the images of a batch; rows: the image, its noise, the noisy state, the predicted noise.",
    )


def learned(look: Task, x0: State) -> Learned:
    """The five steps, on a copy of the stage that is thrown away."""
    diffusion = plain_diffusion(look).requires_grad_(True)
    cond = condition_of(look, len(x0)).map(lambda c: c.cpu())

    def noise() -> Noise:
        return Noise.shared(look.ask.seed, "lecture", "five steps")

    drawn = noise()
    level = resolvable(diffusion.levels.draw(diffusion.config.schedule, len(x0), drawn).log_snr)
    eps = drawn.normal(x0.shape)
    x = noised(x0, level, eps)
    with torch.no_grad():
        guess = diffusion.denoiser(x, level, cond)
    loss = diffusion.loss(x0, cond, noise()).mean()
    optimizer = torch.optim.AdamW(diffusion.parameters(), RATE)
    loss.backward()
    optimizer.step()
    with torch.no_grad():
        after = diffusion.loss(x0, cond, noise()).mean()
    return Learned(level, eps, x, guess, loss.item(), after.item())


def sampling(look: Task) -> Slide:
    """Algorithm 2, and with fewer steps by other samplers."""
    words = prompts(look, 1)
    steps = [n for n in STEPS if n <= look.schedule.length]
    rows = [
        [p for n in steps for p in to_pictures(last(look, words * 2, (1, 2), Settings(steps=n, sampler=name)))]
        for name in COMPARED.values()
    ]
    heads = [f"{n} steps" if i == 0 else "" for n in steps for i in range(2)]
    return Slide(
        "sampling",
        TRAINING,
        "Sampling",
        r"Begin with $x_T \sim \mathcal{N}(0,\mathbf{I})$; for t = T, ..., 1 take the predicted noise out and put a "
        r"little fresh noise in, $z \sim \mathcal{N}(0,\mathbf{I})$, none at the last step. The same two $x_T$ "
        "everywhere: without fresh noise (DDIM, DPM-Solver++) they end at the same images, however many steps.",
        r"x_{t-1} = \frac{1}{\sqrt{\alpha_t}}\left(x_t - \frac{1-\alpha_t}{\sqrt{1-\bar\alpha_t}}\,"
        r"\epsilon_\theta(x_t,t)\right) + \sigma_t\,z",
        names_of(Diffusion.sample, Ancestral, DDIM),
        lambda figure: sheet(figure, rows, heads, list(COMPARED)),
        "Rows: three samplers; columns: numbers of steps, two images each.",
    )


SLIDES = (objective, five_steps, sampling)
