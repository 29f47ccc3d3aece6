"""From z to an image and back, whatever the family: what each of them calls z, and how many evaluations it takes.

family     z                      z -> x                          x -> z
vae        N(0, I) of the code    the decoder, once               the mean of q(z|x), once
flow       N(0, I) of every value the inverse, once               the flow, once: exact
gan        N(0, I) of the code    the generator, once             none
ddpm       x_T                    DDIM at eta 0, a call a step    the same walk backwards, a call a step
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch

from unclip.core.condition import Condition
from unclip.core.noise import Noise
from unclip.core.typing import Images, State
from unclip.diffusion.guidance import Unguided
from unclip.diffusion.process import Sampling
from unclip.diffusion.samplers import DDIM, DDIMInversion
from unclip.generation.classed import ClassModel
from unclip.generation.ddpm import DDPMPipeline
from unclip.generation.one_pass import OnePassModel
from unclip.models.classes import Labels
from unclip.models.families.base import Encodes

STEPS = 50
"""Of DDIM, both ways."""


class Way(ABC):
    """z to x and back, of one model."""

    @property
    @abstractmethod
    def forth(self) -> int:
        """Evaluations of the network from z to x."""

    @property
    @abstractmethod
    def back(self) -> int | None:
        """Evaluations of the network from x to z; None: there is no way."""

    @abstractmethod
    def noise(self, seeds: Sequence[int]) -> State:
        """z of these seeds, the first axis the sample."""

    @abstractmethod
    def draw(self, z: State, labels: Labels) -> Images:
        """The images of z, in [-1, 1]."""

    @abstractmethod
    def encode(self, images: Images, labels: Labels) -> State:
        """The z of images. Raises ValueError where there is no way."""


@dataclass(frozen=True)
class OnePassWay(Way):
    """Of a VAE, a flow or a GAN."""

    of: OnePassModel[Any]

    @property
    def forth(self) -> int:
        return 1

    @property
    def back(self) -> int | None:
        return 1 if isinstance(self.of.model, Encodes) else None

    def noise(self, seeds: Sequence[int]) -> State:
        return self.of.model.noise(len(seeds), Noise.per_sample(seeds, self.of.device).fork(self.of.NAME))

    @torch.no_grad()
    def draw(self, z: State, labels: Labels) -> Images:
        return self.of.model.decode(z, labels.to(self.of.device)).float().clamp(-1, 1)

    @torch.no_grad()
    def encode(self, images: Images, labels: Labels) -> State:
        if not isinstance(self.of.model, Encodes):
            raise ValueError(f"a {self.of.NAME} has no way from an image to z")
        return self.of.model.encode(images.to(self.of.device), labels.to(self.of.device))


@dataclass(frozen=True)
class DiffusionWay(Way):
    """Of a DDPM: the probability-flow ODE in steps of DDIM at eta 0, without guidance."""

    of: DDPMPipeline

    @property
    def forth(self) -> int:
        return self._how.steps

    @property
    def back(self) -> int | None:
        return self._how.steps

    @property
    def _how(self) -> Sampling:
        steps = min(STEPS, self.of.sampling.steps)
        return replace(self.of.sampling, steps=steps, sampler=DDIM(0.0), guidance=Unguided())

    def noise(self, seeds: Sequence[int]) -> State:
        return Noise.per_sample(seeds, self.of.device).fork("ddpm").normal((len(seeds), *self.of.shape))

    def draw(self, z: State, labels: Labels) -> Images:
        cond = self.of.model.condition(labels.to(self.of.device))
        unused = Noise.per_sample(range(len(z)), self.of.device)  # at eta 0 no step draws any
        *_, last = self.of.model.diffusion.walk(z, cond, Condition(), unused, self._how)
        return last.x.float().clamp(-1, 1)

    def encode(self, images: Images, labels: Labels) -> State:
        cond = self.of.model.condition(labels.to(self.of.device))
        *_, last = self.of.model.diffusion.invert(
            images.to(self.of.device), cond, Condition(), self._how, DDIMInversion()
        )
        return last.x


def way_of(model: ClassModel) -> Way:
    """The way of a finished model of images alone."""
    if isinstance(model, DDPMPipeline):
        return DiffusionWay(model)
    assert isinstance(model, OnePassModel)
    return OnePassWay(model)
