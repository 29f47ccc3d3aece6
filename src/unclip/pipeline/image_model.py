"""What every finished model can do: pictures from prompts and seeds, each with what made it inside."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from PIL import Image

import unclip
from unclip.diffusion.process import Sampling
from unclip.diffusion.samplers import Step
from unclip.pipeline.images import KEY, to_pictures
from unclip.pipeline.settings import Settings


@dataclass(kw_only=True)
class ImageModel(ABC):
    """Base of the finished models. batch: pictures drawn at a time."""

    device: str = "cpu"
    precision: str = "float32"
    hash: str = "unsaved"
    batch: int = 32

    @property
    @abstractmethod
    def size(self) -> int:
        """The side of its pictures in pixels."""

    @property
    @abstractmethod
    def sampling(self) -> Sampling:
        """How it samples unless told otherwise."""

    @abstractmethod
    def asked(self, prompts: Sequence[str], n: int, seed: int) -> list[tuple[str, int]]:
        """(prompt, seed) of each picture that a request means. Raises ValueError for a request that means none."""

    @abstractmethod
    def steps(self, prompts: Sequence[str], seeds: Sequence[int], settings: Settings | None = None) -> Iterator[Step]:
        """Every denoising step for one batch, a prompt a seed; the last step's x is the picture."""

    def cut(self, prompts: Sequence[str]) -> dict[str, str]:
        """Prompts longer than the model reads -> what is left of them."""
        return {}

    def unknown(self, prompts: Sequence[str]) -> dict[str, list[str]]:
        """Prompts with words that no caption of the model's data holds -> those words."""
        return {}

    def generate(
        self, prompts: Sequence[str] = (), n: int = 1, seed: int = 0, settings: Settings | None = None
    ) -> list[Image.Image]:
        """The pictures that `asked` lists; picture i of a prompt has seed + i.

        The same prompt, seed and settings give the same picture alone, in a batch and after a restart. Each picture
        carries what made it in `info["unclip"]`. Raises ValueError for a bad prompt, n < 1 or bad settings.
        """
        if isinstance(prompts, str):
            raise ValueError(f"prompts = {prompts!r}: pass a list of prompts, [{prompts!r}]")
        if n < 1:
            raise ValueError(f"n = {n}: ask for at least 1 picture")
        settings, wanted = settings or Settings(), self.asked(prompts, n, seed)
        pictures = []
        for start in range(0, len(wanted), self.batch):
            pictures += self._batch(wanted[start : start + self.batch], settings)
        return pictures

    def _batch(self, wanted: Sequence[tuple[str, int]], settings: Settings) -> list[Image.Image]:
        prompts, seeds = [p for p, _ in wanted], [s for _, s in wanted]
        *_, last = self.steps(prompts, seeds, settings)
        pictures, how = to_pictures(last.x.cpu()), settings.apply(self.sampling)
        for picture, prompt, seed in zip(pictures, prompts, seeds, strict=True):
            picture.info[KEY] = self.about(prompt, seed, how)
        return pictures

    def about(self, prompt: str, seed: int, how: Sampling) -> dict[str, Any]:
        """What made a picture, for its file."""
        made = {"model": self.hash, "unclip": unclip.__version__}
        return {"prompt": prompt, "seed": seed, "sampling": how.to_dict(), **made}

    def autocast(self) -> torch.autocast:
        """bfloat16 inside, where the model runs so."""
        return torch.autocast(self.device, torch.bfloat16, enabled=self.precision == "bfloat16")
