"""Settings that share captions and seeds: each figure less that of one of them, with the error of the difference.

What the settings share, how hard a caption is and what a seed brings, cancels, so these errors are smaller than those
of the figures themselves suggest, and they are the ones that tell two settings apart.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from unclip.core.noise import Noise
from unclip.core.typing import Float, PerSample, Tensor
from unclip.core.wide import wide
from unclip.evaluation.sets.estimate import Estimate
from unclip.evaluation.sets.paired import kid_difference, paired_difference

CLEAR = 3.0
"""|z| above which a difference counts as shown. Of a few settings the best was chosen by the same figures, which makes
its lead look larger than it is: 2 would be too little."""


@dataclass(frozen=True)
class Values:
    """A figure that is a mean over images (or prompts, or scenes).

    Args:
        values: one an image.
        units: one an image, as its caption; images of one unit are kept together.
        better: which way is better.
    """

    values: PerSample
    units: Sequence[str]
    better: Literal["larger", "smaller"] = "larger"

    @property
    def value(self) -> float:
        """The figure itself."""
        return wide(self.values).mean().item()

    def less(self, base: "Measured", noise: Noise) -> Estimate:
        """This figure less that of another setting."""
        assert isinstance(base, Values)
        return paired_difference(self.values, base.values, self.units, noise)


@dataclass(frozen=True)
class KernelDistance:
    """KID of generated images to real ones. value: as `kid` gives it; made, real: features; units: as in `Values`."""

    value: float
    made: Float[Tensor, "n d"]
    real: Float[Tensor, "m d"]
    units: Sequence[str]
    better: Literal["larger", "smaller"] = "smaller"

    def less(self, base: "Measured", noise: Noise) -> Estimate:
        """This distance less that of another setting; nothing is drawn."""
        assert isinstance(base, KernelDistance)
        return kid_difference(self.made, base.made, self.real, self.units)


Measured = Values | KernelDistance
"""What a figure of a setting was taken from."""


@dataclass(frozen=True)
class Setting:
    """Figures of one setting as they are written, and what those that can be set beside another's were taken from."""

    metrics: dict[str, Any]
    measured: dict[str, Measured]


def beside(found: Mapping[str, Mapping[str, Measured]], seed: int, base: str | None = None) -> dict[str, Any]:
    """Figure -> {"base": a setting, "best": whether it was chosen as the best, "less": setting -> its figure less the
    base's: mean, error, low, high, z, clear}.

    Args:
        found: setting -> figure -> what it was taken from, row i of all of the same caption and seed.
        seed: of the intervals' bootstrap.
        base: the setting to compare with; None: of each figure the best one.

    A figure that is no number, or that is of one unit alone, has no error and is left out.
    """
    compared = dict[str, Any]()
    for name in dict.fromkeys(name for figures in found.values() for name in figures):
        known = {setting: figures[name] for setting, figures in found.items() if name in figures}
        known = {s: m for s, m in known.items() if math.isfinite(m.value) and len(set(m.units)) > 1}
        own = base or _best(known)
        if own is None or own not in known or len(known) < 2:
            continue
        less = {s: m.less(known[own], Noise.shared(seed, "beside", name, s)) for s, m in known.items() if s != own}
        compared[name] = {"base": own, "best": base is None, "less": {s: stated(d) for s, d in less.items()}}
    return compared


def stated(difference: Estimate) -> dict[str, Any]:
    """A difference as it is written: mean, error, low, high, z, and whether it is clear (|z| > 3)."""
    return {**difference.figure(), "z": difference.z, "clear": abs(difference.z) > CLEAR}


def _best(known: Mapping[str, Measured]) -> str | None:
    signed = {s: m.value if m.better == "larger" else -m.value for s, m in known.items()}
    return max(signed, key=signed.__getitem__, default=None)
