"""A prompt becomes a picture: tokenizer -> CLIP text -> prior -> decoder (unCLIP, section 2)."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import torch
from PIL import Image

import unclip
from unclip.clip.model import CLIP, CLIPConfig
from unclip.clip.noisy import NoisyCLIP, NoisyCLIPConfig
from unclip.core import machine, store
from unclip.core.config import Config
from unclip.core.noise import Noise
from unclip.core.typing import Images, Vectors
from unclip.diffusion.guidance import ClassifierFree
from unclip.diffusion.process import Sampling
from unclip.diffusion.samplers import DDIM, Ancestral, DPMSolverPP2M, Sampler, Step
from unclip.models.classifier import ClassifierConfig, NoisyClassifier
from unclip.models.decoder import Decoder, DecoderConfig
from unclip.models.prior import Prior, PriorConfig
from unclip.pipeline.images import KEY, to_pictures
from unclip.pipeline.run_folder import RunFolder
from unclip.text.tokenizer import Tokenizer

M = TypeVar("M", bound=torch.nn.Module)

BUILDERS: dict[str, Callable[[dict[str, Any]], torch.nn.Module]] = {
    "clip": lambda c: CLIP(CLIPConfig.from_dict(c)),
    "prior": lambda c: Prior(PriorConfig.from_dict(c)),
    "decoder": lambda c: Decoder(DecoderConfig.from_dict(c)),
    "classifier": lambda c: NoisyClassifier(ClassifierConfig.from_dict(c)),
    "noisy_clip": lambda c: NoisyCLIP(NoisyCLIPConfig.from_dict(c)),
}
"""Stage -> its module from a stored config."""

PARTS = ("clip", "prior", "decoder")
"""The stages whose weights decide a picture; the others only guide it where somebody asks for that."""

SAMPLERS: dict[str, Sampler] = {
    "ancestral": DDIM(eta=1.0),
    "dpm++2m-sde": DPMSolverPP2M(eta=1.0),
    "dpm++2m": DPMSolverPP2M(),
    "ddim": DDIM(),
    "ddpm": Ancestral(),
}
"""Names that a person types. `ancestral`: variance beta-tilde, any steps; `ddpm`: variance beta, wants T = 1000."""


@dataclass(frozen=True)
class Settings(Config):
    """What a person may change at generation; None: as the decoder was stored."""

    steps: int | None = None
    guidance: float | None = None
    sampler: str | None = None

    def apply(self, how: Sampling) -> Sampling:
        """The decoder's sampling with these changes. Raises ValueError for an unknown sampler or bad numbers."""
        if self.sampler is not None and self.sampler not in SAMPLERS:
            raise ValueError(f"sampler = {self.sampler!r}: known are {', '.join(SAMPLERS)}")
        if self.guidance is not None:
            how = replace(how, guidance=ClassifierFree(self.guidance, limit=1.0))
        if self.sampler is not None:
            how = replace(how, sampler=SAMPLERS[self.sampler])
        return replace(how, steps=self.steps or how.steps)


@dataclass
class TextToImage:
    """The trained stages of a run, in evaluation mode; one still in training may lack the later ones."""

    tokenizer: Tokenizer
    clip: CLIP
    prior: Prior | None = None
    decoder: Decoder | None = None
    device: str = "cpu"
    precision: str = "float32"
    hash: str = "unsaved"
    batch: int = 32

    def generate(
        self, prompts: Sequence[str], n: int = 1, seed: int = 0, settings: Settings | None = None
    ) -> list[Image.Image]:
        """n pictures a prompt, in the prompts' order; picture i of a prompt has seed + i.

        The same prompt, seed and settings give the same picture alone, in a batch and after a restart. Each picture
        carries what made it in `info["unclip"]`. Raises ValueError for an empty prompt, n < 1 or bad settings.
        """
        settings = settings or Settings()
        wanted = [(p, seed + i) for p in self._checked(prompts, n) for i in range(n)]
        pictures = []
        for start in range(0, len(wanted), self.batch):
            pictures += self._batch(wanted[start : start + self.batch], settings)
        return pictures

    def cut(self, prompts: Sequence[str]) -> dict[str, str]:
        """Prompts longer than the model's context -> what is left of them."""
        long = [p for p, n in zip(prompts, self.tokenizer.lengths(prompts), strict=True) if n > self.tokenizer.context]
        return {p: self.tokenizer.decode(self.tokenizer([p])[0][0].tolist()) for p in long}

    def embed_prompts(self, prompts: Sequence[str], seeds: Sequence[int]) -> Vectors:
        """The prior's image embeddings [b, d], unit vectors."""
        ids, mask = (t.to(self.device) for t in self.tokenizer(prompts))
        noise = Noise.per_sample(seeds, self.device)
        with torch.no_grad(), self._autocast():
            text, tokens = self.clip.embed_text(ids, mask)
            prior = there(self.prior, "prior")
            candidates = [noise.fork(f"prior{i}") for i in range(prior.config.candidates)]
            return prior.sample(text, tokens, mask, candidates)

    def steps(self, prompts: Sequence[str], seeds: Sequence[int], settings: Settings | None = None) -> Iterator[Step]:
        """Every decoder step for one batch of prompts; the last step's x is the picture."""
        z = self.embed_prompts(prompts, seeds)
        how = (settings or Settings()).apply(there(self.decoder, "decoder").config.sampling)
        yield from self.decode(z, prompts, seeds, how)

    def decode(self, z: Vectors, prompts: Sequence[str], seeds: Sequence[int], how: Sampling) -> Iterator[Step]:
        """Decoder steps for given image embeddings and captions."""
        ids, mask = (t.to(self.device) for t in self.tokenizer(prompts))
        noise = Noise.per_sample(seeds, self.device).fork("decoder")
        with self._autocast():
            yield from there(self.decoder, "decoder").sample(z, ids, mask, noise, how)

    def embed_images(self, images: Images) -> Vectors:
        """CLIP embeddings of pictures in [-1, 1]."""
        with torch.no_grad(), self._autocast():
            return self.clip.embed_images(images.to(self.device))

    def embed_captions(self, captions: Sequence[str]) -> Vectors:
        """CLIP embeddings of captions."""
        ids, mask = (t.to(self.device) for t in self.tokenizer(captions))
        with torch.no_grad(), self._autocast():
            return self.clip.embed_text(ids, mask)[0]

    def _batch(self, wanted: Sequence[tuple[str, int]], settings: Settings) -> list[Image.Image]:
        prompts, seeds = [p for p, _ in wanted], [s for _, s in wanted]
        *_, last = self.steps(prompts, seeds, settings)
        pictures = to_pictures(last.x.cpu())
        for picture, prompt, seed in zip(pictures, prompts, seeds, strict=True):
            picture.info[KEY] = self._about(prompt, seed, settings)
        return pictures

    def _about(self, prompt: str, seed: int, settings: Settings) -> dict[str, Any]:
        how = settings.apply(there(self.decoder, "decoder").config.sampling).to_dict()
        return {"prompt": prompt, "seed": seed, "sampling": how, "model": self.hash, "unclip": unclip.__version__}

    def _checked(self, prompts: Sequence[str], n: int) -> Sequence[str]:
        if isinstance(prompts, str):
            raise ValueError(f"prompts = {prompts!r}: pass a list of prompts, [{prompts!r}]")
        if n < 1:
            raise ValueError(f"n = {n}: ask for at least 1 picture a prompt")
        if not prompts or any(not p.strip() for p in prompts):
            raise ValueError("an empty prompt: write what the picture shows, in words like those of the captions")
        return prompts

    def _autocast(self) -> torch.autocast:
        return torch.autocast(self.device, torch.bfloat16, enabled=self.precision == "bfloat16")


def there(part: M | None, name: str) -> M:
    """The part, if it is trained; raises ValueError otherwise."""
    if part is None:
        raise ValueError(f"this model has no {name} yet; train that stage first")
    return part


def load(run: str | Path, device: str | None = None) -> TextToImage:
    """The model of a finished run folder.

    Raises ValueError that names the missing stage, or the damaged file.
    """
    folder = RunFolder(Path(run))
    folder.require()
    machine.prepare_memory()
    device = device or machine.device()
    clip, prior, decoder = (load_stage(folder, name, device) for name in PARTS)
    return TextToImage(
        tokenizer=Tokenizer.load(folder.tokenizer, clip.config.text.context),
        clip=clip,
        prior=prior,
        decoder=decoder,
        device=device,
        precision=machine.best_precision(device),
        hash=model_hash(folder),
    )


def model_hash(folder: RunFolder) -> str:
    """Twelve hex digits over the SHA-256 of all three stages' weights."""
    shas = "".join(store.sha256(folder.root / name / store.WEIGHTS) for name in PARTS)
    return hashlib.sha256(shas.encode()).hexdigest()[:12]


def load_stage(folder: RunFolder, name: str, device: str) -> Any:
    """A finished stage of a run, frozen, in evaluation mode. Raises ValueError that names the file."""
    stored = store.load(folder.root / name, name)
    module = BUILDERS[name](stored.config)
    try:
        module.load_state_dict(stored.tensors)
    except RuntimeError as error:
        raise ValueError(
            f"{folder.root / name}: made by another version of unclip, its weights do not fit this {name} "
            f"({str(error).splitlines()[0]}); use that version or train again"
        ) from error
    return module.to(device).eval().requires_grad_(False)
