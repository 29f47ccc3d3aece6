"""A seed, or a class and a seed, becomes an image in one pass of a network: finished VAEs, GANs and flows."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Generic, TypeVar

import torch

from unclip.core.noise import Noise
from unclip.diffusion.process import Sampling
from unclip.diffusion.samplers import Consistency, Step
from unclip.generation.classed import ClassModel
from unclip.generation.settings import Settings
from unclip.models.families.base import OnePass
from unclip.models.families.flow import Flow
from unclip.models.families.gan import GAN
from unclip.models.families.vae import VAE
from unclip.runs.modules import Stages

F = TypeVar("F", bound=OnePass[Any])
P = TypeVar("P", bound="OnePassModel[Any]")


@dataclass
class OnePassModel(ClassModel, Generic[F]):
    """Base of the finished models that draw an image by one pass. `unclip.load` makes one.

    Their sampling is a single jump from noise to the image; what can be chosen at generation is the temperature alone.
    """

    NAME: ClassVar[str] = ""
    KIND: ClassVar[type[OnePass[Any]]] = OnePass

    model: F

    @classmethod
    def load(cls: type[P], stages: Stages) -> P:
        """Loads the model of a finished run. Raises ValueError that names the damaged file."""
        return cls.of(stages, model=stages(cls.NAME, cls.KIND))

    @classmethod
    def around(cls: type[P], module: OnePass[Any], device: str) -> P:
        """The model of a module that is loaded already."""
        return cls(module, device=device)

    @property
    def size(self) -> int:
        return self.model.config.size

    @property
    def shape(self) -> tuple[int, int, int]:
        return self.model.shape

    @property
    def classes(self) -> tuple[str, ...]:
        return self.model.config.classes

    @property
    def sampling(self) -> Sampling:
        return Sampling(steps=1, sampler=Consistency())

    def resolved(self, settings: Settings | None) -> Sampling:
        """One jump. Raises ValueError where the settings ask for another way."""
        how = replace(settings or Settings(), temperature=None).apply(self.sampling, self.limit)
        if how != self.sampling:
            raise ValueError(
                f"this is a {self.NAME}, which draws an image by one pass of its network: leave steps, sampler, grid, "
                "guidance and negative out; what it has is --temperature"
            )
        return how

    def steps(self, prompts: Sequence[str], seeds: Sequence[int], settings: Settings | None = None) -> Iterator[Step]:
        """Yields the one step of a batch. Raises ValueError as `resolved` does, and for an unknown class."""
        self.resolved(settings)
        labels, noise = self.labels(prompts), Noise.per_sample(seeds, self.device).fork(self.NAME)
        with torch.no_grad(), self.autocast():
            x = self.model.draw(labels, noise, settings.temperature if settings else None).float()
        yield Step(x, x, torch.full((), torch.inf, device=x.device))

    def stages_used(self, how: Sampling) -> list[str]:
        return [self.NAME]

    def enlarged(self, about: dict[str, Any], settings: Settings) -> dict[str, Any]:
        """Notes the temperature."""
        t = self.model.config.temperature if settings.temperature is None else settings.temperature
        return {**about, "temperature": t}


@dataclass
class VAEPipeline(OnePassModel[VAE]):
    """A trained variational autoencoder."""

    NAME: ClassVar[str] = "vae"
    KIND: ClassVar[type[OnePass[Any]]] = VAE


@dataclass
class FlowPipeline(OnePassModel[Flow]):
    """A trained normalizing flow."""

    NAME: ClassVar[str] = "flow"
    KIND: ClassVar[type[OnePass[Any]]] = Flow


@dataclass
class GANPipeline(OnePassModel[GAN]):
    """The trained generator of a GAN."""

    NAME: ClassVar[str] = "gan"
    KIND: ClassVar[type[OnePass[Any]]] = GAN


ONE_PASS: dict[str, type[VAEPipeline] | type[FlowPipeline] | type[GANPipeline]] = {
    kind.NAME: kind for kind in (VAEPipeline, FlowPipeline, GANPipeline)
}
"""The stage that draws -> the class of the finished model."""
