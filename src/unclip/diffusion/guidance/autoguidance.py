"""Autoguidance (Karras et al. 2024b, "Guiding a diffusion model with a bad version of itself").

Away from a worse version of the same model, under the same condition:

    x0 = x0_worse + scale (x0_good - x0_worse)

Both err in the same directions, the worse one more: going on from it, past the good one, takes the error back. Unlike
classifier-free guidance this does not narrow what is drawn. The worse model is smaller, or was trained for less long.
"""

from dataclasses import dataclass

from unclip.core.condition import Condition
from unclip.core.config.base import runtime
from unclip.core.config.ranges import Signed
from unclip.core.typing import LogSNR, State
from unclip.diffusion.denoiser import ConditionalDenoise
from unclip.diffusion.guidance.base import Guidance, Guide, Guided, Unguided, guided


@dataclass(frozen=True)
class Autoguidance(Guidance):
    """Autoguidance (Karras et al. 2024b): leads away from a worse version of the same model.

    Both models see the same `Condition`. A model that makes its condition by modules of its own (the decoder) needs a
    `worse` that puts its own in that place: `under(early.diffusion.denoiser, early_cond)`.

    Args:
        scale: how strong it is; 1: the good model alone.
        worse: the denoiser of the worse model. It is not a setting and is not stored: give it in code, or by `using`.
    """

    scale: Signed = 2.0
    worse: ConditionalDenoise | None = runtime()

    @property
    def sees_null(self) -> bool:
        return False

    def guide(self, denoiser: ConditionalDenoise, cond: Condition, null: Condition) -> Guide:
        """As for every `Guidance`. Raises ValueError without a worse model."""
        if self.scale == 1:
            return Unguided().guide(denoiser, cond, null)
        worse = self.worse
        if worse is None:
            raise ValueError(
                "Autoguidance: no worse model; give it one, such as an early snapshot: "
                "guidance.using(worse=snapshot.diffusion.denoiser)"
            )

        def at(x: State, log_snr: LogSNR) -> Guided:
            good, bad = denoiser(x, log_snr, cond), worse(x, log_snr, cond)
            return guided(bad.x0 + self.scale * (good.x0 - bad.x0), x, log_snr, good)

        return at


def under(denoiser: ConditionalDenoise, own: Condition) -> ConditionalDenoise:
    """The denoiser under a condition of its own, whatever it is told; `own`: a row for each state of the batch."""
    return lambda x, log_snr, cond: denoiser(x, log_snr, own)
