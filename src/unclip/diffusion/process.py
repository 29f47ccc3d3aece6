"""Diffusion: everything here that generates by denoising is this class, with its own network and `Condition`."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import torch
from torch import nn

from unclip.core.condition import Condition
from unclip.core.config.base import Config
from unclip.core.config.ranges import CountOrNone, Positive, Steps, Weight
from unclip.core.noise import Noise
from unclip.core.plugins.returned import returned
from unclip.core.typing import LogSNR, PerSample, State
from unclip.core.watching import watched
from unclip.diffusion.denoiser import Denoise, Denoiser, within
from unclip.diffusion.grids import Grid
from unclip.diffusion.guidance import Guidance, Unguided
from unclip.diffusion.level import alpha, like, noised, resolvable, sigma
from unclip.diffusion.likelihood import DiscretisedGaussian, PixelLikelihood
from unclip.diffusion.losses import ErrorForm, LevelSampling, Squared, Stratified, Uncertainty, VarianceTerm
from unclip.diffusion.parameterization import EDM, Parameterization
from unclip.diffusion.samplers import DDIMInversion, DPMSolverPP2M, RePaint, Sampler, Step, Walk
from unclip.diffusion.schedules import LogNormal, Schedule
from unclip.diffusion.weighting import EDMWeight, Weighting


@dataclass(frozen=True)
class DiffusionConfig(Config):
    """The settings of a process: its noise levels, what the network predicts, and what an error costs.

    Args:
        schedule: noise levels over time.
        parameterization: what the network predicts.
        weighting: the weight of an error at each level, in eps space.
        limit: clean data lie in [-limit, limit], and sampling clamps x0 to that; None: no clamp. 1.0 for images.
        error: the form of the error (docs/losses.md).
        levels: which levels training draws (docs/losses.md).
        uncertainty: the number of waves of EDM2's learned uncertainty (Karras et al. 2024a); 0: none.
        vlb_weight: above 0, the variance is learned, and the network returns twice the channels (iDDPM uses 0.001).
        likelihood: the likelihood of the data at the last step, in the loss of a learned variance.

    Raises:
        ValueError: where the network would predict eps on a schedule that has no signal at its noisy end.
    """

    schedule: Schedule = field(default_factory=LogNormal)
    parameterization: Parameterization = field(default_factory=EDM)
    weighting: Weighting = field(default_factory=EDMWeight)
    limit: Positive | None = None
    error: ErrorForm = field(default_factory=Squared)
    levels: LevelSampling = field(default_factory=Stratified)
    uncertainty: CountOrNone = 0
    vlb_weight: Weight = 0.0
    likelihood: PixelLikelihood = field(default_factory=DiscretisedGaussian)

    def __post_init__(self) -> None:
        self.parameterization.check(resolvable(self.schedule(torch.ones(()))))


@dataclass(frozen=True)
class Sampling(Config):
    """How to sample: without guidance unless one is given.

    schedule, grid: None means the process's own, and the schedule's own.
    """

    steps: Steps = 16
    sampler: Sampler = field(default_factory=DPMSolverPP2M)
    guidance: Guidance = field(default_factory=Unguided)
    schedule: Schedule | None = None
    grid: Grid | None = None


def sampling_grid(config: DiffusionConfig, how: Sampling, device: torch.device | str = "cpu") -> LogSNR:
    """The levels that `how` walks. Raises ValueError where steps, schedule, grid and parameterisation do not fit."""
    schedule = how.schedule or config.schedule
    grid = resolvable(how.grid(schedule, how.steps, device) if how.grid else schedule.grid(how.steps, device))
    config.parameterization.check(grid[0])
    return grid


def check_sampling(config: DiffusionConfig, how: Sampling) -> None:
    """Raises ValueError where a model of these settings could be trained, but not drawn from."""
    sampling_grid(config, how)
    if how.sampler.needs_variance and not config.vlb_weight:
        raise ValueError(
            f"sampler: {how.sampler} draws with a variance that the network has learned, and this one learns none "
            "(diffusion.vlb_weight = 0); take beta or beta_tilde, or train with diffusion.vlb_weight = 0.001"
        )


class Diffusion(nn.Module):
    """A network with a diffusion process: a loss to train it, and a way to sample from it.

    Everything that generates by denoising is this class: of images, embeddings or any other tensor.

    Args:
        network: called with x [b, ...], log_snr [b] and a `Condition`; returns the shape of x (twice the channels where
            the variance is learned).
        config: the process, a `DiffusionConfig`.
    """

    def __init__(self, network: nn.Module, config: DiffusionConfig) -> None:
        super().__init__()
        self.config = config
        self.denoiser = Denoiser(network, config.parameterization, config.vlb_weight > 0)
        self.levels = config.levels.sampler()
        self.uncertainty = Uncertainty(config.uncertainty) if config.uncertainty else None
        self.variance = VarianceTerm(config.schedule, config.likelihood) if config.vlb_weight else None

    def loss(self, x0: State, cond: Condition, noise: Noise, counts: State | None = None) -> PerSample:
        """The training loss of each sample, [b]: mean of w(l) |eps - eps_hat|^2 at a random level l.

        The error is taken of the network's own output and weighted by (alpha c_out / sigma)^2 w. That is the same
        number, but finite and well scaled at both ends. The settings may choose another form of error, levels drawn by
        past losses, EDM2's uncertainty or a learned variance.

        Args:
            x0: clean samples, [b, ...].
            cond: what they are conditioned on, b rows.
            noise: where the levels and the noise are drawn from.
            counts: 1 where an error counts and 0 where it does not, of the shape of x0 (None: everywhere); for images
                of which a part is known.
        """
        drawn = self.levels.draw(self.config.schedule, x0.shape[0], noise)
        log_snr = resolvable(drawn.log_snr)
        x = noised(x0, log_snr, noise.normal(x0.shape))
        out, mix = self.denoiser.output(x, log_snr, cond)
        off = out - self._target(x0, x, log_snr)
        loss = self._weight(drawn.log_snr) * self.config.error(off if counts is None else off * counts)
        if self.uncertainty is not None:
            loss = self.uncertainty.weigh(loss, log_snr)
        if self.variance is not None and mix is not None:
            bits = self.variance(x0, self.denoiser.x0(out, x, log_snr), mix, drawn.log_snr)
            loss = loss + self.config.vlb_weight * bits
        self.levels.record(drawn, loss, noise)
        return loss if drawn.weight is None else drawn.weight * loss

    def regress(self, x0: State, x: State, log_snr: PerSample, cond: Condition) -> PerSample:
        """The loss of each sample, [b], against a clean estimate that is given, such as another model's.

        Args:
            x0: what the estimate should be, [b, ...].
            x: states, [b, ...].
            log_snr: their levels, [b].
            cond: what they are conditioned on, b rows.
        """
        level = resolvable(log_snr)
        out, _ = self.denoiser.output(x, level, cond)
        return self._weight(log_snr) * self.config.error(out - self._target(x0, x, level))

    def _target(self, x0: State, x: State, log_snr: PerSample) -> State:
        """What F should have been."""
        c_skip, c_out = self.config.parameterization.scalings(log_snr)
        return (x0 - like(c_skip, x) * x) / like(c_out, x)

    def _weight(self, log_snr: PerSample) -> PerSample:
        """w (alpha c_out / sigma)^2 at levels as they were drawn: from an error of F to the loss."""
        level = resolvable(log_snr)
        _, c_out = self.config.parameterization.scalings(level)
        to_eps = (alpha(level) * c_out / sigma(level)).square()
        return self.config.weighting.weight_of_sample(log_snr, self.config.schedule) * to_eps

    def sample(
        self, shape: Sequence[int], cond: Condition, null: Condition, noise: Noise, how: Sampling
    ) -> Iterator[Step]:
        """Samples from noise: yields every step, from N(0, I) to the last one, whose x is the clean sample.

        Args:
            shape: the shape of the samples, (b, ...).
            cond: what to sample, b rows.
            null: the condition that guidance leads away from, b rows; of an unconditional model an empty `Condition`.
            noise: where the first state and the sampler's own noise are drawn from.
            how: steps, sampler, guidance, schedule and grid.

        Raises:
            ValueError: where steps, schedule, grid, sampler and parameterisation cannot go together.
        """
        dtype = torch.float64 if self.denoiser.is_double else torch.float32
        yield from self.walk(noise.normal(shape).to(dtype), cond, null, noise, how)

    def walk(
        self, x: State, cond: Condition, null: Condition, noise: Noise, how: Sampling, by: Walk | None = None
    ) -> Iterator[Step]:
        """Samples as `sample` does, but from a given state x at the noisy end, [b, ...].

        by: used in the place of the settings' sampler; for images of which a part is known (`RePaint`, `Anchored`).
        Raises ValueError as `sample` does.
        """
        denoise = self._guided(how, cond, null)
        grid, walk = sampling_grid(self.config, how, x.device), by or how.sampler
        total = walk.evaluations(len(grid) - 1) if isinstance(walk, RePaint) else len(grid) - 1
        for step in watched(_without_grad(walk(denoise, x, grid, noise)), total):
            yield returned(step, Step, f"{type(walk).__name__}: its walk")

    def invert(
        self, x0: State, cond: Condition, null: Condition, how: Sampling, inversion: DDIMInversion
    ) -> Iterator[Step]:
        """Goes from clean samples back to the noise that DDIM at eta 0 makes them from; yields every step.

        x0: [b, ...]. The grid and the guidance are those of `how`. Raises ValueError as `sample` does.
        """
        denoise = self._guided(how, cond, null)
        grid = sampling_grid(self.config, how, x0.device)
        yield from watched(_without_grad(inversion(denoise, x0, grid)), len(grid) - 1)

    def _guided(self, how: Sampling, cond: Condition, null: Condition) -> Denoise:
        """What a sampler sees: the guided denoiser within the limit."""
        return within(how.guidance(self.denoiser, cond, null), self.config.limit)


def _without_grad(steps: Iterator[Step]) -> Iterator[Step]:
    while True:
        with torch.no_grad():  # around each step, not around `yield`: that would reach into the caller
            step = next(steps, None)
        if step is None:
            return
        yield step
