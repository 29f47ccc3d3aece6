"""What every peer is to the benchmark, and what the peers share."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor, nn

from unclip.data.prepare.splits import Splits
from unclip.data.prepare.write import Prepared
from unclip.recipes.feed import PictureFeed

SETTINGS = ("default", "small", "best", "tiny")
"""default: the peer's own; small: about the parameters of ours, batches of 32; best: small with the flags and the
sampler that serve it best on a CPU; tiny: for a test of the chain within seconds, never for figures."""
Weights = dict[str, Tensor]
Numbers = Mapping[str, float | int | None]


@dataclass(frozen=True)
class Job:
    """What all peers train on: the training split of one prepared data set, for so many seconds in all."""

    prepared: Prepared
    splits: Splits
    seconds: float
    seed: int = 0

    @property
    def size(self) -> int:
        return self.prepared.size

    def feed(self, batch: int) -> PictureFeed:
        """The same images in the same order for all; nothing is mirrored, for emoji have a left and a right."""
        return PictureFeed(self.prepared, self.splits.train, batch, self.seed)


class Peer(Protocol):
    """A recipe of training: a step at a time; its state; its averaged weights; and images drawn by these.

    batch: images of a step; sampling: the steps of the sampler by which it is compared; sampler: its name.
    """

    batch: int
    sampling: int
    sampler: str
    module: nn.Module

    @property
    def step(self) -> int:
        """Training steps done."""
        ...

    def advance(self, share: float) -> bool:
        """Trains one step; `share` of its time is over. False where its own plan is done."""
        ...

    def state(self) -> tuple[Weights, Numbers]:
        """All that `load` needs to go on as if nothing had happened."""
        ...

    def load(self, tensors: Weights, numbers: Numbers) -> None: ...

    def averaged(self) -> Weights:
        """The averaged weights, by which images are drawn."""
        ...

    def use(self, averaged: Weights) -> None:
        """Draws by these from now on; to train on, `load` a state."""
        ...

    def draw(self, n: int, seed: int, steps: int) -> np.ndarray:
        """n images of `steps` steps of its sampler, uint8 [n, h, w, 3]."""
        ...


def part(tensors: Weights, name: str) -> Weights:
    """The tensors below one name, without it."""
    return {key[len(name) + 1 :]: value for key, value in tensors.items() if key.startswith(name + ".")}


def below(name: str, tensors: Weights) -> Weights:
    """The tensors, each below this name."""
    return {f"{name}.{key}": value for key, value in tensors.items()}


def moments(optimizer: torch.optim.Optimizer) -> Weights:
    """An optimiser's state, "NUMBER.NAME" -> tensor."""
    found = optimizer.state_dict()["state"]
    return {f"{number}.{name}": value for number, state in found.items() for name, value in state.items()}


def set_moments(optimizer: torch.optim.Optimizer, tensors: Weights) -> None:
    """Puts back what `moments` returned."""
    states: dict[int, Weights] = {}
    for key, value in tensors.items():
        number, name = key.split(".", 1)
        states.setdefault(int(number), {})[name] = value
    optimizer.load_state_dict({**optimizer.state_dict(), "state": states})


def cosine(share: float) -> float:
    """The learning rate after this share of the training, as a fraction of its peak."""
    return 0.5 * (1 + math.cos(math.pi * min(1.0, share)))
