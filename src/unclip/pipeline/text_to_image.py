"""A prompt becomes a picture: tokenizer -> CLIP text -> prior -> decoder (unCLIP, section 2)."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

import torch

from unclip.clip.model import CLIP
from unclip.core import machine
from unclip.core.noise import Noise
from unclip.core.typing import Images, Vectors
from unclip.diffusion.process import Sampling
from unclip.diffusion.samplers import Step
from unclip.models.decoder import Decoder
from unclip.models.inpainter import Inpainter
from unclip.models.prior import Prior
from unclip.pipeline.image_model import ImageModel
from unclip.pipeline.run_folder import RunFolder
from unclip.pipeline.settings import Settings
from unclip.pipeline.stored import load_added, load_stage, model_hash
from unclip.text.tokenizer import Tokenizer

M = TypeVar("M", bound=torch.nn.Module)


@dataclass
class TextToImage(ImageModel):
    """The trained stages of a run, in evaluation mode; one still in training may lack the later ones."""

    tokenizer: Tokenizer
    clip: CLIP
    prior: Prior | None = None
    decoder: Decoder | None = None
    inpainter: Inpainter | None = None

    @classmethod
    def load(cls, folder: RunFolder, device: str) -> "TextToImage":
        """The model of a finished run. Raises ValueError that names the damaged file."""
        clip, prior, decoder = (load_stage(folder, name, device) for name in ("clip", "prior", "decoder"))
        inpainter = load_added(folder, "inpaint", device)
        return cls(
            tokenizer=Tokenizer.load(folder.tokenizer, clip.config.text.context),
            clip=clip,
            prior=prior,
            decoder=decoder,
            inpainter=inpainter,
            device=device,
            precision=machine.best_precision(device),
            hash=model_hash(folder),
        )

    @property
    def size(self) -> int:
        return there(self.decoder, "decoder").config.size

    @property
    def sampling(self) -> Sampling:
        return there(self.decoder, "decoder").config.sampling

    def asked(self, prompts: Sequence[str], n: int, seed: int) -> list[tuple[str, int]]:
        """n pictures a prompt, in the prompts' order."""
        if not prompts:
            raise ValueError(
                'no prompt: write what the picture shows, as unclip generate "a red heart" --run runs/mine'
            )
        if any(not p.strip() for p in prompts):
            raise ValueError("an empty prompt: write what the picture shows, in words like those of the captions")
        return [(p, seed + i) for p in prompts for i in range(n)]

    def cut(self, prompts: Sequence[str]) -> dict[str, str]:
        """Prompts longer than the model's context -> what is left of them."""
        long = [p for p, n in zip(prompts, self.tokenizer.lengths(prompts), strict=True) if n > self.tokenizer.context]
        return {p: self.tokenizer.decode(self.tokenizer([p])[0][0].tolist()) for p in long}

    def embed_prompts(self, prompts: Sequence[str], seeds: Sequence[int]) -> Vectors:
        """The prior's image embeddings [b, d], unit vectors."""
        ids, mask = (t.to(self.device) for t in self.tokenizer(prompts))
        noise = Noise.per_sample(seeds, self.device)
        with torch.no_grad(), self.autocast():
            text, tokens = self.clip.embed_text(ids, mask)
            prior = there(self.prior, "prior")
            candidates = [noise.fork(f"prior{i}") for i in range(prior.config.candidates)]
            return prior.sample(text, tokens, mask, candidates)

    def steps(self, prompts: Sequence[str], seeds: Sequence[int], settings: Settings | None = None) -> Iterator[Step]:
        """Every decoder step for one batch of prompts; the last step's x is the picture."""
        z = self.embed_prompts(prompts, seeds)
        how = (settings or Settings()).apply(self.sampling)
        yield from self.decode(z, prompts, seeds, how)

    def decode(self, z: Vectors, prompts: Sequence[str], seeds: Sequence[int], how: Sampling) -> Iterator[Step]:
        """Decoder steps for given image embeddings and captions."""
        ids, mask = (t.to(self.device) for t in self.tokenizer(prompts))
        noise = Noise.per_sample(seeds, self.device).fork("decoder")
        with self.autocast():
            yield from there(self.decoder, "decoder").sample(z, ids, mask, noise, how)

    def edit(
        self, image: Picture, mask: Picture | None = None, prompt: str = "", n: int = 1, seed: int = 0, **how: Any
    ) -> list[Image.Image]:
        """Pictures in which the white part of `mask` (without one: the transparent part of `image`) is painted anew.

        how: `settings`, `method` ("auto", "model", "repaint"). Raises as `pipeline.inpaint.edit` does.
        """
        from unclip.pipeline import inpaint, painter

        return inpaint.edit(self, image, mask, painter.Request(prompt, n, seed, **how)).pictures

    def extend(
        self, image: Picture, prompt: str = "", n: int = 1, seed: int = 0, sides: Mapping[str, float] | float = 0.5, **how: Any
    ) -> list[Image.Image]:
        """Larger pictures around `image`. sides: how much each grows, or {"left": 0.5, ...}, in shares of the picture.

        how: as in `edit`. Raises as `pipeline.inpaint.extend` does.
        """
        from unclip.pipeline import inpaint, painter

        return inpaint.extend(self, image, inpaint.Sides.of(sides), painter.Request(prompt, n, seed, **how)).pictures

    def embed_images(self, images: Images) -> Vectors:
        """CLIP embeddings of pictures in [-1, 1]."""
        with torch.no_grad(), self.autocast():
            return self.clip.embed_images(images.to(self.device))

    def embed_captions(self, captions: Sequence[str]) -> Vectors:
        """CLIP embeddings of captions."""
        ids, mask = (t.to(self.device) for t in self.tokenizer(captions))
        with torch.no_grad(), self.autocast():
            return self.clip.embed_text(ids, mask)[0]


def there(part: M | None, name: str) -> M:
    """The part, if it is trained; raises ValueError otherwise."""
    if part is None:
        raise ValueError(f"this model has no {name} yet; train that stage first")
    return part
