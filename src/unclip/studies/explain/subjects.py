"""The trained diffusions that `unclip explain` and the studies look at, one class a kind of run."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch

from unclip.core.condition import Condition
from unclip.core.typing import Images
from unclip.data.loader import select_rows, to_tensor
from unclip.data.prepare.write import Prepared
from unclip.diffusion.process import Diffusion, Sampling
from unclip.diffusion.samplers import Step
from unclip.generation.base import ImageModel
from unclip.generation.ddpm import DDPMPipeline
from unclip.generation.latent_diffusion import LatentPipeline
from unclip.generation.require import require
from unclip.generation.settings import Settings
from unclip.generation.text_to_image import TextToImage
from unclip.models.autoencoder.space import Codes, PixelSpace
from unclip.models.ddpm import DDPM
from unclip.models.decoder import Decoder
from unclip.models.latent import LatentDiffusion


@dataclass(frozen=True)
class Subject(ABC):
    """A trained diffusion of images, whatever it is conditioned on. Rows are those of the run's prepared data.

    `stream` is the name of the noise that a seed begins with, as the pipeline has it.
    """

    model: ImageModel
    prepared: Prepared
    stream: ClassVar[str]

    @property
    @abstractmethod
    def stage(self) -> Decoder | DDPM | LatentDiffusion:
        """The stage that holds the diffusion."""

    @property
    def shape(self) -> tuple[int, int, int]:
        """Channels, height and width of a state."""
        return self.stage.shape

    @property
    def diffusion(self) -> Diffusion:
        """The network with its schedule."""
        return self.stage.diffusion

    @property
    def sampling(self) -> Sampling:
        """How it samples unless told otherwise."""
        return self.model.sampling

    @property
    @abstractmethod
    def space(self) -> PixelSpace:
        """What it denoises: pixels, or codes of images."""

    def images(self, rows: Sequence[int]) -> Images:
        """The images of these rows in [-1, 1], as training shows them."""
        return to_tensor(self.prepared.images[np.asarray(rows)])

    def prompts(self, rows: Sequence[int]) -> list[str]:
        """What one would ask for to get images like these: captions, or classes."""
        return [self.prepared.captions[row][0] for row in rows]

    @abstractmethod
    def condition(self, rows: Sequence[int]) -> Condition:
        """What training shows of these rows, nothing dropped."""

    def steps(self, prompts: Sequence[str], seeds: Sequence[int], settings: Settings) -> Iterator[Step]:
        """A new image a prompt, as `unclip generate` makes it."""
        return self.model.steps(prompts, seeds, settings)


@dataclass(frozen=True)
class UnclipSubject(Subject):
    """The decoder of an unCLIP run."""

    model: TextToImage
    stream = "decoder"

    @property
    def stage(self) -> Decoder:
        """The decoder."""
        return require(self.model.decoder, "decoder")

    @property
    def space(self) -> PixelSpace:
        """The decoder's."""
        return self.stage.space

    @torch.no_grad()
    def condition(self, rows: Sequence[int]) -> Condition:
        """The images' own CLIP embeddings and their first captions."""
        ids, mask = (t.to(self.model.device) for t in self.model.tokenizer(self.prompts(rows)))
        z = self.model.embed_images(self.images(rows)).float()
        keep = torch.ones(len(rows), dtype=torch.bool, device=z.device)
        return self.stage.condition(z, keep, ids, mask)


@dataclass(frozen=True)
class DDPMSubject(Subject):
    """A plain DDPM, with or without classes."""

    model: DDPMPipeline
    stream = "ddpm"

    @property
    def stage(self) -> DDPM:
        """The model's network."""
        return self.model.model

    @property
    def space(self) -> PixelSpace:
        """Pixels."""
        return PixelSpace(self.shape[0])

    def images(self, rows: Sequence[int]) -> Images:
        """Of as many channels as the model's."""
        return to_tensor(select_rows(self.prepared.images, np.asarray(rows), self.shape[0]))

    def prompts(self, rows: Sequence[int]) -> list[str]:
        """Their classes; nothing where the model has none."""
        return super().prompts(rows) if self.model.classes else [""] * len(rows)

    def condition(self, rows: Sequence[int]) -> Condition:
        """Their classes."""
        return self.stage.condition(self.model.labels(self.prompts(rows)))


class LatentSpace(PixelSpace):
    """The codes of a latent diffusion's own autoencoder, standardised as its diffusion sees them."""

    limit = None

    def __init__(self, model: LatentPipeline) -> None:
        super().__init__(require(model.latent, "latent").shape[0])
        self.model, self.factor = model, model.autoencoder.config.factor

    @torch.no_grad()
    def encode(self, images: Images) -> Codes:
        """The means of their posteriors."""
        mean = self.model.autoencoder.encode(images).mean
        return require(self.model.latent, "latent").standardized(mean)

    def decode(self, x: Codes) -> Images:
        """As the model shows them."""
        return self.model.decode(x)


@dataclass(frozen=True)
class LatentSubject(Subject):
    """The diffusion of codes of a latent diffusion run."""

    model: LatentPipeline
    stream = "latent"

    @property
    def stage(self) -> LatentDiffusion:
        """The diffusion of codes."""
        return require(self.model.latent, "latent")

    @property
    def space(self) -> LatentSpace:
        """Codes."""
        return LatentSpace(self.model)

    @torch.no_grad()
    def condition(self, rows: Sequence[int]) -> Condition:
        """Their first captions."""
        return self.stage.condition(*(t.to(self.model.device) for t in self.model.tokenizer(self.prompts(rows))))
