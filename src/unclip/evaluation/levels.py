"""How large a denoiser's error is at each noise level, on images that it was not trained on."""

from dataclasses import dataclass

import torch

from unclip.core.condition import Condition
from unclip.core.noise import Noise
from unclip.core.typing import Float, State, Tensor
from unclip.core.wide import wide
from unclip.diffusion.grids import ends
from unclip.diffusion.level import noised
from unclip.diffusion.process import Diffusion
from unclip.diffusion.schedules import Schedule

BATCH = 64


@dataclass(frozen=True)
class Mean:
    """A mean over samples and its standard error."""

    mean: float
    error: float

    @staticmethod
    def of(values: Float[Tensor, " n"]) -> "Mean":
        """The mean of independent values; one value alone has no error (nan)."""
        values = wide(values)
        return Mean(values.mean().item(), values.std().item() / len(values) ** 0.5 if len(values) > 1 else float("nan"))


@dataclass(frozen=True)
class LevelError:
    """Squared errors at one level, each a mean over dimensions: of x0, of eps = SNR times it, and times w(l)."""

    log_snr: float
    x0: Mean
    eps: Mean
    loss: Mean


def spread_levels(schedule: Schedule, count: int = 16) -> list[float]:
    """`count` levels, even in log-SNR, from the schedule's noisy end to its clean one."""
    return torch.linspace(*ends(schedule), count).tolist()


@torch.no_grad()
def error_by_level(
    diffusion: Diffusion, x0: State, cond: Condition, levels: list[float], noise: Noise
) -> list[LevelError]:
    """|x0 - x0_hat|^2 at each level, with the same noise at all of them, so that neighbours differ by the level alone.

    The estimate is not clamped: this is what training minimises, not what a sampler is shown.
    """
    eps = noise.normal(x0.shape)
    return [_at(diffusion, x0, cond, eps, x0.new_tensor(level)) for level in levels]


def _at(diffusion: Diffusion, x0: State, cond: Condition, eps: State, level: Tensor) -> LevelError:
    parts = []
    for i in range(0, len(x0), BATCH):
        some = slice(i, i + BATCH)
        guess = diffusion.denoiser(noised(x0[some], level, eps[some]), level, cond.map(lambda c, some=some: c[some])).x0
        parts.append((guess - x0[some]).square().flatten(1).mean(1))
    of_x0 = torch.cat(parts)
    of_eps = of_x0 * level.exp()
    weighted = of_eps * diffusion.config.weighting.weight_of_sample(level, diffusion.config.schedule)
    return LevelError(level.item(), Mean.of(of_x0), Mean.of(of_eps), Mean.of(weighted))
