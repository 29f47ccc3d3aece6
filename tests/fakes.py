"""Stand-ins and small helpers that several rooms' tests share."""

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import pytest
import torch
from torch import Tensor, nn

from unclip.core.condition import Condition
from unclip.core.disk import store
from unclip.core.noise import Noise, initial_weights
from unclip.core.task import Batch
from unclip.diffusion.denoiser import Prediction
from unclip.diffusion.level import alpha
from unclip.diffusion.process import Diffusion
from unclip.diffusion.samplers import AnalyticDPM, Sampler
from unclip.nn.backbones.unet import UNet, UNetConfig
from unclip.training.optim import OptimConfig
from unclip.training.plan import Plan
from unclip.training.report import Report
from unclip.training.trainer import TrainConfig, Trainer

M = TypeVar("M", bound=nn.Module)
NOTHING = Condition()


def draw(*shape: int, key: int | str = 0) -> Tensor:
    """Normal numbers that are the same in every run."""
    return Noise.shared("test", key).normal(shape)


def family(base: type) -> list[type]:
    """The concrete members of a family, however deep, that are unclip's own."""
    subs = [m for sub in base.__subclasses__() for m in family(sub)]
    own = base.__module__.startswith("unclip.")
    return [base, *subs] if own and not base.__abstractmethods__ else subs


def awake(module: nn.Module) -> nn.Module:
    """Gives every zero-initialised parameter numbers, so that no path is shut at the start."""
    with initial_weights("awake"):
        for parameter in module.parameters():
            if not parameter.detach().any():
                nn.init.normal_(parameter, std=0.1)
    return module.eval()


def built(make: Callable[[], M], key: int | str = 0) -> M:
    """A module with reproducible first weights."""
    with initial_weights("test", key):
        return make()


def tiny_unet(**changes: object) -> UNetConfig:
    """Two levels, a few thousand weights."""
    sizes = {"patch": 2, "widths": (16, 32), "blocks": (1, 1), "attention": (False, True), "head_width": 16}
    return UNetConfig(**{**sizes, "embedding": 32, "fine": 8, **changes})


def unet(**changes: object) -> UNet:
    """A tiny U-Net with all paths open."""
    made = awake(built(lambda: UNet(tiny_unet(**changes))))
    assert isinstance(made, UNet)
    return made


class Function(nn.Module):
    """A function (x, log_snr, cond) -> F in the place of a network."""

    def __init__(self, function: Callable[[Tensor, Tensor, Condition], Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Tensor, log_snr: Tensor, cond: Condition) -> Tensor:
        return self.function(x, log_snr, cond)


class Recorded(nn.Module):
    """A network without weights: F = sin(3 x + l) + the condition's vector. `calls` holds what it was given."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[tuple[Tensor, Tensor, Condition]] = []

    def forward(self, x: Tensor, log_snr: Tensor, cond: Condition) -> Tensor:
        self.calls.append((x, log_snr, cond))
        out = torch.sin(3 * x + log_snr.view(-1, *[1] * (x.dim() - 1)))
        return out if cond.vector is None else out + cond.vector.view(len(x), *[1] * (x.dim() - 1))


@dataclass(frozen=True)
class GaussianData:
    """Data N(mean, std^2): the posterior mean of x0, and so the whole diffusion, is known in closed form."""

    mean: float = 0.7
    std: float = 0.5

    def denoise(self, x: Tensor, log_snr: Tensor) -> Prediction:
        """E[x0 | x], exact."""
        a, spread = alpha(log_snr), self.spread(log_snr)
        return Prediction.from_x0(self.mean + a * self.std**2 / spread**2 * (x - a * self.mean), x, log_snr)

    def spread(self, log_snr: Tensor) -> Tensor:
        """Standard deviation of x at a level."""
        return (torch.sigmoid(log_snr) * self.std**2 + torch.sigmoid(-log_snr)).sqrt()

    def flow(self, x: Tensor, start: Tensor, end: Tensor) -> Tensor:
        """The probability-flow ODE's exact solution: the standardised state stays what it is."""
        standard = (x - alpha(start) * self.mean) / self.spread(start)
        return alpha(end) * self.mean + self.spread(end) * standard


@dataclass(frozen=True)
class MixtureData:
    """Two Gaussians on the line: what a network has to decide between. The exact denoiser and flow are known too."""

    means: tuple[float, ...] = (-1.0, 0.5)
    stds: tuple[float, ...] = (0.15, 0.3)
    shares: tuple[float, ...] = (0.4, 0.6)

    @property
    def mean(self) -> float:
        return sum(p * m for p, m in zip(self.shares, self.means, strict=True))

    @property
    def std(self) -> float:
        parts = zip(self.shares, self.means, self.stds, strict=True)
        return (sum(p * (m * m + s * s) for p, m, s in parts) - self.mean**2) ** 0.5

    def _parts(self, log_snr: Tensor, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Shares, means and variances of x's parts at a level, in a new last dimension."""
        share, mean, std = (torch.tensor(v, dtype=x.dtype) for v in (self.shares, self.means, self.stds))
        return share, alpha(log_snr) * mean, torch.sigmoid(log_snr) * std**2 + torch.sigmoid(-log_snr)

    def denoise(self, x: Tensor, log_snr: Tensor) -> Prediction:
        """E[x0 | x]: each part's own, weighted by how likely it is."""
        share, centre, variance = self._parts(log_snr, x)
        away = x[..., None] - centre
        likely = torch.softmax(share.log() - variance.log() / 2 - away**2 / (2 * variance), -1)
        mean, std = (torch.tensor(v, dtype=x.dtype) for v in (self.means, self.stds))
        return Prediction.from_x0((likely * (mean + alpha(log_snr) * std**2 / variance * away)).sum(-1), x, log_snr)

    def below(self, x: Tensor, log_snr: Tensor) -> Tensor:
        """P(X < x) at a level."""
        share, centre, variance = self._parts(log_snr, x)
        return (share * torch.special.ndtr((x[..., None] - centre) / variance.sqrt())).sum(-1)

    def flow(self, x: Tensor, start: Tensor, end: Tensor) -> Tensor:
        """On a line the flow keeps the order of the points, so the share below each: bisection for where it is kept."""
        share, low, high = self.below(x, start), torch.full_like(x, -9.0), torch.full_like(x, 9.0)
        for _ in range(60):
            middle = (low + high) / 2
            less = self.below(middle, end) < share
            low, high = torch.where(less, middle, low), torch.where(less, high, middle)
        return (low + high) / 2


NEEDS = {AnalyticDPM: AnalyticDPM(levels=(-6.0, 0.0, 6.0), gamma=(1.0, 0.6, 0.1))}
"""Samplers that cannot be had without figures."""


def samplers() -> list[Sampler]:
    """One of each kind."""
    return [NEEDS.get(member) or member() for member in family(Sampler)]


def trainer_of(
    task: nn.Module, feed: Callable[[int], Batch], steps: int, lr: float = 3e-3, seed: int = 0, workers: int = 1
) -> Trainer:
    """A float32 trainer with a short warm-up: AdamW, and Muon on the repeated layers."""
    config = TrainConfig(batch=1, optim=OptimConfig(lr=lr, muon_lr=lr, warmup=5), steps=steps)
    return Trainer(task, feed, config, Plan(steps=steps), seed, "float32", workers)


def learn(task: nn.Module, batch: Batch, steps: int, lr: float = 3e-3) -> list[float]:
    """Trains on one batch again and again; returns the losses."""
    reports: Iterator[Report] = trainer_of(task, lambda step: batch, steps, lr).steps()
    losses = [report.loss for report in reports]
    task.eval()
    return losses


def spied(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Condition, Tensor | None]]:
    """What `Diffusion.loss` will be given from now on: conditions, and what counts. It computes nothing."""
    seen: list[tuple[Condition, Tensor | None]] = []

    def loss(self: Diffusion, x0: Tensor, cond: Condition, noise: Noise, counts: Tensor | None = None) -> Tensor:
        seen.append((cond, counts))
        return x0.new_zeros(len(x0))

    monkeypatch.setattr(Diffusion, "loss", loss)
    return seen


def forge_head(path: Path, **changes: object) -> None:
    """As somebody would who takes the hashes anew."""
    head = {**json.loads((path / "config.json").read_text(encoding="utf-8")), **changes}
    head["sha256"] = {store.WEIGHTS: head["sha256"][store.WEIGHTS]}
    said = hashlib.sha256(json.dumps(head, sort_keys=True).encode()).hexdigest()
    head["sha256"]["config.json"] = said
    (path / "config.json").write_text(json.dumps(head), encoding="utf-8")
