"""A prompt becomes a code, a code becomes an image: the finished latent diffusion (Rombach et al. 2022)."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import torch

from unclip.core.condition import Condition
from unclip.core.noise import Noise
from unclip.core.typing import Float, Ids, Images, Mask, Tensor
from unclip.diffusion.guidance import under
from unclip.diffusion.process import Sampling
from unclip.diffusion.samplers import Step
from unclip.generation.captioned import CaptionedModel
from unclip.generation.require import require
from unclip.generation.settings import Settings
from unclip.models.autoencoder.model import Autoencoder
from unclip.models.autoencoder.space import DecodedStep
from unclip.models.latent import LatentDiffusion
from unclip.runs.modules import Stages


@dataclass
class LatentPipeline(CaptionedModel):
    """A text-to-image model of latent diffusion: an autoencoder and a diffusion of its codes. `unclip.load` makes one.

    In a run that is still training, later stages may be missing.
    """

    autoencoder: Autoencoder
    latent: LatentDiffusion | None = None

    @classmethod
    def load(cls, stages: Stages) -> "LatentPipeline":
        """Loads the model of a finished run. Raises ValueError that names the damaged file."""
        return cls.of(stages, autoencoder=stages("autoencoder", Autoencoder), latent=stages("latent", LatentDiffusion))

    @property
    def size(self) -> int:
        return require(self.latent, "latent").config.side * self.autoencoder.config.factor

    @property
    def sampling(self) -> Sampling:
        return require(self.latent, "latent").config.sampling

    @property
    def limit(self) -> None:
        return None  # codes have no range

    def resolved(self, settings: Settings | None) -> Sampling:
        settings = settings or Settings()
        if settings.clip is not None or settings.classifier is not None:
            raise ValueError("CLIP and classifier guidance see images, this model denoises codes; here: --guidance")
        return super().resolved(settings)

    def stages_used(self, how: Sampling) -> list[str]:
        """The stages that take part in an image. CLIP is none of them, because the diffusion has its own text tower."""
        return ["autoencoder", "latent", *(["early/latent"] if "worse" in how.guidance.missing_models() else [])]

    def steps(self, prompts: Sequence[str], seeds: Sequence[int], settings: Settings | None = None) -> Iterator[Step]:
        """Yields every step for a batch of prompts, as images, each decoded only when it is looked at."""
        latent, how = require(self.latent, "latent"), self.resolved(settings)
        ids, mask = (t.to(self.device) for t in self.tokenizer(prompts))
        noise = Noise.per_sample(seeds, self.device).fork("latent")
        with self.autocast():
            for step in latent.sample(ids, mask, noise, self._guided(how, ids, mask)):
                yield DecodedStep(step, self.decode)

    def _guided(self, how: Sampling, ids: Ids, mask: Mask) -> Sampling:
        """With what the guidance leads away from: the early weights, which read the caption by their own tower, or a
        negative prompt."""
        parts: dict[str, object] = {"negative": lambda prompt: self._condition(prompt, len(ids))}
        if "worse" in how.guidance.missing_models():
            early = self.stages.early(LatentDiffusion)
            parts["worse"] = under(early.diffusion.denoiser, early.condition(ids, mask))
        return replace(how, guidance=how.guidance.using(**parts))

    @torch.no_grad()
    def _condition(self, prompt: str, n: int) -> Condition:
        """All that the diffusion is told of one prompt, n times."""
        ids, mask = (t.to(self.device) for t in self.tokenizer([prompt] * n))
        return require(self.latent, "latent").condition(ids, mask)

    def decode(self, x: Float[Tensor, "b c2 h2 w2"]) -> Images:
        """Decodes standardised codes, [b, c2, h2, w2], to images in [-1, 1]."""
        with torch.no_grad(), self.autocast():
            return self.autoencoder.decode(require(self.latent, "latent").codes(x)).clamp(-1, 1)

    def reconstruct_images(self, images: Images) -> Images:
        """Encodes and decodes images, [b, c, h, w] in [-1, 1]: what the autoencoder leaves of them."""
        with torch.no_grad(), self.autocast():
            return self.autoencoder.reconstruct(images.to(self.device))
