"""The training loop, resumable bit for bit: `Trainer` trains any `Task` (unclip.core.task) by a `Plan`."""

from typing import TYPE_CHECKING

from unclip.core.lazy import lazy

if TYPE_CHECKING:
    from unclip.training.ema import EMA as EMA
    from unclip.training.muon import Muon as Muon
    from unclip.training.optim import OptimConfig as OptimConfig
    from unclip.training.plan import Plan as Plan
    from unclip.training.trainer import Diverged as Diverged
    from unclip.training.trainer import Report as Report
    from unclip.training.trainer import TrainConfig as TrainConfig
    from unclip.training.trainer import Trainer as Trainer

_HOMES = {
    "Trainer": "trainer",
    "TrainConfig": "trainer",
    "Report": "trainer",
    "Diverged": "trainer",
    "Plan": "plan",
    "OptimConfig": "optim",
    "EMA": "ema",
    "Muon": "muon",
}
"""Public name -> the module below that it is imported from when it is first used."""
__all__ = [*_HOMES]  # pyright: ignore[reportUnsupportedDunderAll]
__getattr__ = lazy(__name__, _HOMES)
