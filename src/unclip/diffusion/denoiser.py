"""From a network to a denoiser: the one place where a parameterisation meets a network."""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from unclip.core.condition import Condition
from unclip.core.typing import LogSNR, State
from unclip.diffusion.level import alpha, like, sigma
from unclip.diffusion.parameterization import Parameterization


@dataclass(frozen=True)
class Prediction:
    """What a denoiser says at one state: x = alpha x0 + sigma eps holds between the two.

    variance_mix: where the network learns the variance (iDDPM, Eq. 15), its v in [0, 1] between beta-tilde and beta.
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
    """

    def __init__(self, network: nn.Module, parameterization: Parameterization, limit: float | None = None) -> None:
        super().__init__()
        self.network, self.parameterization, self.limit = network, parameterization, limit

    def output(self, x: State, log_snr: LogSNR, cond: Condition) -> Tensor:
        """F at this state, in float32 whatever the precision inside."""
        scale = like(self.parameterization.input_scale(log_snr), x)
        return self.network(x * scale, log_snr, cond).float()

    def forward(self, x: State, log_snr: LogSNR, cond: Condition) -> Prediction:
        level = like(log_snr, x)
        c_skip, c_out = self.parameterization.scalings(level)
        x0 = c_skip * x + c_out * self.output(x, log_snr.expand(x.shape[0]), cond)
        if self.limit is not None:
            x0 = torch.clamp(x0, -self.limit, self.limit)
        return Prediction.from_x0(x0, x, log_snr)
