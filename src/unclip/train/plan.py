"""How long to train and how fast to learn: by steps, or by a time budget that survives interruptions.

The rate is constant after a short warm-up until the cooldown, then falls linearly to zero. With a time budget the
constant phase lasts until its share of the time is spent; from then on the number of steps is fixed and stored, so
that a run resumed later ends where an uninterrupted one would.
"""

from dataclasses import dataclass

COOLDOWN = 0.35
"""Share of the run in which the rate falls to zero, by default."""


@dataclass
class Plan:
    """steps: asked for, or None; seconds: the budget, or None. `total` is set once the end is known.

    cooldown: share of the run in which the rate falls to zero; 0: the rate stays, as DDPM's does.
    """

    steps: int | None = None
    seconds: float | None = None
    total: int | None = None
    cooldown: float = COOLDOWN

    def __post_init__(self) -> None:
        if (self.steps is None) == (self.seconds is None):
            raise ValueError(f"steps = {self.steps}, seconds = {self.seconds}: give exactly one of them")
        if (self.steps or self.seconds or 0) <= 0:
            raise ValueError(f"steps = {self.steps}, seconds = {self.seconds}: must be above 0")
        if not 0 <= self.cooldown < 1:
            raise ValueError(f"cooldown = {self.cooldown}: a share of the run in [0, 1)")
        self.total = self.steps if self.total is None else self.total

    def settle(self, step: int, elapsed: float) -> None:
        """Fixes the end once the constant phase's share of the time is spent."""
        if self.total is None and self.seconds is not None and elapsed >= (1 - self.cooldown) * self.seconds:
            self.total = max(step + 1, round(step / (1 - self.cooldown)))

    def rate(self, step: int, warmup: int) -> float:
        """The learning rate of step number `step` (0, 1, ...) as a share of the peak."""
        rising = min(1.0, (step + 1) / max(1, warmup))
        if self.total is None:
            return rising
        return min(rising, 1.0, (self.total - step) / max(1.0, self.cooldown * self.total))

    def done(self, step: int) -> bool:
        """Whether `step` steps are all."""
        return self.total is not None and step >= self.total

    def share(self, step: int, elapsed: float) -> float:
        """How much of the run is behind, in [0, 1]."""
        if self.total is not None:
            return min(1.0, step / self.total)
        return min(1.0, elapsed / self.seconds) if self.seconds else 0.0

    def remaining(self, step: int, elapsed: float) -> float:
        """Seconds left, from the mean speed so far; 0 before the first step of a run counted in steps."""
        if self.total is None:
            return max(0.0, (self.seconds or 0.0) - elapsed)
        return (self.total - step) * elapsed / max(1, step)
