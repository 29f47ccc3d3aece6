"""What the models of images alone share: their prompts are names of classes, or nothing."""

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from unclip.generation.base import ImageModel
from unclip.models.classes import NO_CLASS, Labels

MOST = 20
"""Names of classes in a message."""


@dataclass
class ClassModel(ImageModel):
    """A model of images alone, or of named classes; "" is an image of no class."""

    @property
    @abstractmethod
    def shape(self) -> tuple[int, int, int]:
        """Channels, height and width of an image."""

    @property
    @abstractmethod
    def classes(self) -> tuple[str, ...]:
        """The names of its classes; none where it was trained on images alone."""

    def expand_request(self, prompts: Sequence[str], n: int, seed: int) -> list[tuple[str, int]]:
        """Lists (prompt, seed) for n images of each named class; without a name, n images of all classes in turn."""
        self.labels(prompts)
        if prompts:
            return [(p, seed + i) for p in prompts for i in range(n)]
        every = self.classes or ("",)
        return [(every[i % len(every)], seed + i // len(every)) for i in range(n)]

    def labels(self, prompts: Sequence[str]) -> Labels:
        """The numbers of these classes, [b]. Raises ValueError that lists the names, for one that is not among them."""
        numbers = {"": NO_CLASS, **{name: i for i, name in enumerate(self.classes)}}
        for prompt in prompts:
            if prompt not in numbers:
                why = (
                    f"known are {listed(self.classes)}"
                    if self.classes
                    else "this model knows none; leave the prompt out"
                )
                raise ValueError(f"class {prompt!r}: {why}")
        return torch.tensor([numbers[p] for p in prompts], dtype=torch.long, device=self.device)


def listed(classes: Sequence[str]) -> str:
    """The names of classes in a message, the first twenty of them."""
    return ", ".join(classes[:MOST]) + (", ..." if len(classes) > MOST else "")
