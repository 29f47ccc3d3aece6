"""What every finished model can do: images from prompts and seeds, each with what made it inside."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, TypeVar

import torch
from PIL import Image

import unclip
from unclip.core import machine
from unclip.core.config.arguments import checked, texts
from unclip.core.machine import computing
from unclip.core.typing import Float, Tensor
from unclip.core.watching import last_of
from unclip.data.images.colours import WHITE
from unclip.data.images.square import Look
from unclip.data.layouts.kinds import CROP
from unclip.diffusion.process import Sampling
from unclip.diffusion.samplers import Step
from unclip.generation.settings import RANGE, Settings
from unclip.images.files import KEY, to_pictures
from unclip.runs.folder import RunFolder
from unclip.runs.modules import UNSAVED, Stages

M = TypeVar("M", bound="ImageModel")


@dataclass(kw_only=True)
class ImageModel(ABC):
    """A finished model that generates images, as `unclip.load` returns it; the base class of all of them.

    Args:
        device: where it computes.
        precision: "float32" or "bfloat16".
        hash: of all weights, as images name it.
        batch: the largest number of images at once.
        stages: the run's further stages, read when they are needed.
    """

    MEANT: ClassVar[str] = "a model, as unclip.load(RUN) gives it"

    device: str = "cpu"
    precision: str = "float32"
    hash: str = UNSAVED
    batch: int = 32
    stages: Stages = field(default_factory=Stages)

    @classmethod
    def of(cls: type[M], stages: Stages, **parts: Any) -> M:
        """The model of a run folder, its `parts` read from `stages` already."""
        precision = machine.best_precision(stages.device)
        return cls(**parts, stages=stages, device=stages.device, precision=precision, hash=stages.model_hash)

    @property
    def folder(self) -> RunFolder | None:
        """The folder of the run that it was loaded from; None: it was not loaded."""
        return self.stages.folder

    @property
    def background(self) -> str:
        """The colour that is laid behind transparent images, as in the run's training."""
        return self.look["background"]

    @property
    def look(self) -> Look:
        """How it sees an image, as in the run's training: what is transparent, and what is not square."""
        return self.folder.look if self.folder else {"background": WHITE, "fit": CROP}

    @property
    @abstractmethod
    def size(self) -> int:
        """The side of its images, px."""

    @property
    @abstractmethod
    def sampling(self) -> Sampling:
        """How it samples by default."""

    @property
    def limit(self) -> float | None:
        """What it denoises lives in [-limit, limit] when clean; None: it has no range."""
        return RANGE

    def drawing(self, settings: Settings) -> Sampling:
        """How it draws new images where these settings say nothing else: as `sampling` says, or in fewer steps."""
        return self.sampling

    @abstractmethod
    def stages_used(self, how: Sampling) -> list[str]:
        """The stages that take part in an image, those that guide among them."""

    @abstractmethod
    def expand_request(self, prompts: Sequence[str], n: int, seed: int) -> list[tuple[str, int]]:
        """Lists (prompt, seed) of each image that a request means. Raises ValueError for a request that means none."""

    @abstractmethod
    def steps(self, prompts: Sequence[str], seeds: Sequence[int], settings: Settings | None = None) -> Iterator[Step]:
        """Yields every step for a batch of prompts and seeds; x of the last is the images, [b, c, h, w]."""

    def resolved(self, settings: Settings | None) -> Sampling:
        """The sampling that these settings mean for this model. Raises ValueError where they cannot work."""
        settings = settings or Settings()
        return settings.apply(self.drawing(settings), self.limit)

    def truncated(self, prompts: Sequence[str]) -> dict[str, tuple[str, str]]:
        """Maps each prompt that is longer than the model reads to (what it reads of it, what it does not)."""
        return {}

    def unknown(self, prompts: Sequence[str]) -> dict[str, list[str]]:
        """Maps each prompt with words that no caption of the model's data holds to those words."""
        return {}

    @checked
    def generate(
        self, prompts: Iterable[str] = (), n: int = 1, seed: int = 0, settings: Settings | None = None
    ) -> list[Image.Image]:
        """Generates n images of each prompt; the same prompt, seed and settings always give the same image.

        Each image carries what made it in `info["unclip"]`.

        Args:
            prompts: texts, or names of classes for a DDPM with classes; none for one without.
            n: images of each prompt.
            seed: of the first image of a prompt; image i has seed + i.
            settings: steps, sampler, guidance, size; None: as the model was stored.

        Raises:
            ValueError: for a bad prompt, n < 1, and settings that cannot work.
        """
        return list(self.draw(prompts, n, seed, settings))

    @checked
    def draw(
        self, prompts: Iterable[str] = (), n: int = 1, seed: int = 0, settings: Settings | None = None
    ) -> Iterator[Image.Image]:
        """Yields the images of `generate`, each when its batch is finished. Raises as `generate` does, at once."""
        if n < 1:
            raise ValueError(f"n = {n}: ask for at least 1 image")
        wanted, how = self.expand_request(texts("prompts", prompts), n, seed), settings or Settings()
        self.resolved(how)
        batches = (wanted[start : start + self.batch] for start in range(0, len(wanted), self.batch))
        return (picture for batch in batches for picture in self._batch(batch, how))

    def sample_images(
        self, prompts: Sequence[str], seeds: Sequence[int], settings: Settings
    ) -> Float[Tensor, "b c h w"]:
        """Generates a batch, [b, c, h, w] in [-1, 1], on the CPU. Raises ValueError for a size it does not have."""
        if settings.size not in (None, self.size):
            raise ValueError(f"size = {settings.size} px: this model draws {self.size}")
        last = last_of(self.steps(prompts, seeds, settings))
        return last.x.cpu()

    def _batch(self, wanted: Sequence[tuple[str, int]], settings: Settings) -> list[Image.Image]:
        prompts, seeds = [p for p, _ in wanted], [s for _, s in wanted]
        pictures, how = to_pictures(self.sample_images(prompts, seeds, settings)), self.resolved(settings)
        for picture, prompt, seed in zip(pictures, prompts, seeds, strict=True):
            picture.info[KEY] = self.enlarged(self.about(prompt, seed, how), settings)
        return pictures

    def enlarged(self, about: dict[str, Any], settings: Settings) -> dict[str, Any]:
        """Adds the stages after `steps` to what an image says of how it was made."""
        return about

    def about(self, prompt: str, seed: int, how: Sampling, by: Sequence[str] | None = None) -> dict[str, Any]:
        """What an image says of how it was made.

        Args:
            prompt: its prompt.
            seed: its seed.
            how: the sampling.
            by: the stages that took part; None: those of `generate`.
        """
        made = {"model": self.hash, "stages": self.stages.hashes(self.stages_used(how) if by is None else by)}
        made |= {"graphs": [*self.stages.graphs]} if self.stages.graphs else {}
        made |= {"lora": lora.scale} if (lora := self.stages.lora) else {}
        return {"prompt": prompt, "seed": seed, "sampling": how.to_dict(), **made, "unclip": unclip.__version__}

    def autocast(self) -> torch.autocast:
        """A context in which the model computes in its precision."""
        return computing(self.device, self.precision)
