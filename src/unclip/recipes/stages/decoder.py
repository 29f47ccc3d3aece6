"""The decoder as a stage: from a CLIP image embedding and a caption to an image."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import ClassVar, Literal

import numpy as np
import torch
from torch import nn

from unclip.clip.model import CLIPConfig
from unclip.clip.text import TextConfig, TextEncoderConfig
from unclip.core.config.base import options
from unclip.core.config.ranges import Count, CountOrNone, Depth, Share
from unclip.core.shown import shell_command
from unclip.diffusion.process import DiffusionConfig, Sampling
from unclip.diffusion.samplers import DDIM, Ancestral
from unclip.evaluation import suite
from unclip.evaluation.alignment import matched_against_shuffled
from unclip.generation.captioned import CaptionedModel
from unclip.generation.text_to_image import TextToImage
from unclip.models.autoencoder.shipped import shipped_autoencoder, shipped_coder
from unclip.models.autoencoder.space import CodeSpace
from unclip.models.codes import check_codes, check_unlimited, side_denoised, without_range
from unclip.models.decoder import Decoder, DecoderConfig, DecoderOptions, decoder_diffusion
from unclip.models.priors.diffusion import Prior
from unclip.models.sketch import SketchedConfig
from unclip.nn.backbones.config import ImageNetworkConfig
from unclip.nn.backbones.unet import UNetConfig
from unclip.recipes.context import Context
from unclip.recipes.events import Gate
from unclip.recipes.gates import PICTURES, clear, judge, likeness_of, pairs_of
from unclip.recipes.settings.recipe import Recipe
from unclip.recipes.settings.run import RunConfig
from unclip.recipes.stages.base import Stage, StageRecipe, TokenizerSize
from unclip.recipes.stages.batches import assembled, caption_preview, check_multiple, decoder_feed
from unclip.recipes.stages.clip import clip_of, heads
from unclip.training.optim import OptimConfig
from unclip.training.trainer import TrainConfig

FIXED = (DDIM(eta=1.0), Ancestral("beta"), Ancestral("beta_tilde"))
"""Ancestral samplers whose variance is given."""


@dataclass(frozen=True)
class DecoderRecipe(DecoderOptions, StageRecipe):
    """network: any of the family; what follows from CLIP, text and loss (its vector_width, token_width,
    learned_variance) is filled in, and a learned variance is sampled with.

    space: what it denoises, the codes of the autoencoder that ships, or pixels; codes have no range, so limits of
    the diffusion and of its guidance are left out.
    text: "clip" starts as a copy of CLIP's tower, which knows the words, and is trained on; "frozen" stays that copy;
    "own" starts from random weights, as the paper's, of text_width, text_layers and heads of 64 channels.
    sketch: the side of a small image that a transformer over words and places guesses for the network, of sketch_width,
    sketch_layers and heads of 32 channels (docs/decoder.md); 0: none.
    """

    name: ClassVar[str] = "decoder"
    trained_by: ClassVar[tuple[str, ...]] = ("unclip",)
    follows: ClassVar[tuple[str, ...]] = ("clip", "prior")

    network: ImageNetworkConfig = field(
        default_factory=lambda: UNetConfig(patch=2, widths=(32, 64), blocks=(1, 4), attention=(False, True))
    )
    diffusion: DiffusionConfig = field(default_factory=lambda: decoder_diffusion(0.8, 1.2))
    space: Literal["codes", "pixels"] = "pixels"
    text: Literal["clip", "frozen", "own"] = "clip"
    text_width: Count = 128
    text_layers: Depth = 3
    sketch: CountOrNone = 0
    sketch_width: Count = 64
    sketch_layers: Depth = 3
    share: Share = 0.75
    train: TrainConfig = field(default_factory=lambda: TrainConfig(32, OptimConfig(lr=2e-3, muon_lr=3e-3)))

    def __post_init__(self) -> None:
        if self.space == "codes":  # they have no range, so limits of images are left out
            diffusion, sampling = without_range(self.diffusion, self.sampling)
            object.__setattr__(self, "diffusion", diffusion)
            object.__setattr__(self, "sampling", sampling)

    def check(self, size: int, recipes: Mapping[str, Recipe]) -> None:
        if size not in (32, 64):
            larger = shell_command("unclip", "add", "upsampler", "DATA", "--run", "RUN", "--size", max(128, size))
            raise ValueError(
                f"size = {size}: the decoder draws 32 or 64 px; for larger images train with size 64, then "
                f"`{larger}` draws on"
            )
        if self.space == "pixels":
            check_multiple(size, self.network)
            return
        check_codes(size, shipped_coder().factor, self.network)
        check_unlimited(self.diffusion, "decoder.diffusion")

    def config(self, size: int, clip: CLIPConfig) -> DecoderConfig:
        """The decoder that fits this CLIP. Raises ValueError where the settings do not go together."""
        text, learned = self._text(clip), self.diffusion.vlb_weight > 0
        vector, tokens = clip.width + text.width, self.caption_width or text.width
        coder = shipped_coder() if self.space == "codes" else None
        channels = coder.latent if coder else self.network.channels
        network = self.network.changed(
            channels=channels, vector_width=vector, token_width=tokens, learned_variance=learned
        )
        if self.sketch:
            network = self._sketched(network, side_denoised(size, coder), text)
        sampling = with_learned_variance(self.sampling) if learned else self.sampling
        chosen = options(self, DecoderOptions, network=network, sampling=sampling)
        return DecoderConfig(**chosen, size=size, embedding_width=clip.width, text=text, coder=coder)

    def _sketched(self, network: ImageNetworkConfig, side: int, text: TextEncoderConfig) -> SketchedConfig:
        """The network, and a sketch that it sees."""
        return SketchedConfig(
            network.changed(image_channels=network.channels),
            side,
            self.sketch,
            text.vocabulary,
            text.context,
            self.diffusion.parameterization,
            self.sketch_width,
            self.sketch_layers,
        )

    def _text(self, clip: CLIPConfig) -> TextEncoderConfig:
        """The text tower: CLIP's, or one of its own on the same tokens."""
        if self.text != "own":
            return clip.text
        of = clip.text
        activation = of.activation if isinstance(of, TextConfig) else "gelu"
        own = heads(self.text_width, paper=True)
        return TextConfig(of.vocabulary, of.context, self.text_width, self.text_layers, own, activation)

    def largest(self, config: RunConfig, words: TokenizerSize) -> nn.Module:
        return Decoder(self.config(config.size, clip_of(config, words)))

    def build(self, ctx: Context, name: str) -> Stage[Decoder]:
        """Unless it has a text tower of its own, that starts as CLIP's, which already knows the words."""
        module = Decoder(self.config(ctx.config.size, ctx.clip.config))
        module.statistics.fit(ctx.embeddings[torch.from_numpy(ctx.splits.train)])
        if self.text != "own":
            module.text.load_state_dict(ctx.clip.text.state_dict())
            module.text.requires_grad_(self.text == "clip")
        if isinstance(module.space, CodeSpace):
            shipped = shipped_autoencoder()
            module.space.start(shipped, ctx.codes_by(shipped)[torch.from_numpy(ctx.splits.train)])

        def whole(decoder: Decoder) -> TextToImage:
            return assembled(ctx, clip=ctx.clip, prior=ctx.finished("prior", Prior), decoder=decoder)

        return Stage(
            module.to(ctx.device),
            decoder_feed(ctx, self.train, module),
            gate=lambda decoder: judge(ctx, decoder_gate, whole(decoder)),
            preview=lambda decoder: caption_preview(ctx, whole(decoder)),
        )


def with_learned_variance(how: Sampling) -> Sampling:
    """Ancestral steps take the variance that the network learns; another sampler stays."""
    return replace(how, sampler=Ancestral("learned")) if how.sampler in FIXED else how


def decoder_gate(ctx: Context, rows: np.ndarray, model: CaptionedModel, stage: str = "decoder") -> Gate:
    """Images fit their own captions better than others', and are of the data's kind rather than noise."""
    real, captions = pairs_of(ctx, rows, PICTURES)
    made = suite.generate_for_captions(model, captions, ctx.config.seed)
    like = likeness_of(ctx, made, real)
    if not model.sees:
        return Gate(stage, not like.noise, f"{like.said()}; its CLIP has no image tower to score them by", like.metrics)
    texts = model.embed_captions(captions)
    score, of_real = (matched_against_shuffled(model.embed_images(x), texts, captions) for x in (made, real))
    why = f"{like.said()}; CLIP score {score['matched']:.3f}, shuffled {score['shuffled']:.3f}"
    metrics = {**score, **like.metrics, "real_matched": of_real["matched"]}
    return Gate(stage, clear(score) and not like.noise, why, metrics)
