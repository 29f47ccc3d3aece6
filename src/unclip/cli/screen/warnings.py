"""What a person should know of a request that can be answered all the same: yellow lines."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from unclip.cli.screen.console import Screen
    from unclip.generation.base import ImageModel
    from unclip.images.read import ImageInput


def warn(console: "Screen", model: "ImageModel", prompts: Sequence[str]) -> None:
    """Prompts that are longer than the model reads, and words that it never saw."""
    for read, lost in model.truncated(prompts).values():
        say(console, f"too long for this model, cut: it reads {read!r}, not {lost!r}")
    for prompt, words in model.unknown(prompts).items():
        names = ", ".join(map(repr, words))
        say(console, f"no caption of the training data has the word{'s' * (len(words) > 1)} {names}: {prompt!r}")


def warn_size(console: "Screen", picture: "ImageInput") -> None:
    """An image with less in it than the model looks for, or whose values were guessed."""
    if picture.note:
        say(console, f"{picture.names[0]}: {picture.note}")
    if picture.enlarged:
        size = picture.images.shape[-1]
        say(console, f"{picture.names[0]}: has {picture.side} pixels along the model's {size}, enlarged to them")


def say(console: "Screen", words: str) -> None:
    """One line of a warning."""
    console.print(f"! {words}", style="yellow")
