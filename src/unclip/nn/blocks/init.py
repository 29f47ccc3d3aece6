"""First weights."""

from collections.abc import Iterable

from torch import nn


def start_at_zero(modules: Iterable[nn.Module]) -> None:
    """Weights and biases zero: a residual branch that ends so starts as nothing, an output as 0."""
    for module in modules:
        for parameter in module.parameters():
            nn.init.zeros_(parameter)
