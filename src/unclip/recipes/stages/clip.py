"""CLIP as a stage: ours for small data, or the paper's."""

from dataclasses import dataclass, field, replace
from typing import ClassVar, Literal

import numpy as np
from torch import nn

from unclip.clip.model import CLIP, CLIPConfig
from unclip.clip.text import TextConfig, TextEncoderConfig
from unclip.clip.vision import ImageTowerConfig, VisionConfig, ViTConfig
from unclip.core.config.ranges import Count, Depth, Patch, Share, Widths
from unclip.evaluation import suite
from unclip.generation.captioned import CaptionedModel
from unclip.recipes.context import Context
from unclip.recipes.events import Gate
from unclip.recipes.gates import judge, pairs_of
from unclip.recipes.settings.run import RunConfig
from unclip.recipes.stages.base import Stage, StageRecipe, TokenizerSize
from unclip.recipes.stages.batches import assembled, feed
from unclip.training.optim import OptimConfig
from unclip.training.trainer import TrainConfig

HEAD, PAPER_HEAD = 32, 64
"""Channels of one attention head: ours, and those of every tower of the paper."""


@dataclass(frozen=True)
class CLIPRecipe(StageRecipe):
    """Sizes of both towers; share: of the time budget.

    vision: the image tower, a convolutional stem (vision_stem) or the paper's ViT (vision_patch), which brings the
    paper's text tower and loss with it. form: of the loss; None: sigmoid for the stem, softmax for the ViT.
    text_encoder, image_encoder: any of their families, yours too, in the place of the above; None: the above. Their
    vocabulary, context and size are filled in.
    given: the folder of a CLIP that was trained elsewhere, whose weights it begins with; "": random ones. frozen:
    whether those stay as they are.
    """

    name: ClassVar[str] = "clip"
    trained_by: ClassVar[tuple[str, ...]] = ("unclip", "latent")

    width: Count = 128
    form: Literal["softmax", "sigmoid"] | None = None
    text_width: Count = 128
    text_layers: Depth = 3
    vision: Literal["conv", "vit"] = "conv"
    vision_stem: Widths = (32, 64, 128)
    vision_patch: Patch = 8
    vision_width: Count = 192
    vision_layers: Depth = 3
    text_encoder: TextEncoderConfig | None = None
    image_encoder: ImageTowerConfig | None = None
    given: str = ""
    frozen: bool = False
    share: Share = 0.17
    train: TrainConfig = field(default_factory=lambda: TrainConfig(64, OptimConfig(lr=1e-3, muon_lr=1e-3, decay=0.05)))

    def config(self, size: int, words: TokenizerSize) -> CLIPConfig:
        """Both towers and the loss, for images of `size` px. Raises ValueError where the tower does not fit them."""
        form = self.form or ("softmax" if self.vision == "vit" else "sigmoid")
        return CLIPConfig(self._text(words), self._tower(size), self.width, form)

    @property
    def trained(self) -> bool:
        return not self.frozen

    @property
    def has_stem(self) -> bool:
        """Whether its image tower has the stem of convolutions that a perceptual loss looks through."""
        own = self.image_encoder
        return self.vision == "conv" if own is None else isinstance(own, VisionConfig)

    def _text(self, words: TokenizerSize) -> TextEncoderConfig:
        if self.text_encoder is not None:
            sizes = {"vocabulary": words.size, "context": words.context}
            return replace(self.text_encoder, **sizes)  # pyright: ignore[reportArgumentType]
        width, paper = self.text_width, self.vision == "vit"
        activation = "quick_gelu" if paper else "gelu"
        return TextConfig(words.size, words.context, width, self.text_layers, heads(width, paper), activation)

    def _tower(self, size: int) -> ImageTowerConfig:
        if self.image_encoder is not None:
            return replace(self.image_encoder, size=size)  # pyright: ignore[reportArgumentType]
        width, layers = self.vision_width, self.vision_layers
        if self.vision == "vit":
            return ViTConfig(size, patch=self.vision_patch, width=width, layers=layers, heads=heads(width, True))
        return VisionConfig(size, stem=self.vision_stem, width=width, layers=layers, heads=heads(width, False))

    def largest(self, config: RunConfig, words: TokenizerSize) -> nn.Module:
        return CLIP(clip_of(config, words))

    def build(self, ctx: Context, name: str) -> Stage[CLIP]:
        """On images and captions."""
        module = CLIP(self.config(ctx.config.size, ctx.tokenizer)).to(ctx.device)
        return Stage(module, feed(ctx, self.train), gate=lambda clip: judge(ctx, clip_gate, assembled(ctx, clip=clip)))


def clip_of(config: RunConfig, words: TokenizerSize) -> CLIPConfig:
    """The CLIP that a run's settings mean."""
    return config.of(CLIPRecipe).config(config.size, words)


def heads(width: int, paper: bool = False) -> int:
    """Attention heads of a tower of this width; one at least."""
    return max(1, width // (PAPER_HEAD if paper else HEAD))


def clip_gate(ctx: Context, rows: np.ndarray, model: CaptionedModel) -> Gate:
    """R@1 at least twice chance, and above it by three standard errors."""
    if not model.sees:
        return Gate("clip", True, "not judged: it has no image tower", {"judged": 0.0})
    images, captions = pairs_of(ctx, rows)
    metrics = suite.score_clip(model, model.embed_images(images), captions)
    r1, chance = metrics["r1"], metrics["chance"]
    if chance == 1:
        return Gate("clip", False, "all captions are the same: there is nothing to tell apart", metrics)
    noise = 3 * (chance * (1 - chance) / metrics["pictures"]) ** 0.5
    why = f"retrieval R@1 {r1:.1%}, R@5 {metrics['r5']:.1%}, chance {chance:.1%}"
    return Gate("clip", r1 >= 2 * chance and r1 > chance + noise, why, metrics)
