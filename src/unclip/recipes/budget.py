"""How a run's time is shared among its stages; a stage's share holds its samples and its gate, too."""

from collections.abc import Iterable
from dataclasses import dataclass

from unclip.recipes.more import End, More, further
from unclip.recipes.settings.recipe import Recipe
from unclip.recipes.settings.run import RunConfig
from unclip.runs.folder import RunFolder
from unclip.training.plan import Plan

PREVIEWS = (0.06, 0.2, 0.5, 1.0)
"""Shares of a stage's run at which previews are drawn."""
LOOKS = tuple(i / 10 for i in range(1, 10))
"""Further ones where the run is to stop for copies: each costs as much as a preview."""
BETWEEN = 0.04
"""The share of a stage's time that the previews between the first and the last may take, if they are to be drawn."""


@dataclass(frozen=True)
class StageTime:
    """What one stage of a run may take. more: the further training that it is part of, if it is."""

    run: RunFolder
    config: RunConfig
    name: str
    more: More | None

    @classmethod
    def of(cls, run: RunFolder, config: RunConfig, name: str) -> "StageTime":
        """Of a stage as the run stands now; one that was added has a time of its own."""
        return cls(run, config, name, further(run) if name in config.stages else None)

    @property
    def end(self) -> End | None:
        """What the stage had behind it when the further training began."""
        return self.more.ends.get(self.name) if self.more else None

    @property
    def from_nothing(self) -> float:
        """Seconds for the stage where nothing of it is left: of all that the run was given."""
        whole = self.config.budget + (self.more.added if self.more else 0.0)
        return self._seconds(whole) if self.more is None else whole * self._share(self.name)

    @property
    def further(self) -> float:
        """Seconds for it in the further training."""
        assert self.more is not None
        return self._seconds(self.more.last)

    @property
    def later(self) -> float:
        """Seconds for the stages after it."""
        names = self._names
        shares = sum(self._share(name) for name in names[names.index(self.name) + 1 :])
        return shares * (self.more.last if self.more else self.config.budget)

    def behind(self, share: float) -> float:
        """How much of the whole is behind, in [0, 1], where `share` of this stage is."""
        names = self._names
        before = sum(self._share(name) for name in names[: names.index(self.name)])
        return (before + self._share(self.name) * share) / sum(map(self._share, names))

    @property
    def _names(self) -> tuple[str, ...]:
        return self.config.stages if self.name in self.config.stages else (self.name,)

    def _share(self, name: str) -> float:
        return self.config.recipes[name].share

    def _seconds(self, whole: float) -> float:
        """Its share; what earlier stages took beyond theirs is borne by all later ones, by half of a share at most."""
        timed = [name for name in self._names if self.more or not self.config.recipes[name].train.steps]
        if self.name not in timed:
            return whole * self._share(self.name)
        place = timed.index(self.name)
        over = sum(self._taken(name) - whole * self._share(name) for name in timed[:place])
        own = self._share(self.name) / sum(map(self._share, timed[place:]))
        return max(0.5 * whole * self._share(self.name), whole * self._share(self.name) - over * own)

    def _taken(self, name: str) -> float:
        record = self.run.state().get(name)
        before = self.more.ends[name].seconds if self.more and name in self.more.ends else 0.0
        return 0.0 if record is None else float(record["metrics"].get("seconds") or 0.0) - before


def previews(plan: Plan, took: float, often: bool = False) -> tuple[float, ...]:
    """Shares of a stage's run at which previews are drawn; where they are dear only the first and the last.

    took: seconds that the last one took, 0: none was drawn yet. often: at `LOOKS`, too.
    """
    if often:
        return tuple(sorted({*PREVIEWS, *LOOKS}))
    dear = plan.seconds is not None and len(PREVIEWS[1:-1]) * took > BETWEEN * plan.seconds
    return (PREVIEWS[0], PREVIEWS[-1]) if dear else PREVIEWS


def due(before: float, now: float, shares: Iterable[float]) -> int:
    """How many of these shares of a stage's run lie between two; what is due twice is drawn once."""
    return sum(before < at <= now for at in shares)


def reserved(recipe: Recipe, took: float, still: int) -> float:
    """Seconds that are kept for so many previews and the gate, by those that one took."""
    return (still + recipe.gate_previews) * took
