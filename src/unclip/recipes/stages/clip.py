"""The CLIP that a run's settings mean: ours for small data, or the paper's."""

from typing import Protocol, runtime_checkable

from unclip.clip.model import CLIPConfig
from unclip.clip.text import TextConfig
from unclip.clip.vision import ImageTowerConfig, VisionConfig, ViTConfig
from unclip.recipes.settings.run import CLIPRecipe

HEAD, PAPER_HEAD = 32, 64
"""Channels of one attention head: ours, and those of every tower of the paper."""


@runtime_checkable
class Words(Protocol):
    """What a tower must know of a tokenizer: how many tokens there are, and in the longest caption."""

    @property
    def size(self) -> int: ...
    @property
    def context(self) -> int: ...


def clip_config(recipe: CLIPRecipe, size: int, tokenizer: Words) -> CLIPConfig:
    """Both towers and the loss, for pictures of this side. Raises ValueError where the tower does not fit them."""
    paper = recipe.vision == "vit"
    text = TextConfig(
        tokenizer.size,
        tokenizer.context,
        recipe.text_width,
        recipe.text_layers,
        heads(recipe.text_width, paper),
        "quick_gelu" if paper else "gelu",
    )
    form = recipe.form or ("softmax" if paper else "sigmoid")
    return CLIPConfig(text, image_tower(recipe, size), recipe.width, form)


def image_tower(recipe: CLIPRecipe, size: int) -> ImageTowerConfig:
    """The image tower that is asked for."""
    width, layers = recipe.vision_width, recipe.vision_layers
    if recipe.vision == "vit":
        return ViTConfig(size, patch=recipe.vision_patch, width=width, layers=layers, heads=heads(width, True))
    return VisionConfig(size, stem=recipe.vision_stem, width=width, layers=layers, heads=heads(width, False))


def heads(width: int, paper: bool) -> int:
    """Of a tower of this width; one at least."""
    return max(1, width // (PAPER_HEAD if paper else HEAD))
