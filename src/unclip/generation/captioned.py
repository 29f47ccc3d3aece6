"""What every finished text-to-image model is: a tokenizer and a CLIP of its own, and prompts in words."""

from abc import ABC
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import torch

from unclip.clip.model import CLIP
from unclip.core.typing import Images, Vectors
from unclip.data.prepare.read import read_captions
from unclip.generation.base import ImageModel
from unclip.runs.modules import Stages
from unclip.text import words
from unclip.text.tokenizer import Tokenizer

C = TypeVar("C", bound="CaptionedModel")

BATCH = 256
"""Pictures or captions that CLIP sees at a time."""


@dataclass
class CaptionedModel(ImageModel, ABC):
    """Base of the models that draw what a sentence says; their CLIP also judges the pictures."""

    tokenizer: Tokenizer
    clip: CLIP

    @classmethod
    def of(cls: type[C], stages: Stages, **parts: Any) -> C:
        """The model of a run folder, with its tokenizer and CLIP. Raises ValueError that names the damaged file."""
        return super().of(stages, tokenizer=stages.tokenizer(), clip=stages("clip", CLIP), **parts)

    def asked(self, prompts: Sequence[str], n: int, seed: int) -> list[tuple[str, int]]:
        """n pictures a prompt, in the prompts' order."""
        if not prompts:
            raise ValueError(
                'no prompt: write what the picture shows, as unclip generate "a red heart" --run runs/mine'
            )
        if any(not p.strip() for p in prompts):
            raise ValueError("an empty prompt: write what the picture shows, in words like those of the captions")
        return [(p, seed + i) for p in prompts for i in range(n)]

    def cut(self, prompts: Sequence[str]) -> dict[str, tuple[str, str]]:
        """Prompts longer than the model's context -> (what it reads of them, what it does not)."""
        long = [p for p, n in zip(prompts, self.tokenizer.lengths(prompts), strict=True) if n > self.tokenizer.context]
        return {p: self.tokenizer.split(p) for p in long}

    def unknown(self, prompts: Sequence[str]) -> dict[str, list[str]]:
        """Prompts with words that no caption of the run's data holds -> those words; none where the data are gone."""
        if self.folder is None or not (self.folder.data / "captions.jsonl").exists():
            return {}
        return words.unseen(prompts, read_captions(self.folder.data))

    def embed_images(self, images: Images) -> Vectors:
        """CLIP embeddings of pictures in [-1, 1], `BATCH` at a time."""
        with torch.no_grad(), self.autocast():
            return torch.cat([self.clip.embed_images(part.to(self.device)) for part in images.split(BATCH)])

    def embed_captions(self, captions: Sequence[str]) -> Vectors:
        """CLIP embeddings of captions, `BATCH` at a time."""
        parts = (self.tokenizer(captions[i : i + BATCH]) for i in range(0, len(captions), BATCH))
        with torch.no_grad(), self.autocast():
            return torch.cat([self.clip.embed_text(i.to(self.device), m.to(self.device))[0] for i, m in parts])
