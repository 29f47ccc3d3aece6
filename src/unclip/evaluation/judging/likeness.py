"""How far a model has come from noise to its data, as trained judges see it that no run has trained: for gates."""

from dataclasses import dataclass
from math import nan

from unclip.core.noise import Noise
from unclip.core.typing import Float, Images, Tensor
from unclip.evaluation.judging.compared import Compared
from unclip.evaluation.judging.panel import between
from unclip.judges.judge import Judge, within
from unclip.judges.shipped import TRAINED, load_all

SIDES = (16, 64)
"""Images are shrunk or enlarged to sides within these, px: where the judges are surest, and of a bounded cost."""
NOISE, COLOURS, OUTLINES = 0.3, 0.55, 0.78
"""Below these ways a person saw noise or smears, colours at most, and colours and outlines: docs/gates.md."""
ERRORS = 3
"""So many standard errors tell noise from the data, or a judge has no say."""


@dataclass(frozen=True)
class Likeness:
    """The way of each judge that can tell the data from noise: 0 noise, 1 like other images of the data."""

    ways: dict[str, float]

    @property
    def way(self) -> float:
        """The strictest judge's; nan where none can tell, as of data that are noise themselves."""
        return min(self.ways.values(), default=nan)

    @property
    def metrics(self) -> dict[str, float]:
        """As a gate keeps them."""
        return {f"way_{name.replace('-', '_')}": share for name, share in self.ways.items()}

    @property
    def noise(self) -> bool:
        """Whether a person would call the images noise, or smears."""
        return self.way < NOISE

    @property
    def expected(self) -> str:
        """What a person can expect to see."""
        if not self.ways:
            return "the data cannot be told from noise themselves"
        steps = ((NOISE, "noise or smears"), (COLOURS, "colours at most"), (OUTLINES, "colours and outlines"))
        return next((what for below, what in steps if self.way < below), "images of the data's kind")

    def said(self) -> str:
        """A part of a sentence."""
        return f"{self.way:.0%} of the way from noise to the data ({self.expected})" if self.ways else self.expected


def likeness(made: Images, real: Float[Tensor, "m c h w"], train: Float[Tensor, "k c h w"], seed: int = 0) -> Likeness:
    """By the shipped judges. made, real, train: generated, held-out and training images in [-1, 1], at least 2 each."""
    made, real, train = (within(x, *SIDES) for x in (made, real, train))
    compared = Compared(made, real, train, load_all(TRAINED))
    found = {judge.name: _way(judge, compared, seed) for judge in compared.able}
    return Likeness({name: share for name, share in found.items() if share is not None})


def _way(judge: Judge, compared: Compared, seed: int) -> float | None:
    noise = Noise.shared(seed, "judge", judge.name)
    ends = between(judge, compared.spaces[judge.name], compared.real, noise)
    assert ends.floor is not None
    if ends.noise.value - max(ends.floor.value, 0) < ERRORS * (ends.noise.error + ends.floor.error):
        return None
    return ends.way
