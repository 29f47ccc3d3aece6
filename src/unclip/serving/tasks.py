"""What a request asks a model for, by the same functions that the command line and Python call."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from PIL import Image

from unclip.core.watching import looking
from unclip.diffusion.samplers import Step
from unclip.editing.edit import edit
from unclip.generation.base import ImageModel
from unclip.generation.classed import ClassModel
from unclip.generation.settings import Settings
from unclip.images.files import to_pictures
from unclip.latents.manipulate import blend, diff, vary

FURTHEST = 0.6
"""How far an edit without a mask goes from the image to what the prompt says."""
Preview = Callable[[int, list[Image.Image]], None]
"""Told (its number from 0, the images as they look so far)."""


@dataclass(frozen=True)
class Previews:
    """tell: is called `count` times while images are drawn, evenly over the steps."""

    tell: Preview
    count: int = 0

    def look(self, total: int) -> Callable[[int, Step], None]:
        """What looks on a walk of so many steps."""
        at = [round(total * (i + 1) / (self.count + 1)) for i in range(self.count)]

        def seen(number: int, step: Step) -> None:
            for index, place in enumerate(at):
                if place == number:
                    self.tell(index, to_pictures(step.x0.float().clamp(-1, 1).cpu()))

        return seen


@dataclass(frozen=True)
class Task:
    """A request. images, mask: what came with it; before: of a text diff, what the image shows now; previews: who wants
    to see the images while they are drawn."""

    prompt: str = ""
    n: int = 1
    seed: int = 0
    settings: Settings = field(default_factory=Settings)
    images: Sequence[Image.Image] = ()
    mask: Image.Image | None = None
    before: str = ""
    previews: Previews | None = None

    def generate(self, model: ImageModel) -> list[Image.Image]:
        """Images of the prompt; a model that knows no prompts draws what it knows."""
        prompts = [] if isinstance(model, ClassModel) and not model.classes else [self.prompt]
        if self.previews is None:
            return model.generate(prompts, self.n, self.seed, self.settings)
        with looking(self.previews.look(model.resolved(self.settings).steps)):
            return model.generate(prompts, self.n, self.seed, self.settings)

    def vary(self, model: ImageModel) -> list[Image.Image]:
        """Variations of the image: its CLIP embedding, decoded with other noise."""
        return vary(model, self.images[0], self.n, self.seed, settings=self.settings)

    def edit(self, model: ImageModel) -> list[Image.Image]:
        """The image with its hole painted; without a hole, changed by the prompt's meaning, further with each image."""
        if self.mask is not None or transparent(self.images[0]):
            mask = None if self.mask is None else hole_of(self.mask)
            return edit(model, self.images[0], mask, self.prompt, self.n, self.seed, self.settings)
        if not self.prompt.strip():
            raise ValueError("an edit needs a prompt, a mask, or an image with a transparent part")
        return diff(model, self.images[0], "", self.prompt, self.n + 1, FURTHEST, self.settings)[1:]

    def blend(self, model: ImageModel) -> list[Image.Image]:
        """n images on the way from the first to the second, both included."""
        if len(self.images) != 2:
            raise ValueError(f"a blend needs two images, in the field image[]; there are {len(self.images)}")
        return blend(model, *self.images, n=self.n, seed=self.seed, settings=self.settings)

    def diff(self, model: ImageModel) -> list[Image.Image]:
        """n images on the way from the image to what the prompt says."""
        return diff(model, self.images[0], self.before, self.prompt, self.n, FURTHEST, self.settings)


def transparent(image: Image.Image) -> bool:
    """Whether a part of it is wholly transparent."""
    return image.has_transparency_data and bool((np.asarray(image.convert("RGBA"))[..., 3] == 0).any())


def hole_of(mask: Image.Image) -> Image.Image:
    """A client's mask, as `unclip.edit` takes it: transparent is painted; one that is opaque, where it is white."""
    if not mask.has_transparency_data:
        return mask
    return Image.fromarray(np.where(np.asarray(mask.convert("RGBA"))[..., 3] < 128, 255, 0).astype(np.uint8))


def warnings(model: ImageModel, prompt: str) -> list[str]:
    """What a person should know of a prompt that is answered all the same."""
    long = [
        f"too long for this model: it reads {read!r}, not {lost!r}" for read, lost in model.truncated([prompt]).values()
    ]
    return long + [
        f"no caption of the training data has the word{'s' * (len(words) > 1)} {', '.join(map(repr, words))}"
        for words in model.unknown([prompt]).values()
    ]


def tokens_of(model: ImageModel, prompt: str) -> int:
    """How many tokens the model reads of a prompt; 0 where it reads none."""
    tokenizer = getattr(model, "tokenizer", None)
    return 0 if tokenizer is None else min(tokenizer.lengths([prompt])[0], tokenizer.context)
