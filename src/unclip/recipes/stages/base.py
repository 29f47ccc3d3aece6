"""What a stage of a run is to the loop that trains it: the same for every stage of every model."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeVar, runtime_checkable

from PIL import Image
from torch import nn

from unclip.core.config.base import Config
from unclip.core.noise import initial_weights
from unclip.core.task import Batch
from unclip.core.typing import Images
from unclip.nn.lora import adapt
from unclip.recipes.context import Context
from unclip.recipes.events import Gate
from unclip.recipes.settings.recipe import Recipe
from unclip.recipes.settings.run import RunConfig

M = TypeVar("M", bound=nn.Module)


@runtime_checkable
class TokenizerSize(Protocol):
    """What a network must know of a tokenizer: how many tokens there are, and in the longest caption."""

    @property
    def size(self) -> int: ...
    @property
    def context(self) -> int: ...


class StageRecipe(Recipe, ABC):
    """A whole stage: its settings, and how it is built. Adding a stage is adding a file with one such class.

    module: the class of what it keeps as its model, with a `config`.
    """

    @abstractmethod
    def build(self, ctx: Context, name: str) -> "Stage[Any]":
        """The stage with its first weights. name: which one, where there are several.

        Raises ValueError where the run lacks what it follows, or its data do not do.
        """

    def largest(self, config: RunConfig, words: TokenizerSize) -> nn.Module | None:
        """The largest network that the settings may mean: one that is too large is told before anything is written.

        words: the largest tokenizer that there may be. None: nothing can be said yet.
        """
        return None


@dataclass(frozen=True)
class Preview:
    """A preview of a stage whose images are new ones, as the data's. picture: to look at.

    drawn: images for no caption or class that was trained on, in which copies of training images are looked for.
    """

    picture: Image.Image
    drawn: Images


@dataclass
class Stage(Generic[M]):
    """A stage ready to train. module: a `Task`; its part that is kept has a `config`.

    gate: judges the module with its averaged weights. preview: draws with it, where there is something to see early.
    kept: the part of the module that is the model, with a config; the rest is of use to training only.
    """

    module: M
    feed: Callable[[int], Batch]
    gate: Callable[[M], Gate]
    preview: Callable[[M], Image.Image | Preview] | None = None
    kept: Callable[[M], nn.Module] = field(default=lambda module: module)

    @property
    def config(self) -> Config:
        """The model's own settings, which are stored beside its weights."""
        config = self.kept(self.module).config
        assert isinstance(config, Config)
        return config


def recipe(ctx: Context, name: str) -> StageRecipe:
    """The settings of a stage of this run."""
    found = ctx.config.recipes[name]
    assert isinstance(found, StageRecipe), f"{name}: {type(found).__name__} cannot be built"
    return found


def build(ctx: Context, name: str) -> Stage[Any]:
    """Builds a stage with its first weights, a function of the run's seed alone; with --lora small ones beside them."""
    settings, rank = recipe(ctx, name), ctx.config.lora
    with initial_weights(ctx.config.seed, name):
        stage = settings.build(ctx, name)
        if rank and settings.takes_lora and name in ctx.config.stages:
            adapt(stage.kept(stage.module), rank)
    return stage
