"""A prompt becomes a picture: tokenizer -> CLIP text -> prior -> decoder (unCLIP, section 2)."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from PIL import Image

from unclip.clip.noisy import NoisyCLIP
from unclip.core import machine
from unclip.core.noise import Noise
from unclip.core.typing import Float, Tensor, Vectors
from unclip.data.prepared import read_captions
from unclip.diffusion.process import Sampling
from unclip.diffusion.samplers import Step
from unclip.models.decoder import Decoder
from unclip.models.inpainter import Inpainter
from unclip.models.prior_model import PriorModel
from unclip.pipeline import invert, manipulate
from unclip.pipeline.captioned import CaptionedModel
from unclip.pipeline.enlarge import enlarge_picture
from unclip.pipeline.invert import Source
from unclip.pipeline.latent import Inverted
from unclip.pipeline.parts import there
from unclip.pipeline.probe import Probe, probe
from unclip.pipeline.read import Picture
from unclip.pipeline.run_folder import RunFolder
from unclip.pipeline.settings import Settings
from unclip.pipeline.stored import load_added, load_stage, model_hash
from unclip.pipeline.upsampling import Enlarger, load_enlargers, upsampled, way
from unclip.text import words
from unclip.text.tokenizer import Tokenizer


@dataclass
class TextToImage(CaptionedModel):
    """The trained stages of a run, in evaluation mode; one still in training may lack the later ones.

    folder: where the run lies, for what is loaded on demand; prior_name: which of `pipeline.priors` it uses.
    enlargers: its upsamplers; `size` and `steps` are those of the decoder, `generate` draws at the last one's size.
    """

    prior: PriorModel | None = None
    decoder: Decoder | None = None
    noisy_clip: NoisyCLIP | None = None
    inpainter: Inpainter | None = None
    folder: RunFolder | None = None
    prior_name: str = "diffusion"
    enlargers: tuple[Enlarger, ...] = ()

    @classmethod
    def load(cls, folder: RunFolder, device: str) -> "TextToImage":
        """The model of a finished run. Raises ValueError that names the damaged file."""
        clip, prior, decoder = (load_stage(folder, name, device) for name in ("clip", "prior", "decoder"))
        return cls(
            tokenizer=Tokenizer.load(folder.tokenizer, clip.config.text.context),
            clip=clip,
            prior=prior,
            decoder=decoder,
            noisy_clip=load_added(folder, "noisy_clip", device),
            inpainter=load_added(folder, "inpaint", device),
            device=device,
            precision=machine.best_precision(device),
            hash=model_hash(folder),
            folder=folder,
            enlargers=load_enlargers(folder, device, decoder.config.size),
        )

    @property
    def size(self) -> int:
        return there(self.decoder, "decoder").config.size

    @property
    def sampling(self) -> Sampling:
        return there(self.decoder, "decoder").config.sampling

    def unknown(self, prompts: Sequence[str]) -> dict[str, list[str]]:
        """Prompts with words that no caption of the run's data holds -> those words; none where the data are gone."""
        if self.folder is None or not (self.folder.data / "captions.jsonl").exists():
            return {}
        return words.unseen(prompts, read_captions(self.folder.data))

    def embed_prompts(self, prompts: Sequence[str], seeds: Sequence[int]) -> Vectors:
        """The prior's image embeddings [b, d], unit vectors."""
        ids, mask = (t.to(self.device) for t in self.tokenizer(prompts))
        noise = Noise.per_sample(seeds, self.device)
        with torch.no_grad(), self.autocast():
            text, tokens = self.clip.embed_text(ids, mask)
            prior = there(self.prior, "prior")
            candidates = [noise.fork(f"prior{i}") for i in range(prior.candidates)]
            return prior.sample(text, tokens, mask, candidates)

    def steps(self, prompts: Sequence[str], seeds: Sequence[int], settings: Settings | None = None) -> Iterator[Step]:
        """Every decoder step for one batch of prompts; the last step's x is the picture."""
        how = self.how(prompts, settings or Settings())
        z = self.embed_prompts(prompts, seeds)
        yield from self.decode(z, prompts, seeds, how)

    def how(self, prompts: Sequence[str], settings: Settings) -> Sampling:
        """How to draw these prompts, with the model that CLIP guidance needs. Raises ValueError where there is none."""
        if settings.classifier is not None:
            raise ValueError("classifier guidance is for a ddpm with classes; here: --clip-guidance")
        how = settings.apply(self.sampling)
        if settings.clip is None:
            return how
        if self.noisy_clip is None:
            raise ValueError(
                "CLIP guidance: this run has no noise-aware CLIP; train one: unclip add noisy_clip --run RUN"
            )
        ids, mask = (t.to(self.device) for t in self.tokenizer(prompts))
        return replace(how, guidance=how.guidance.using(log_p=self.noisy_clip.log_p(ids, mask)))

    def decode(self, z: Vectors, prompts: Sequence[str], seeds: Sequence[int], how: Sampling) -> Iterator[Step]:
        """Decoder steps for given image embeddings and captions."""
        ids, mask = (t.to(self.device) for t in self.tokenizer(prompts))
        noise = Noise.per_sample(seeds, self.device).fork("decoder")
        with self.autocast():
            yield from there(self.decoder, "decoder").sample(z, ids, mask, noise, how)

    def about(self, prompt: str, seed: int, how: Sampling) -> dict[str, Any]:
        """What made a picture, with the prior where it is another than the run's own."""
        prior = {} if self.prior_name == "diffusion" else {"prior": self.prior_name}
        return {**super().about(prompt, seed, how), **prior}

    def edit(
        self, image: Picture, mask: Picture | None = None, prompt: str = "", n: int = 1, seed: int = 0, **how: Any
    ) -> list[Image.Image]:
        """Pictures in which the white part of `mask` (without one: the transparent part of `image`) is painted anew.

        how: `settings`, `method` ("auto", "model", "repaint"). Raises as `pipeline.inpaint.edit` does.
        """
        from unclip.pipeline import inpaint, painter  # they know this class

        return inpaint.edit(self, image, mask, painter.Request(prompt, n, seed, **how)).pictures

    def extend(self, image: Picture, prompt: str = "", n: int = 1, seed: int = 0, **how: Any) -> list[Image.Image]:
        """Larger pictures around `image`. how: left, right, up, down (shares of it); settings, method.

        Raises as `pipeline.inpaint.extend` does.
        """
        from unclip.pipeline import inpaint, painter

        sides = inpaint.Sides(**{side: how.pop(side) for side in ("left", "right", "up", "down") if side in how})
        return inpaint.extend(self, image, sides, painter.Request(prompt, n, seed, **how)).pictures

    def drawn(self, prompts: Sequence[str], seeds: Sequence[int], settings: Settings) -> Float[Tensor, "b c h w"]:
        """The decoder's pictures, led through the upsamplers to `settings.size`."""
        stages = way(self.enlargers, settings.size, self.size)
        *_, last = self.steps(prompts, seeds, settings)
        with self.autocast():
            return upsampled(stages, last.x.float().clamp(-1, 1).cpu(), seeds)

    def enlarged(self, settings: Settings) -> dict[str, Any]:
        """The upsamplers that a picture passed."""
        stages = way(self.enlargers, settings.size, self.size)
        size = {"size": stages[-1].size if stages else self.size}
        return {**size, "upsamplers": [stage.about() for stage in stages]} if self.enlargers else {}

    def upsample(self, picture: Picture, seed: int = 0, size: int | None = None, strength: float = 0.0) -> Image.Image:
        """A picture of any size, enlarged as those of the model are: `pipeline.enlarge`."""
        return enlarge_picture(self, picture, seed, size, strength)

    def invert(self, picture: Source, prompt: str = "", settings: Settings | None = None) -> Inverted:
        """The bipartite latent (z_i, x_T) of a picture: `pipeline.invert`."""
        return invert.invert(self, picture, prompt, settings)

    def reconstruct(self, latent: Inverted) -> Image.Image:
        """The picture of a latent again."""
        return manipulate.reconstruct(self, latent)

    def vary(self, picture: Source, n: int = 4, seed: int = 0, **how: Any) -> list[Image.Image]:
        """n variations; `how`: eta, fresh, prompt and settings of `pipeline.manipulate.vary`."""
        return manipulate.vary(self, picture, n, seed, **how)

    def blend(self, a: Source, b: Source, n: int = 7, **how: Any) -> list[Image.Image]:
        """n pictures on the way from a to b; `how`: noise, seed and settings of `pipeline.manipulate.blend`."""
        return manipulate.blend(self, a, b, n, **how)

    def diff(self, picture: Source, before: str, after: str, n: int = 6, **how: Any) -> list[Image.Image]:
        """n pictures, changed by words; `how`: until and settings of `pipeline.manipulate.diff`."""
        return manipulate.diff(self, picture, before, after, n, **how)

    def probe(self, picture: Source, labels: Sequence[str] = (), **how: Any) -> Probe:
        """What CLIP sees in a picture; `how`: seed and settings of `pipeline.probe.probe`."""
        return probe(self, picture, labels, **how)
