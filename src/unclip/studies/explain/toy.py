"""Diffusion in the plane: two moons, their exact denoiser, a network that learns them here, and samplers on both."""

import time
from collections.abc import Generator
from dataclasses import dataclass, field
from typing import Annotated

import torch

from unclip.core.condition import Condition
from unclip.core.config.base import Config
from unclip.core.config.ranges import Count, Range, Steps
from unclip.core.noise import Noise, initial_weights
from unclip.core.typing import LogSNR, State
from unclip.data.moons import Points, two_moons
from unclip.diffusion.denoiser import Denoise, Prediction
from unclip.diffusion.empirical import Empirical
from unclip.diffusion.level import noised, resolvable
from unclip.diffusion.parameterization import V
from unclip.diffusion.process import Diffusion, DiffusionConfig
from unclip.diffusion.samplers import Sampler
from unclip.diffusion.schedules import Tabulated
from unclip.diffusion.weighting import Simple
from unclip.figures.flow_plots import ForwardFrame, Trajectories
from unclip.nn.blocks.mlp import MLP
from unclip.recipes.events import Working, working

NOTHING = Condition()
"""Points have no captions."""


def plane() -> DiffusionConfig:
    """Time linear in log-SNR, over the levels at which something happens to the moons; v predicted, L_simple."""
    return DiffusionConfig(Tabulated((8.0, -6.0)), V(), Simple())


@dataclass(frozen=True)
class ToyConfig(Config):
    """points: of the data; samples: that the samplers make; steps: of the samplers; scenes: of the animation's forward
    half; updates, batch, lr: of training."""

    points: Count = 250
    samples: Count = 400
    steps: Steps = 20
    scenes: Annotated[int, Range(2, 1000)] = 11
    updates: Steps = 1500
    batch: Count = 512
    lr: Annotated[float, Range(0, 1, above=True)] = 3e-3
    seed: Annotated[int, Range(0, 2**63 - 1)] = 0
    diffusion: DiffusionConfig = field(default_factory=plane)

    def data(self) -> Points:
        """The moons."""
        return two_moons(self.points, Noise.shared(self.seed, "moons"))

    def levels(self) -> LogSNR:
        """Where the samplers stop, noisy to clean, +inf last."""
        return resolvable(self.diffusion.schedule.grid(self.steps))


def learn(config: ToyConfig) -> Generator[Working, None, Denoise]:
    """Trains an MLP through `Diffusion.loss`; yields after every update and returns the finished denoiser."""
    data, start = config.data(), time.monotonic()
    with initial_weights(config.seed, "toy"):
        diffusion = Diffusion(MLP(2), config.diffusion)
    optimizer = torch.optim.AdamW(diffusion.parameters(), config.lr)
    rate = torch.optim.lr_scheduler.OneCycleLR(optimizer, config.lr, config.updates, pct_start=0.1)
    for update in range(config.updates):
        noise = Noise.shared(config.seed, "toy", update)
        some = data[noise.integers(len(data), (config.batch,))]
        loss = diffusion.loss(some, NOTHING, noise).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        rate.step()
        what = f"learns two moons: update {update + 1:,}, loss {loss.item():.3f}"
        yield working("plane", what, update + 1, config.updates, start)
    return lambda x, log_snr: diffusion.denoiser(x, log_snr, NOTHING)


def best_possible(config: ToyConfig) -> Denoise:
    """What no training can better on these points."""
    return Empirical(config.data())


@dataclass
class Counted:
    """A denoiser that counts how often it is asked."""

    denoise: Denoise
    calls: int = 0

    def __call__(self, x: State, log_snr: LogSNR) -> Prediction:
        self.calls += 1
        return self.denoise(x, log_snr)


@torch.no_grad()
def flow(config: ToyConfig, row: str, denoise: Denoise, column: str, sampler: Sampler) -> Trajectories:
    """All states of one sampler with one denoiser; every flow starts from the same noise."""
    noise, counted = Noise.shared(config.seed, "start"), Counted(denoise)
    x = noise.normal((config.samples, 2))
    states = [x, *(step.x for step in sampler(counted, x, config.levels(), noise))]
    return Trajectories(row, column, torch.stack(states), counted.calls)


def scenes(config: ToyConfig, points: int, count: int) -> list[ForwardFrame]:
    """Two moons at `count` even times from 0 to T by the closed form, one eps for all of them."""
    data = two_moons(points, Noise.shared(config.seed, "scenes"))
    eps, found = Noise.shared(config.seed, "forward").normal(data.shape), [ForwardFrame("data", data)]
    for i in range(1, count):
        t = i / (count - 1)
        level = config.diffusion.schedule(torch.tensor(t))
        found.append(ForwardFrame(f"noising, t = {t:.1f} T", noised(data, level, eps)))
    return found
