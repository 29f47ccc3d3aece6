"""Whether a run's settings make networks, and whether these fit into this machine: asked before anything is written."""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

from torch import nn

from unclip.core.disk.sizes import FLOAT, Bounded, TooLarge, free_memory
from unclip.core.noise import initial_weights
from unclip.core.shown import printable
from unclip.recipes.settings.run import RunConfig
from unclip.recipes.stages.base import StageRecipe, TokenizerSize
from unclip.runs.modules import UNBUILT

COPIES = 5
"""Of each weight while it trains: itself, its gradient, two moments, its average."""


@dataclass(frozen=True)
class Longest:
    """A tokenizer as large as the settings allow; the real one is learned from captions."""

    size: int
    context: int


def check_networks(config: RunConfig) -> None:
    """Raises ValueError that names the stage where its settings make no network, or one too large for this machine."""
    for stage, build in networks(config):
        try:
            with initial_weights(0, "measured"), within_memory(stage, untouched=True):
                build()
        except NoRoom:
            raise
        except ValueError as error:
            raise ValueError(f"{stage}: {error}") from error
        except UNBUILT as error:
            raise ValueError(f"{stage}: no network can be built of these settings ({printable(error, 200)})") from error


def measured(config: RunConfig, stage: str, words: TokenizerSize) -> int:
    """The parameters of a stage's network, which is not filled; 0 where nothing can be said yet."""
    recipe = config.recipes[stage]
    assert isinstance(recipe, StageRecipe)
    with initial_weights(0, "measured"), Bounded(math.inf, untouched=True):
        network = recipe.largest(config, words)
    return 0 if network is None else sum(p.numel() for p in network.parameters())


class NoRoom(ValueError):
    """A network is too large for this machine."""


@contextmanager
def within_memory(stage: str, untouched: bool = False) -> Iterator[None]:
    """Raises NoRoom where what is built inside could not be trained in the memory that is left; see `Bounded`."""
    free = free_memory()
    try:
        with Bounded(free / FLOAT / COPIES, untouched):
            yield
    except TooLarge as error:
        raise NoRoom(
            f"{stage}: these settings make a network of {error}, and training takes {COPIES * FLOAT} bytes for each; "
            f"this machine has {free / 2**30:.1f} GB left: take smaller widths, fewer layers or blocks"
        ) from error


def networks(config: RunConfig) -> Iterator[tuple[str, Callable[[], nn.Module | None]]]:
    """Stage -> what builds its network; for what depends on the captions, the largest there may be."""
    words = Longest(config.vocabulary, config.longest_caption)
    for name, recipe in config.recipes.items():
        if isinstance(recipe, StageRecipe):
            yield name, partial(recipe.largest, config, words)
