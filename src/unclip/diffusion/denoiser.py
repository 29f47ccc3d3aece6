"""From a network to a denoiser: the one place where a parameterisation meets a network."""

from dataclasses import dataclass, replace
from typing import Protocol, runtime_checkable

import torch
from torch import nn

from unclip.core.condition import Condition
from unclip.core.typing import LogSNR, State
from unclip.diffusion.level import alpha, bounded, like, sigma
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

    `learned_variance`: the network gives twice the channels, F and G; `Prediction.variance_mix` = (G + 1)/2.
    What it says is not clamped: guidance goes along the line through two estimates (`within`).
    """

    def __init__(self, network: nn.Module, parameterization: Parameterization, learned_variance: bool = False) -> None:
        super().__init__()
        self.network, self.parameterization, self.learned_variance = network, parameterization, learned_variance

    @property
    def is_double(self) -> bool:
        """Whether the network is one in float64, as one takes to tell rounding from error."""
        return any(parameter.dtype == torch.float64 for parameter in self.network.parameters())

    def output(self, x: State, log_snr: LogSNR, cond: Condition) -> tuple[State, State | None]:
        """F at this state, in float32 whatever the precision inside (in float64 of a network in float64); and v of a
        learned variance.

        Raises ValueError where the network's number of channels does not fit `learned_variance`.
        """
        scale = like(self.parameterization.input_scale(bounded(log_snr)), x)
        wanted = (2 if self.learned_variance else 1) * x.shape[1]
        # No picture needs no network; torch's pixel_unshuffle leaves an empty batch as it is, which no network takes.
        out = self.network(x * scale, log_snr, cond) if len(x) else x.new_zeros((0, wanted, *x.shape[2:]))
        out = out.to(torch.promote_types(out.dtype, torch.float32))
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
        """The clean estimate that F stands for."""
        c_skip, c_out = self.parameterization.scalings(like(bounded(log_snr), x))
        return c_skip * x + c_out * out

    def forward(self, x: State, log_snr: LogSNR, cond: Condition) -> Prediction:
        out, mix = self.output(x, log_snr.expand(x.shape[0]), cond)
        return replace(Prediction.from_x0(self.x0(out, x, log_snr), x, bounded(log_snr)), variance_mix=mix)


def within(denoise: Denoise, limit: float | None) -> Denoise:
    """A denoiser whose x0 is clamped to [-limit, limit], and eps with it (pictures live in [-1, 1]; None: anywhere).

    It comes last, after guidance (GLIDE; Imagen, Saharia et al. 2022, section 2.3): where both estimates leave the
    range, clamping them first would leave guidance nothing to go along.
    """

    def at(x: State, log_snr: LogSNR) -> Prediction:
        p = denoise(x, log_snr)
        if limit is None:
            return p
        return replace(Prediction.from_x0(p.x0.clamp(-limit, limit), x, log_snr), variance_mix=p.variance_mix)

    return at
