"""The training loop, resumable bit for bit: `Trainer` trains any `Task` by a `Plan`.

from unclip.training import Batch, Losses, OptimConfig, Plan, TrainConfig, Trainer
"""

from typing import TYPE_CHECKING

from unclip.core.imports.lazy import lazy

if TYPE_CHECKING:
    from unclip.core.task import Batch as Batch
    from unclip.core.task import Losses as Losses
    from unclip.core.task import Task as Task
    from unclip.training.checkpoint import load_checkpoint as load_checkpoint
    from unclip.training.checkpoint import save_checkpoint as save_checkpoint
    from unclip.training.ema import EMA as EMA
    from unclip.training.muon import Muon as Muon
    from unclip.training.optim import OptimConfig as OptimConfig
    from unclip.training.optim import optimizers as optimizers
    from unclip.training.plan import Plan as Plan
    from unclip.training.report import Report as Report
    from unclip.training.trainer import Diverged as Diverged
    from unclip.training.trainer import TrainConfig as TrainConfig
    from unclip.training.trainer import Trainer as Trainer
else:
    __all__, __getattr__, __dir__ = lazy(
        __name__,
        {
            "unclip.training.trainer": "Trainer TrainConfig Diverged",
            "unclip.training.report": "Report",
            "unclip.training.plan": "Plan",
            "unclip.core.task": "Task Batch Losses",
            "unclip.training.optim": "OptimConfig optimizers",
            "unclip.training.muon": "Muon",
            "unclip.training.ema": "EMA",
            "unclip.training.checkpoint": "save_checkpoint load_checkpoint",
        },
    )
