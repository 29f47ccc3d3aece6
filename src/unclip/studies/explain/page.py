"""The words of explain.html: what each image shows, its formula, and where in the code the function is."""

import inspect
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from unclip.diffusion import forward, level, samplers
from unclip.diffusion import schedules as schedule_family
from unclip.diffusion.denoiser import Denoiser
from unclip.diffusion.empirical import Empirical
from unclip.diffusion.process import Diffusion, Sampling
from unclip.diffusion.samplers import Sampler
from unclip.diffusion.schedules import BetaTable, Schedule
from unclip.evaluation.levels import error_by_level
from unclip.figures.report import Section
from unclip.figures.schedule_plot import Curve
from unclip.models.autoencoder.space import PixelSpace
from unclip.studies.explain.toy import ToyConfig, learn


def where(*things: Any) -> list[str]:
    """The full names of functions and classes, as one would import them."""
    found = [t if inspect.isclass(t) or inspect.isroutine(t) else type(t) for t in things]
    return list(dict.fromkeys(f"{t.__module__}.{t.__qualname__}" for t in found))


def schedules(path: Path, own: Schedule, curves: Sequence[Curve]) -> Section:
    """The schedules and a table of their ends."""
    table = [["schedule", "steps", "log-SNR at T", "bits/dim of x_0 left in x_T"]]
    table += [[c.name, f"{len(c.t):,}", f"{c.log_snr[-1].item():.1f}", f"{c.left:.1e}"] for c in curves]
    return Section(
        "Schedules: how fast an image becomes noise",
        "Left, the noise that each of T steps adds. Middle, the share of the image's power that is still there. "
        "Right, the same as a log-SNR, the axis on which all schedules are one line walked at different speeds: what a "
        "network sees at one log-SNR does not depend on the schedule that led there.\n\n"
        "What is left of the image at T should be nothing: sampling starts from pure noise, and whatever training "
        "could still see there is missing then. Measured on held-out images of this run. Schedules in continuous "
        "time are cut into 1,000 steps; the horizontal axis of a schedule that is stated by its training levels "
        "(LogNormal, Laplace) is the share of training done at less noise.",
        table,
        [path],
        "q(x_t | x_{t−1}) = N(√(1 − β_t) x_{t−1}, β_t I),   ᾱ_t = (1 − β_1) (1 − β_2) … (1 − β_t)\n"
        "log-SNR l_t = ln(ᾱ_t / (1 − ᾱ_t)),   α^2 = sigmoid(l),   σ^2 = sigmoid(−l)\n"
        "KL(q(x_T | x_0) ‖ N(0, I)) = ½ (ᾱ_T x_0^2 − ᾱ_T − ln(1 − ᾱ_T)) / ln 2   bits a dimension",
        [*where(own, forward.beta, forward.terminal_kl), schedule_family.__name__],
    )


def of_codes(space: PixelSpace) -> str:
    """What is to be known of images that are codes made visible."""
    if space.factor == 1:
        return ""
    return (
        f"\n\nx is here the code of an image, {space.channels} numbers for each {space.factor} x {space.factor} pixels "
        "(latent diffusion, Rombach et al. 2022): noise is added to codes and taken from them, and every image here is "
        "a code, made visible by the autoencoder. A noisy one looks like no noisy image: none was ever shown to it."
    )


def noising(path: Path, table: BetaTable, own: bool, space: PixelSpace) -> Section:
    """The forward process. space: of the states."""
    whose = "the run's own table" if own else "DDPM's linear table (this run's schedule has no steps of its own)"
    return Section(
        "Noising: the forward process",
        f"A held-out image of this run under {whose}, T = {len(table.betas):,}. Above, every state by one jump from "
        "the image. Below, by single steps, each adding fresh noise to the one before. The two differ in their noise "
        "and in nothing else: sums of Gaussians are Gaussian. So training never walks; it jumps to any t at once."
        + of_codes(space),
        pictures=[path],
        formula="one jump   x_t = √ᾱ_t x_0 + √(1 − ᾱ_t) ε,   ε ~ N(0, I)   (DDPM, Eq. 4)\n"
        "one step   x_t = √(1 − β_t) x_{t−1} + √β_t ε   (DDPM, Eq. 2)",
        code=where(level.noised, forward.one_step, forward.chain),
    )


def denoising(path: Path, how: Sampling, prompt: str, space: PixelSpace) -> Section:
    """The reverse process. space: of the states."""
    asked = f' for "{prompt}"' if prompt else ""
    return Section(
        "Denoising: from noise to image",
        f"This run's model{asked}, {how.steps} steps of {type(how.sampler).__name__}. Above, the state. Below, what "
        "the network takes the clean image to be at that moment: the mean of all images that could have become "
        "this state, and therefore blurred while there are many of them." + of_codes(space),
        pictures=[path],
        formula="x̂_0 = c_{skip}(l) x_t + c_{out}(l) F(x_t, l),   ε̂ = (x_t − α_t x̂_0) / σ_t\n"
        "x_s = α_s x̂_0 + √(σ_s^2 − k^2) ε̂ + k z,   k = η σ_s √(1 − SNR_t / SNR_s)   (DDIM, Eq. 12; η = 1: DDPM)",
        code=where(Denoiser, how.sampler, samplers.step, Diffusion.sample),
    )


def errors(path: Path, diffusion: Diffusion, count: int, note: str) -> Section:
    """The loss by noise level."""
    config = diffusion.config
    return Section(
        "The loss by noise level",
        f"{count} images that were not trained on{note}, the same noise at every level, with standard errors. The "
        "error of x_0 is small where there is little noise. Where there is nothing but noise, a model can only guess a "
        "mean image (the dashed line), or a better one where it is told a caption or a class. The error of ε is the "
        "same error times the SNR: what is easy for one is hard for the other, so a plain mean of either would be a "
        "training on one end only.\n\n"
        f"On the right, as {type(config.weighting).__name__} weighs it. Where that line is high and the gray band is, "
        "training spends its effort. The figures stand in levels.json.",
        pictures=[path],
        formula="‖ε − ε̂‖^2 = SNR · ‖x_0 − x̂_0‖^2,   loss = w(l) ‖ε − ε̂‖^2",
        code=where(error_by_level, Diffusion.loss, config.weighting, config.parameterization),
    )


def plane(paths: Sequence[Path], config: ToyConfig, named: Mapping[str, Sampler]) -> Section:
    """The toy."""
    return Section(
        "In the plane: what the samplers do",
        f"{config.points:,} points on two moons. For them the best denoiser is known in closed form: a mean of the "
        "points, each weighted by how probably it became this state. Nothing is learned in the upper row. In the "
        f"lower, a small network that trained for {config.updates:,} updates while this page was made.\n\n"
        "In colour, five ways from the noise (rings) to where they end; in black, where all points end; gray, the "
        "data. Deterministic samplers draw smooth curves, those with fresh noise wander. The exact denoiser ends at "
        "points of the data, it knows them by heart; the network ends between them, too, which is what one wants.",
        pictures=paths,
        formula="x̂_0 = Σ_i w_i x_i,   w = softmax_i( −‖x_t − α x_i‖^2 / (2 σ^2) )",
        code=where(Empirical, learn, Diffusion.loss, *named.values()),
    )


def samples(path: Path, named: Mapping[str, Sampler], prompts: Sequence[str]) -> Section:
    """Samples by number of steps."""
    words = [f'"{prompt}"' for prompt in dict.fromkeys(prompts) if prompt]
    asked = f" Asked for: {', '.join(words)}." if words else ""
    return Section(
        "Samples by number of steps",
        "Every cell starts from the same noise. A deterministic sampler ends at the same image however many steps it "
        "takes, and with fewer steps it only gets there less exactly; one that adds noise ends elsewhere each time."
        + asked,
        pictures=[path],
        code=where(*named.values()),
    )
