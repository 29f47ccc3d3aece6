"""The diffusion over an autoencoder's codes as a stage (Rombach et al. 2022)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
import torch
from torch import nn

from unclip.clip.model import CLIPConfig
from unclip.core.config.base import options
from unclip.core.config.ranges import Share
from unclip.core.noise import Noise
from unclip.generation.latent_diffusion import LatentPipeline
from unclip.models.autoencoder.model import Autoencoder, Posterior
from unclip.models.codes import check_codes, check_unlimited
from unclip.models.latent import LatentConfig, LatentDiffusion, LatentOptions
from unclip.nn.autoencoder.coder import CoderConfig
from unclip.nn.backbones.config import ImageNetworkConfig
from unclip.nn.backbones.unet import UNetConfig
from unclip.recipes.context import Context
from unclip.recipes.events import Gate
from unclip.recipes.gates import judge
from unclip.recipes.settings.recipe import Recipe
from unclip.recipes.settings.run import RunConfig
from unclip.recipes.stages.autoencoder import AutoencoderRecipe, pipeline
from unclip.recipes.stages.base import Stage, StageRecipe, TokenizerSize
from unclip.recipes.stages.batches import caption_preview, feed
from unclip.recipes.stages.decoder import decoder_gate
from unclip.training.optim import OptimConfig
from unclip.training.trainer import TrainConfig


@dataclass(frozen=True)
class LatentRecipe(LatentOptions, StageRecipe):
    """network: any of the family; channels, vector and token width follow from the rest."""

    name: ClassVar[str] = "latent"
    trained_by: ClassVar[tuple[str, ...]] = ("latent",)
    follows: ClassVar[tuple[str, ...]] = ("clip", "autoencoder")

    network: ImageNetworkConfig = field(
        default_factory=lambda: UNetConfig(patch=1, widths=(64, 96), blocks=(1, 4), attention=(False, True))
    )
    share: Share = 0.58
    train: TrainConfig = field(default_factory=lambda: TrainConfig(32, OptimConfig(lr=2e-3, muon_lr=3e-3)))

    def check(self, size: int, recipes: Mapping[str, Recipe]) -> None:
        """Raises ValueError where images of `size` px cannot pass through both networks."""
        autoencoder = recipes[AutoencoderRecipe.name]
        assert isinstance(autoencoder, AutoencoderRecipe)
        check_codes(size, autoencoder.coder.factor, self.network)
        check_unlimited(self.diffusion, "latent.diffusion")

    def config(self, size: int, coder: CoderConfig, clip: CLIPConfig) -> LatentConfig:
        """The diffusion that fits this autoencoder and this CLIP."""
        width = clip.text.width
        feature = width if self.padding is None else 0
        network = self.network.changed(channels=coder.latent, vector_width=feature, token_width=width)
        chosen = options(self, LatentOptions, network=network)
        return LatentConfig(**chosen, side=size // coder.factor, text=clip.text)

    def largest(self, config: RunConfig, words: TokenizerSize) -> nn.Module:
        return self.network.build()

    def build(self, ctx: Context, name: str) -> Stage[LatentDiffusion]:
        """Over the codes of all images, which are made once; its text tower starts as CLIP's."""
        autoencoder, coder = ctx.finished("autoencoder", Autoencoder), ctx.config.of(AutoencoderRecipe).coder
        module = LatentDiffusion(self.config(ctx.config.size, coder, ctx.clip.config))
        codes = Posterior.of(ctx.latents[torch.from_numpy(ctx.splits.train)])
        module.fit(codes.sample(Noise.shared(ctx.config.seed, "statistics")))
        module.text.load_state_dict(ctx.clip.text.state_dict())
        batches = feed(ctx, self.train)
        batches.with_images, batches.encode = False, lambda: ctx.encoded
        return Stage(
            module.to(ctx.device),
            batches,
            gate=lambda m: judge(ctx, latent_gate, pipeline(ctx, autoencoder, m)),
            preview=lambda m: caption_preview(ctx, pipeline(ctx, autoencoder, m)),
        )


def latent_gate(ctx: Context, rows: np.ndarray, model: LatentPipeline) -> Gate:
    """As the decoder's: images fit their own captions better than others', and are not noise."""
    return decoder_gate(ctx, rows, model, "latent")
