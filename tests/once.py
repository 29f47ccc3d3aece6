"""Models that several files' tests learn from: trained once, whichever worker of pytest-xdist comes first."""

import functools
import os
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import safetensors.torch
from torch import nn

M = TypeVar("M", bound=nn.Module)
SHARED: list[Path] = []
"""The folder that the workers share; none where there is one process."""


def share(folder: Path) -> None:
    """What is trained from now on lies in this folder, for the other workers."""
    folder.mkdir(exist_ok=True)
    SHARED[:] = [folder]


def once(train: Callable[[M], None]) -> Callable[[Callable[[], M]], Callable[[], M]]:
    """Decorates a function that makes a model: the model after `train`, or with the weights that this gave another
    worker of the same run of the tests. Two that come at the same time both train, to the same weights."""

    def decorate(make: Callable[[], M]) -> Callable[[], M]:
        @functools.cache
        def trained() -> M:
            model = make()
            places = [folder / f"{make.__module__}.{make.__name__}.safetensors" for folder in SHARED]
            if found := [place for place in places if place.exists()]:
                model.load_state_dict(safetensors.torch.load_file(found[0]))
                return model.eval()
            train(model)
            for place in places:
                whole = place.with_suffix(f".{os.getpid()}")
                safetensors.torch.save_file(model.state_dict(), whole)
                whole.replace(place)  # at once: nobody reads a half
            return model.eval()

        return trained

    return decorate
