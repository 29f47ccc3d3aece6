"""How long to train and how fast to learn: by steps, or by a time budget that survives interruptions.

The rate is constant after a short warm-up until the cooldown, then falls linearly to zero. With a time budget the
constant phase lasts until its share of the time is spent, of what samples leave of it; from then on the number of steps
is fixed and stored, so that a run resumed later ends where an uninterrupted one would. A training that is over can go
on by another plan, whose steps and seconds count from where the one before ended.
"""

from collections.abc import Mapping
from dataclasses import dataclass

COOLDOWN = 0.35
"""Share of the run in which the rate falls to zero, by default."""


@dataclass
class Plan:
    """How long a training goes on, by steps or by time, and its learning rate.

    The rate is constant after a short warm-up until the cooldown, then falls linearly to zero. With a time budget, the
    number of steps is fixed when the cooldown begins.

    Args:
        steps: the number of steps; or None.
        seconds: the time budget; or None. Exactly one of the two is given.
        total: the step at which it ends, once that is known.
        cooldown: the fraction of the run in which the rate falls to zero; 0: it stays, as DDPM's does.
        first: the steps that were done before this plan began.
        before: the seconds that were spent before this plan began.
        reserve: seconds of the budget that are kept for samples to come and for what comes after the last step.
        outside: seconds since the plan began that were spent on samples.

    Raises:
        ValueError: for steps and seconds both or neither, and for numbers out of their range.
    """

    steps: int | None = None
    seconds: float | None = None
    total: int | None = None
    cooldown: float = COOLDOWN
    first: int = 0
    before: float = 0.0
    reserve: float = 0.0
    outside: float = 0.0

    def __post_init__(self) -> None:
        if (self.steps is None) == (self.seconds is None):
            raise ValueError(f"steps = {self.steps}, seconds = {self.seconds}: give exactly one of them")
        if (self.steps or self.seconds or 0) <= 0:
            raise ValueError(f"steps = {self.steps}, seconds = {self.seconds}: must be above 0")
        if not 0 <= self.cooldown < 1:
            raise ValueError(f"cooldown = {self.cooldown}: a share of the run in [0, 1)")
        if self.total is None and self.steps is not None:
            self.total = self.first + self.steps

    def settle(self, step: int, elapsed: float) -> None:
        """Fixes the number of steps once the constant phase has had its part of the time for steps."""
        if self.total is None and self._stepped(elapsed) >= (1 - self.cooldown) * self._training():
            self.cool(step)

    def cool(self, step: int) -> bool:
        """Begins the cooldown after `step` steps, so that the run ends early; False where it has begun already."""
        total = max(step + 1, self.first + round((step - self.first) / (1 - self.cooldown)))
        if self.total is not None and self.total <= total:
            return False
        self.total = total
        return True

    def _training(self) -> float:
        """Seconds for the steps; samples and what comes after take three quarters of the budget at the most."""
        seconds = self.seconds or 0.0
        return max(seconds / 4, seconds - self.outside - self.reserve)

    def _stepped(self, elapsed: float) -> float:
        """Seconds that its steps have taken, with their checkpoints."""
        return elapsed - self.before - self.outside

    def rate(self, step: int, warmup: int) -> float:
        """The learning rate of step number `step` (0, 1, ...), as a fraction of its peak."""
        rising = min(1.0, (step - self.first + 1) / max(1, warmup))
        if self.total is None:
            return rising
        return min(rising, 1.0, (self.total - step) / max(1.0, self.cooldown * (self.total - self.first)))

    def done(self, step: int) -> bool:
        """Whether a training of `step` steps is finished."""
        return self.total is not None and step >= self.total

    def share(self, step: int, elapsed: float) -> float:
        """How much of the plan is done, in [0, 1]."""
        if self.total is not None:
            return min(1.0, (step - self.first) / max(1, self.total - self.first))
        return min(1.0, self._stepped(elapsed) / self._training())

    def remaining(self, step: int, elapsed: float) -> float:
        """Seconds of training left, at the mean speed so far; 0 before the first step of a run counted in steps."""
        if self.total is None:
            return max(0.0, self._training() - self._stepped(elapsed))
        return (self.total - step) * self._stepped(elapsed) / max(1, step - self.first)

    def state(self) -> dict[str, float | int | None]:
        """What was decided on the way, and where it began; a resumed run needs it to keep to the plan."""
        return {name: getattr(self, name) for name in ("total", "first", "before", "reserve", "outside")}

    def load(self, state: Mapping[str, float | int | None]) -> None:
        """Continues from what `state` returned."""
        total = state["total"]
        self.total = None if total is None else int(total)
        self.first, self.before = int(state["first"] or 0), float(state["before"] or 0.0)
        self.reserve = float(state["reserve"] or 0.0)
        self.outside = float(state.get("outside") or 0.0)  # checkpoints before 2026-12 do not say
