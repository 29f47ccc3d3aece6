"""AdamW, with Muon for the hidden matrices where asked; gradient clipping.

Weight decay on all that has two or more dimensions: "all weights that are not gains or biases" (CLIP, section 2.5).
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated

import torch
from torch import Tensor, nn

from unclip.core.config.base import Config
from unclip.core.config.ranges import Range
from unclip.core.imports.compiler import AdamW
from unclip.core.typing import Float
from unclip.training.muon import Muon
from unclip.training.sharded.parted import Parts, Undivided


@dataclass(frozen=True)
class OptimConfig(Config):
    """Settings of the optimiser: AdamW, and Muon for the hidden matrices where it has a rate.

    Args:
        lr: the peak learning rate of AdamW.
        muon_lr: the peak learning rate of Muon on the hidden matrices; 0: AdamW trains those, too.
        warmup: steps in which the rate rises linearly.
        decay: weight decay of both.
        beta1: AdamW's decay of the mean gradient.
        beta2: AdamW's decay of the mean squared gradient.
        clip: the largest norm of the gradient.
        muon_momentum: Muon's decay of the mean gradient; 0: it follows each gradient alone.
    """

    lr: Annotated[float, Range(0, 1e3, above=True)] = 2e-3
    muon_lr: Annotated[float, Range(0, 1e3)] = 0.0
    warmup: Annotated[int, Range(0, 10**9)] = 50
    decay: Annotated[float, Range(0, 1e3)] = 0.01
    beta1: Annotated[float, Range(0, 1, below=True)] = 0.9
    beta2: Annotated[float, Range(0, 1, below=True)] = 0.99
    clip: Annotated[float, Range(0, math.inf, above=True)] = 1.0
    muon_momentum: Annotated[float, Range(0, 1, below=True)] = 0.95


def optimizers(model: nn.Module, config: OptimConfig, parts: Parts | None = None) -> list[torch.optim.Optimizer]:
    """Makes the optimisers of a model: fused AdamW and, where it has a rate, Muon.

    `peak` of each parameter group is its peak rate. parts: where processes share the weights out.
    """
    parts = parts or Undivided()
    hidden = hidden_matrices(model) if config.muon_lr else []
    taken = {id(p) for p in hidden}
    rest = [p for p in model.parameters() if p.requires_grad and id(p) not in taken]
    groups = [
        {"params": [parts.master(p) for p in rest if p.dim() >= 2], "weight_decay": config.decay, "peak": config.lr},
        {"params": [parts.master(p) for p in rest if p.dim() < 2], "weight_decay": 0.0, "peak": config.lr},
    ]
    betas = (config.beta1, config.beta2)
    chosen: list[torch.optim.Optimizer] = [AdamW(groups, lr=config.lr, betas=betas, fused=True)]
    if hidden:
        masters = map(parts.master, hidden)
        chosen.append(Muon(masters, config.muon_lr, config.decay, config.muon_momentum, parts))
        chosen[-1].param_groups[0]["peak"] = config.muon_lr
    return chosen


def hidden_matrices(model: nn.Module) -> list[nn.Parameter]:
    """Trained weights of two or more dimensions in the repeated layers (those in a ModuleList).

    What stands alone is a first or last layer or a table of embeddings, where orthogonal steps do harm.
    """
    found: dict[int, nn.Parameter] = {}
    for module in model.modules():
        if isinstance(module, nn.ModuleList):
            found |= {id(p): p for p in module.parameters() if p.requires_grad and p.dim() >= 2}
    return list(found.values())


def clip_gradients(parameters: Iterable[nn.Parameter], maximum: float) -> Float[Tensor, ""]:
    """Scales the gradients to norm `maximum` at the largest; returns the norm before, which may not be finite."""
    return nn.utils.clip_grad_norm_(list(parameters), maximum)
