"""A prompt becomes an image: tokenizer -> CLIP text -> prior -> decoder (unCLIP, section 2)."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import torch

from unclip.clip.noisy import NoisyCLIP
from unclip.core.condition import Condition
from unclip.core.noise import Noise
from unclip.core.typing import Float, Ids, Mask, Tensor, Vectors
from unclip.core.watching import last_of
from unclip.diffusion.guidance import under
from unclip.diffusion.process import Sampling
from unclip.diffusion.samplers import Step
from unclip.generation.base import ImageModel
from unclip.generation.captioned import CaptionedModel
from unclip.generation.distilled import STAGE, drawing, required, usable
from unclip.generation.require import require
from unclip.generation.settings import Settings
from unclip.generation.upsampling import Enlarger, load_enlargers, upsampled, way
from unclip.models.decoder import Decoder
from unclip.models.inpainter import Inpainter
from unclip.models.priors.base import PriorModel
from unclip.models.priors.diffusion import Prior
from unclip.runs.modules import Stages


@dataclass
class TextToImage(CaptionedModel):
    """A text-to-image model (unCLIP): CLIP, a prior and a decoder, in evaluation mode. `unclip.load` makes one.

    `size` is the side of what the decoder generates, px; `generate` returns what the last upsampler makes of it. In a
    run that is still training, later stages may be missing.

    Args:
        device: where it computes.
        precision: "float32" or "bfloat16".
        hash: of all weights, as images name it.
        batch: the largest number of images at once.
        stages: the run's further stages, read when they are needed.
        tokenizer: from captions to token ids.
        clip: embeds captions and images.
        prior: from a caption to an image embedding.
        decoder: from an image embedding to an image.
        prior_name: which prior this is, as `with_prior` takes it.
        prior_stages: the stages of the run that it is made of.
    """

    prior: PriorModel | None = None
    decoder: Decoder | None = None
    prior_name: str = "diffusion"
    prior_stages: tuple[str, ...] = ("prior",)

    @classmethod
    def load(cls, stages: Stages) -> "TextToImage":
        """Loads the model of a finished run. Raises ValueError that names the damaged file."""
        return cls.of(stages, prior=stages("prior", Prior), decoder=stages("decoder", Decoder))

    @property
    def noisy_clip(self) -> NoisyCLIP | None:
        """The run's noise-aware CLIP; None where it has none."""
        return self.stages.added("noisy_clip", NoisyCLIP)

    @property
    def inpainter(self) -> Inpainter | None:
        """The run's decoder for inpainting; None where it has none."""
        return self.stages.added("inpaint", Inpainter)

    @cached_property
    def enlargers(self) -> tuple[Enlarger, ...]:
        """The run's upsamplers, in their order. Raises ValueError where they do not fit each other."""
        return load_enlargers(self.stages, self.size)

    @property
    def size(self) -> int:
        return require(self.decoder, "decoder").config.size

    @property
    def sampling(self) -> Sampling:
        return require(self.decoder, "decoder").config.sampling

    @property
    def limit(self) -> float | None:
        return require(self.decoder, "decoder").space.limit

    def drawing(self, settings: Settings) -> Sampling:
        """How it draws new images: as its decoder, or, after `unclip distill`, in fewer steps."""
        return drawing(self.sampling, settings, usable(self.stages, "decoder"))

    def embed_prompts(self, prompts: Sequence[str], seeds: Sequence[int]) -> Vectors:
        """Samples the prior: image embeddings of the prompts, unit vectors [b, d], one for each seed."""
        ids, mask = (t.to(self.device) for t in self.tokenizer(prompts))
        noise = Noise.per_sample(seeds, self.device)
        with torch.no_grad(), self.autocast():
            text, tokens = self.clip.embed_text(ids, mask)
            prior = require(self.prior, "prior")
            candidates = [noise.fork(f"prior{i}") for i in range(prior.candidates)]
            return prior.sample(text, tokens, mask, candidates)

    def steps(self, prompts: Sequence[str], seeds: Sequence[int], settings: Settings | None = None) -> Iterator[Step]:
        """Yields the decoder's steps for a batch of prompts; x of the last is the images, [b, c, size, size]."""
        how = self.resolved(settings)
        yield from self.decode(self.embed_prompts(prompts, seeds), prompts, seeds, how)

    def resolved(self, settings: Settings | None) -> Sampling:
        if settings is not None and settings.classifier is not None:
            raise ValueError("classifier guidance is for a ddpm with classes; here: --clip-guidance")
        return super().resolved(settings)

    def guided(self, how: Sampling, z: Vectors, ids: Ids, mask: Mask) -> Sampling:
        """Completes a sampling with the models that its guidance lacks, for these embeddings and captions.

        The early decoder reads captions by its own text tower. Raises ValueError where the run has no such model.
        """
        lacks, parts = how.guidance.missing_models(), dict[str, object]()
        if "worse" in lacks:
            early = self.stages.early(Decoder)
            parts["worse"] = under(early.diffusion.denoiser, early.conditions(z, ids, mask)[0])
        if "log_p" in lacks:
            if self.limit is None:
                raise ValueError(
                    "CLIP guidance sees noisy images, and this decoder denoises codes; take --guidance, or train a run "
                    "with --preset pixels-tiny"
                )
            if self.noisy_clip is None:
                raise ValueError(
                    "CLIP guidance: this run has no noise-aware CLIP; train one: unclip add noisy_clip --run RUN"
                )
            parts["log_p"] = self.noisy_clip.log_p(ids, mask)
        if "student" in lacks:
            parts["student"] = required(self.stages, "decoder")
        return replace(how, guidance=how.guidance.using(**parts))

    def stages_used(self, how: Sampling, prior: bool = True, painter: str = "decoder") -> list[str]:
        """The stages that take part in an image.

        Args:
            how: the sampling, before `guided`.
            prior: whether the embedding comes from the prior; otherwise it is that of an image.
            painter: the stage that decodes it.
        """
        guides = {"worse": "early/decoder", "log_p": "noisy_clip", "student": STAGE}
        lacks = how.guidance.missing_models()
        guide = [stage for what, stage in guides.items() if what in lacks]
        return ["clip", *(self.prior_stages if prior else ()), painter, *guide]

    def decode(self, z: Vectors, prompts: Sequence[str], seeds: Sequence[int], how: Sampling) -> Iterator[Step]:
        """Yields the decoder's steps for given image embeddings, [b, d], and captions.

        Raises ValueError for embeddings of another CLIP.
        """
        if z.shape[1] != self.clip.config.width:
            raise ValueError(
                f"z: embeddings of width {z.shape[1]}, this model's CLIP has {self.clip.config.width}: they are of "
                "another CLIP; take those of `embed_prompts` or `embed_images` of this model"
            )
        ids, mask = (t.to(self.device) for t in self.tokenizer(prompts))
        noise = Noise.per_sample(seeds, self.device).fork("decoder")
        how = self.guided(how, z, ids, mask)
        decoder = require(self.decoder, "decoder")
        how = self.reading(how, decoder, seeds)
        with self.autocast():
            yield from decoder.sample(z, ids, mask, noise, how)

    def reading(self, how: Sampling, painter: Decoder, seeds: Sequence[int]) -> Sampling:
        """Completes a sampling by what reads a negative prompt: all that the painter is told of a prompt, with the
        prior's embedding of it for each seed."""

        def condition(prompt: str) -> Condition:
            prompts = [prompt] * len(seeds)
            ids, mask = (t.to(self.device) for t in self.tokenizer(prompts))
            return painter.conditions(self.embed_prompts(prompts, seeds), ids, mask)[0]

        return replace(how, guidance=how.guidance.using(negative=condition))

    def about(self, prompt: str, seed: int, how: Sampling, by: Sequence[str] | None = None) -> dict[str, Any]:
        """What an image says of how it was made, with the prior where that is another than the run's own."""
        prior = {} if self.prior_name == "diffusion" else {"prior": self.prior_name}
        return {**super().about(prompt, seed, how, by), **prior}

    def sample_images(
        self, prompts: Sequence[str], seeds: Sequence[int], settings: Settings
    ) -> Float[Tensor, "b c h w"]:
        """Generates a batch, [b, c, h, w] in [-1, 1]: the decoder's images, enlarged to `settings.size`."""
        stages = way(self.enlargers, settings.size, self.size)
        last = last_of(self.steps(prompts, seeds, settings))
        with self.autocast():
            return upsampled(stages, last.x.float().clamp(-1, 1).cpu(), seeds)

    def enlarged(self, about: dict[str, Any], settings: Settings) -> dict[str, Any]:
        """Adds the upsamplers to what an image says of how it was made."""
        if not self.enlargers:
            return about
        passed = way(self.enlargers, settings.size, self.size)
        hashes = {**about["stages"], **self.stages.hashes([enlarger.name for enlarger in passed])}
        size = passed[-1].size if passed else self.size
        return {**about, "stages": hashes, "size": size, "upsamplers": [enlarger.about() for enlarger in passed]}


def text_to_image(model: ImageModel, what: str) -> TextToImage:
    """The model, if it is one that can do this. what: the name of the function. Raises ValueError otherwise."""
    if not isinstance(model, TextToImage):
        raise ValueError(f"{what}: this is a {type(model).__name__}; only a run of --model unclip can do it")
    return model
