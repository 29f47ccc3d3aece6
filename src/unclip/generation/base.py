"""What every finished model can do: pictures from prompts and seeds, each with what made it inside."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, TypeVar

import torch
from PIL import Image

import unclip
from unclip.core import machine
from unclip.core.config.arguments import checked, texts
from unclip.core.typing import Float, Tensor
from unclip.data.images.colours import WHITE
from unclip.diffusion.process import Sampling
from unclip.diffusion.samplers import Step
from unclip.generation.settings import Settings
from unclip.images.files import KEY, to_pictures
from unclip.runs.folder import RunFolder
from unclip.runs.modules import UNSAVED, Stages

M = TypeVar("M", bound="ImageModel")


@dataclass(kw_only=True)
class ImageModel(ABC):
    """Base of the finished models. batch: pictures drawn at a time; stages: what else of its run may be asked for."""

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
        """The run folder that it was loaded from."""
        return self.stages.folder

    @property
    def background(self) -> str:
        """The colour that its run laid behind transparent pictures, and that is laid behind those it is given."""
        return self.folder.background if self.folder else WHITE

    @property
    @abstractmethod
    def size(self) -> int:
        """The side of its pictures in pixels."""

    @property
    @abstractmethod
    def sampling(self) -> Sampling:
        """How it samples unless told otherwise."""

    @abstractmethod
    def drawn_by(self, how: Sampling) -> list[str]:
        """The stages that `steps` asks, those that guide among them. how: without the models of its guidance."""

    @abstractmethod
    def asked(self, prompts: Sequence[str], n: int, seed: int) -> list[tuple[str, int]]:
        """(prompt, seed) of each picture that a request means. Raises ValueError for a request that means none."""

    @abstractmethod
    def steps(self, prompts: Sequence[str], seeds: Sequence[int], settings: Settings | None = None) -> Iterator[Step]:
        """Every denoising step for one batch, a prompt a seed; the last step's x is the picture."""

    def resolved(self, settings: Settings | None) -> Sampling:
        """The sampling that these settings mean for this model. Raises ValueError for bad ones."""
        return (settings or Settings()).apply(self.sampling)

    def cut(self, prompts: Sequence[str]) -> dict[str, tuple[str, str]]:
        """Prompts longer than the model reads -> (what it reads of them, what it does not)."""
        return {}

    def unknown(self, prompts: Sequence[str]) -> dict[str, list[str]]:
        """Prompts with words that no caption of the model's data holds -> those words."""
        return {}

    @checked
    def generate(
        self, prompts: Iterable[str] = (), n: int = 1, seed: int = 0, settings: Settings | None = None
    ) -> list[Image.Image]:
        """The pictures that `asked` lists; picture i of a prompt has seed + i. prompts: a list, or lines of a file.

        The same prompt, seed and settings give the same picture alone, in a batch and after a restart. Each picture
        carries what made it in `info["unclip"]`. Raises ValueError for a bad prompt, n < 1 or bad settings.
        """
        return list(self.draw(prompts, n, seed, settings))

    @checked
    def draw(
        self, prompts: Iterable[str] = (), n: int = 1, seed: int = 0, settings: Settings | None = None
    ) -> Iterator[Image.Image]:
        """The pictures of `generate`, each as soon as its batch is drawn. Raises as `generate` does, at once."""
        if n < 1:
            raise ValueError(f"n = {n}: ask for at least 1 picture")
        wanted, how = self.asked(texts("prompts", prompts), n, seed), settings or Settings()
        self.resolved(how)
        batches = (wanted[start : start + self.batch] for start in range(0, len(wanted), self.batch))
        return (picture for batch in batches for picture in self._batch(batch, how))

    def drawn(self, prompts: Sequence[str], seeds: Sequence[int], settings: Settings) -> Float[Tensor, "b c h w"]:
        """Finished pictures in [-1, 1] on the CPU. Raises ValueError for a size that the model does not draw."""
        if settings.size not in (None, self.size):
            raise ValueError(f"size = {settings.size} px: this model draws {self.size}")
        *_, last = self.steps(prompts, seeds, settings)
        return last.x.cpu()

    def _batch(self, wanted: Sequence[tuple[str, int]], settings: Settings) -> list[Image.Image]:
        prompts, seeds = [p for p, _ in wanted], [s for _, s in wanted]
        pictures, how = to_pictures(self.drawn(prompts, seeds, settings)), self.resolved(settings)
        for picture, prompt, seed in zip(pictures, prompts, seeds, strict=True):
            picture.info[KEY] = self.enlarged(self.about(prompt, seed, how), settings)
        return pictures

    def enlarged(self, about: dict[str, Any], settings: Settings) -> dict[str, Any]:
        """What a picture says of itself, with the stages after `steps`."""
        return about

    def about(self, prompt: str, seed: int, how: Sampling, by: Sequence[str] | None = None) -> dict[str, Any]:
        """What made a picture, for its file. by: the stages that drew it; None: those of `generate`."""
        made = {"model": self.hash, "stages": self.stages.hashes(self.drawn_by(how) if by is None else by)}
        return {"prompt": prompt, "seed": seed, "sampling": how.to_dict(), **made, "unclip": unclip.__version__}

    def autocast(self) -> torch.autocast:
        """bfloat16 inside, where the model runs so."""
        return torch.autocast(torch.device(self.device).type, torch.bfloat16, enabled=self.precision == "bfloat16")
