"""torch's optimisers without its compiler.

`torch.optim` imports all of `torch._dynamo` when an optimiser is made, only to keep the compiler's hands off it: 1.7 s
of processor time before the first step (docs/results.md), where nothing is compiled.
"""

import inspect
from typing import Any

import torch


class Uncompiled(torch.optim.Optimizer):
    """To be inherited before an optimiser of torch: the same, of which no part is compiled.

    Its methods are torch's own below their decorators (`functools.wraps` keeps them), which import the compiler.
    """

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """As torch's."""
        inspect.unwrap(torch.optim.Optimizer.add_param_group)(self, param_group)


class AdamW(Uncompiled, torch.optim.AdamW):
    """The optimiser AdamW of torch."""

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Takes a step."""
        torchs: Any = torch.optim.AdamW
        inspect.unwrap(torchs.step)(self, closure)
