"""All tensors of a training, whole, by name: weights, their average, the optimiser's moments.

They are the same whoever keeps which part of them, so a training goes on with another number of processes.
"""

from collections.abc import Iterator, Mapping

import torch
from torch import Tensor, nn

from unclip.training.ema import EMA
from unclip.training.sharded.parted import Parts, is_parted, own_part, part_like, whole_like

WORDS = {"model": "weights", "ema": "averaged weights", "optim": "optimiser's moments"}
"""What stands before the first dot of a name."""


def whole_tensors(
    module: nn.Module, ema: EMA, optimizers: list[torch.optim.Optimizer], parts: Parts
) -> Iterator[tuple[str, Tensor]]:
    """(name, tensor), one after the other. Where processes share them out all take part, each to the end."""
    state = module.state_dict(keep_vars=True)
    for name, value in state.items():
        yield f"model.{name}", whole_like(value, own_part(value))
    for name, value in ema.average.items():
        yield f"ema.{name}", whole_like(state[name], value)
    for n, optimizer in enumerate(optimizers):
        parameters = [p for group in optimizer.param_groups for p in group["params"]]
        for i, moments in optimizer.state_dict()["state"].items():
            for name, value in moments.items():
                yield f"optim.{n}.{i}.{name}", parts.gathered(parameters[i], value)


def enter(
    tensors: Mapping[str, Tensor], module: nn.Module, ema: EMA, optimizers: list[torch.optim.Optimizer], parts: Parts
) -> None:
    """Puts them where they came from, of each this process's part."""

    def below(name: str) -> dict[str, Tensor]:
        return {k[len(name) :]: v for k, v in tensors.items() if k.startswith(name)}

    state = module.state_dict()
    weights = below("model.")
    shared = {name: value for name, value in state.items() if is_parted(value)}
    for name, value in shared.items():
        own_part(value).copy_(part_like(value, weights[name]))
    module.load_state_dict({k: v for k, v in weights.items() if k not in shared} | shared)
    ema.load({k: part_like(state[k], v) for k, v in below("ema.").items() if k in state})
    for n, optimizer in enumerate(optimizers):
        parameters = [p for group in optimizer.param_groups for p in group["params"]]
        moments: dict[int, dict[str, Tensor]] = {}
        for key, value in below(f"optim.{n}.").items():
            index, name = key.split(".", 1)
            moments.setdefault(int(index), {})[name] = parts.own(parameters[int(index)], value)
        optimizer.load_state_dict({**optimizer.state_dict(), "state": moments})
