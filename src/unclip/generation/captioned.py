"""What every finished text-to-image model is: a tokenizer and a CLIP of its own, and prompts in words."""

from abc import ABC
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import torch

from unclip.clip.model import CLIP
from unclip.clip.vision import NoTower
from unclip.core.typing import Images, Vectors
from unclip.data.prepare.read import has_words, read_words
from unclip.generation.base import ImageModel
from unclip.runs.embeddings import BATCH
from unclip.runs.modules import Stages
from unclip.text import words
from unclip.text.tokenizer import Tokenizer

C = TypeVar("C", bound="CaptionedModel")


@dataclass
class CaptionedModel(ImageModel, ABC):
    """The base class of text-to-image models: a tokenizer, and a CLIP that can also judge the images."""

    tokenizer: Tokenizer
    clip: CLIP

    @classmethod
    def of(cls: type[C], stages: Stages, **parts: Any) -> C:
        """The model of a run folder, with its tokenizer and CLIP. Raises ValueError that names the damaged file."""
        return super().of(stages, tokenizer=stages.tokenizer(), clip=stages("clip", CLIP), **parts)

    @property
    def sees(self) -> bool:
        """Whether its CLIP has an image tower, which that of some imported models has not."""
        return not isinstance(self.clip.vision, NoTower)

    def expand_request(self, prompts: Sequence[str], n: int, seed: int) -> list[tuple[str, int]]:
        """Lists (prompt, seed) for n images of each prompt. Raises ValueError for no prompt, or an empty one."""
        if not prompts:
            raise ValueError('no prompt: write what the image shows, as unclip generate "a red heart" --run runs/mine')
        if any(not p.strip() for p in prompts):
            raise ValueError("an empty prompt: write what the image shows, in words like those of the captions")
        return [(p, seed + i) for p in prompts for i in range(n)]

    def truncated(self, prompts: Sequence[str]) -> dict[str, tuple[str, str]]:
        """Maps each prompt that is longer than the context to (what the model reads of it, what it does not)."""
        long = [p for p, n in zip(prompts, self.tokenizer.lengths(prompts), strict=True) if n > self.tokenizer.context]
        return {p: self.tokenizer.split(p) for p in long}

    def unknown(self, prompts: Sequence[str]) -> dict[str, list[str]]:
        """Maps each prompt with words that no caption of the run holds to those words; {} where the data are gone."""
        if self.folder is None or not has_words(self.folder.data):
            return {}
        return words.unseen(prompts, read_words(self.folder.data))

    def embed_images(self, images: Images) -> Vectors:
        """Embeds images, [b, c, size, size] in [-1, 1], by CLIP: unit vectors, [b, d]."""
        with torch.no_grad(), self.autocast():
            return torch.cat([self.clip.embed_images(part.to(self.device)) for part in images.split(BATCH)])

    def embed_captions(self, captions: Sequence[str]) -> Vectors:
        """Embeds captions by CLIP: unit vectors, [b, d]."""
        parts = (self.tokenizer(captions[i : i + BATCH]) for i in range(0, len(captions), BATCH))
        with torch.no_grad(), self.autocast():
            return torch.cat([self.clip.embed_text(i.to(self.device), m.to(self.device))[0] for i, m in parts])
