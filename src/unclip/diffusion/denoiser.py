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
    """What a denoiser predicts for one batch of noisy states: the clean sample and the noise.

    The two always satisfy x = alpha x0 + sigma eps.

    Args:
        x0: the estimated clean sample, of the state's shape.
        eps: the estimated noise, of the state's shape.
        variance_mix: v of a learned variance (iDDPM, Nichol & Dhariwal 2021, Eq. 15), of the state's shape; 0 stands
            for the variance beta-tilde, 1 for beta, and as in the paper nothing keeps it between them. None where the
            network learns no variance.
    """

    x0: State
    eps: State
    variance_mix: State | None = None

    @staticmethod
    def from_x0(x0: State, x: State, log_snr: LogSNR) -> "Prediction":
        """Completes a clean estimate: eps follows from x0, the state x and its log-SNR ([b], or one number for all)."""
        level = like(log_snr, x)
        return Prediction(x0, (x - alpha(level) * x0) / sigma(level))


@runtime_checkable
class Denoise(Protocol):
    """A denoiser as a sampler sees it: a function of the noisy state and its level, without a network or a condition.

    It is called with x, [b, ...], and log_snr, [b] or one number for all, and returns a `Prediction`.
    """

    def __call__(self, x: State, log_snr: LogSNR) -> Prediction: ...


@runtime_checkable
class ConditionalDenoise(Protocol):
    """A denoiser that also takes a condition; a guidance turns it into a `Denoise`.

    It is called with x, [b, ...], log_snr, [b] or one number for all, and cond, a `Condition` of b rows.
    """

    def __call__(self, x: State, log_snr: LogSNR, cond: Condition) -> Prediction: ...


class Denoiser(nn.Module):
    """Joins a network F to a parameterisation: x0 = c_skip x + c_out F(c_in x, log-SNR, condition).

    The estimate is not clamped, because guidance extrapolates along the line through two estimates (`within` clamps).

    Args:
        network: called with x [b, c, ...], log_snr [b] and a `Condition`; returns the shape of x.
        parameterization: what the network predicts.
        learned_variance: whether the network returns twice the channels, F and G; `Prediction.variance_mix` is then (G
            + 1)/2.
    """

    def __init__(self, network: nn.Module, parameterization: Parameterization, learned_variance: bool = False) -> None:
        super().__init__()
        self.network, self.parameterization, self.learned_variance = network, parameterization, learned_variance

    @property
    def is_double(self) -> bool:
        """Whether the network computes in float64, which is used to tell rounding from error."""
        return any(parameter.dtype == torch.float64 for parameter in self.network.parameters())

    def output(self, x: State, log_snr: LogSNR, cond: Condition) -> tuple[State, State | None]:
        """Evaluates the network: F at this state, and v of a learned variance (None without one).

        Both are float32 whatever the precision inside, or float64 where the network is. Raises ValueError where the
        network's number of channels does not fit `learned_variance`.
        """
        scale = like(self.parameterization.input_scale(bounded(log_snr)), x)
        wanted = (2 if self.learned_variance else 1) * x.shape[1]
        # No image needs no network; torch's pixel_unshuffle leaves an empty batch as it is, which no network takes.
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
        """The clean estimate, of the state's shape, that follows from the network's output `out` at state x."""
        c_skip, c_out = self.parameterization.scalings(like(bounded(log_snr), x))
        return c_skip * x + c_out * out

    def forward(self, x: State, log_snr: LogSNR, cond: Condition) -> Prediction:
        out, mix = self.output(x, log_snr.expand(x.shape[0]), cond)
        return replace(Prediction.from_x0(self.x0(out, x, log_snr), x, bounded(log_snr)), variance_mix=mix)


def within(denoise: Denoise, limit: float | None) -> Denoise:
    """A denoiser whose x0 is clamped to [-limit, limit], and eps with it (images live in [-1, 1]; None: anywhere).

    It comes last, after guidance (GLIDE; Imagen, Saharia et al. 2022, section 2.3): where both estimates leave the
    range, clamping them first would leave guidance nothing to go along.
    """

    def at(x: State, log_snr: LogSNR) -> Prediction:
        p = denoise(x, log_snr)
        if limit is None:
            return p
        return replace(Prediction.from_x0(p.x0.clamp(-limit, limit), x, log_snr), variance_mix=p.variance_mix)

    return at
