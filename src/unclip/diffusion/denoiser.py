"""From a network to a denoiser: the one place where a parameterisation meets a network."""

from dataclasses import dataclass, replace
from typing import Protocol, runtime_checkable

import torch
from torch import nn

from unclip.core.condition import Condition
from unclip.core.typing import LogSNR, State
from unclip.diffusion.level import alpha, like, sigma
from unclip.diffusion.parameterization import Parameterization


@dataclass(frozen=True)
class Prediction:
    """What a denoiser says at one state: x = alpha x0 + sigma eps holds between the two.

    variance_mix: where the network learns the variance (iDDPM, Eq. 15), its v: the variance
    is beta-tilde at 0 and beta at 1. Nothing keeps it between them, as in the paper.
    """

    x0: State
    eps: State
    variance_mix: State | None = None

    @staticmethod
    def from_x0(x0: State, x: State, log_snr: LogSNR) -> "Prediction":
        """The pair that belongs to a clean estimate."""
        level = like(log_snr, x)
        return Prediction(x0, (x - alpha(level) * x0) / sigma(level))


@runtime_checkable
class Denoise(Protocol):
    """All that a sampler ever sees."""

    def __call__(self, x: State, log_snr: LogSNR) -> Prediction: ...


@runtime_checkable
class ConditionalDenoise(Protocol):
    """What guidance turns into a `Denoise`."""

    def __call__(self, x: State, log_snr: LogSNR, cond: Condition) -> Prediction: ...


class Denoiser(nn.Module):
    """A network F with its parameterisation: x0 = c_skip x + c_out F(c_in x, log-SNR, condition).

    `limit` clamps x0 to [-limit, limit] in sampling (pictures live in [-1, 1]; embeddings have no limit).
    `learned_variance`: the network gives twice the channels, F and G; `Prediction.variance_mix` = (G + 1)/2.
    """

    def __init__(
        self,
        network: nn.Module,
        parameterization: Parameterization,
        limit: float | None = None,
        learned_variance: bool = False,
    ) -> None:
        super().__init__()
        self.network, self.parameterization, self.limit = network, parameterization, limit
        self.learned_variance = learned_variance

    def unlimited(self) -> "Denoiser":
        """The same network without the clamp, which the probability-flow ODE would stumble over."""
        return Denoiser(self.network, self.parameterization, None, self.learned_variance)

    def output(self, x: State, log_snr: LogSNR, cond: Condition) -> tuple[State, State | None]:
        """F at this state, in float32 whatever the precision inside; and v of a learned variance.

        Raises ValueError where the network's number of channels does not fit `learned_variance`.
        """
        scale = like(self.parameterization.input_scale(log_snr), x)
        out = self.network(x * scale, log_snr, cond).float()
        wanted = (2 if self.learned_variance else 1) * x.shape[1]
        if out.shape[1] != wanted:
            raise ValueError(
                f"the network gives {out.shape[1]} channels for {x.shape[1]}, expected {wanted}; its learned_variance "
                "must be set where the process's vlb_weight is above 0, and nowhere else"
            )
        if not self.learned_variance:
            return out, None
        mean, mix = out.chunk(2, dim=1)
        return mean, (mix + 1) / 2

    def x0(self, out: State, x: State, log_snr: LogSNR) -> State:
        """The clean estimate that F stands for, not clamped."""
        c_skip, c_out = self.parameterization.scalings(like(log_snr, x))
        return c_skip * x + c_out * out

    def forward(self, x: State, log_snr: LogSNR, cond: Condition) -> Prediction:
        out, mix = self.output(x, log_snr.expand(x.shape[0]), cond)
        x0 = self.x0(out, x, log_snr)
        if self.limit is not None:
            x0 = torch.clamp(x0, -self.limit, self.limit)
        return replace(Prediction.from_x0(x0, x, log_snr), variance_mix=mix)
