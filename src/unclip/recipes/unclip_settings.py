"""The settings of the stages of an unCLIP run."""

from dataclasses import dataclass, field
from typing import Any, Literal

from unclip.core.config import Config
from unclip.diffusion.guidance import ClassifierFree
from unclip.diffusion.process import DiffusionConfig, Sampling
from unclip.models.decoder import decoder_diffusion, decoder_sampling
from unclip.nn.image_network import ImageNetworkConfig
from unclip.nn.unet import UNetConfig
from unclip.train.optim import OptimConfig
from unclip.train.trainer import TrainConfig


@dataclass(frozen=True)
class CLIPRecipe(Config):
    """Sizes of both towers; share: of the time budget.

    vision: the image tower, a convolutional stem (vision_stem) or the paper's ViT (vision_patch), which brings the
    paper's text tower and loss with it. form: of the loss; None: sigmoid for the stem, softmax for the ViT.
    """

    width: int = 128
    form: Literal["softmax", "sigmoid"] | None = None
    text_width: int = 128
    text_layers: int = 3
    vision: Literal["conv", "vit"] = "conv"
    vision_stem: tuple[int, ...] = (32, 64, 128)
    vision_patch: int = 8
    vision_width: int = 192
    vision_layers: int = 3
    share: float = 0.17
    train: TrainConfig = field(default_factory=lambda: TrainConfig(64, OptimConfig(lr=1e-3, muon_lr=1e-3, decay=0.05)))


@dataclass(frozen=True)
class PriorRecipe(Config):
    """Sizes of the prior's transformer. The paper's prior: scaling "unit", 64 steps; see `PriorConfig`."""

    width: int = 192
    layers: int = 4
    drop_text: float = 0.1
    candidates: int = 2
    steps: int = 32
    scaling: Literal["standardised", "unit"] = "standardised"
    share: float = 0.08
    train: TrainConfig = field(default_factory=lambda: TrainConfig(64, OptimConfig(lr=1e-3, muon_lr=1e-3)))


@dataclass(frozen=True)
class DecoderRecipe(Config):
    """The decoder. network: any of the family; what follows from CLIP, text and loss (its vector_width, token_width,
    learned_variance) is filled in, and a learned variance is sampled with (`recipes.decoder`).

    text: "clip" starts as a copy of CLIP's tower, which knows the words; "own" from random weights, as the paper's, of
    text_width, text_layers and heads of 64 channels.
    """

    network: ImageNetworkConfig = field(
        default_factory=lambda: UNetConfig(patch=2, widths=(32, 64), blocks=(1, 4), attention=(False, True))
    )
    text: Literal["clip", "own"] = "clip"
    text_width: int = 128
    text_layers: int = 3
    diffusion: DiffusionConfig = field(default_factory=lambda: decoder_diffusion(0.8, 1.2))
    sampling: Sampling = field(default_factory=decoder_sampling)
    drop_embedding: float = 0.1
    drop_caption: float = 0.5
    image_tokens: int = 4
    share: float = 0.75
    train: TrainConfig = field(default_factory=lambda: TrainConfig(32, OptimConfig(lr=2e-3, muon_lr=3e-3)))

    @classmethod
    def from_dict(cls, data: Any, where: str = "settings") -> "DecoderRecipe":
        """Takes the run files of before `network` was a setting, too."""
        old = isinstance(data, dict) and data.keys() >= OLD
        return super().from_dict(as_today(data) if old else data, where)


OLD = {"patch", "widths", "blocks", "attention", "fine", "level_mean", "level_std", "steps", "guidance"}
"""Settings of a decoder that run files held, all of them, before `network`, `diffusion` and `sampling` were."""


def as_today(old: dict[str, Any]) -> dict[str, Any]:
    """The settings of such a file in today's form."""
    network = {"kind": "UNetConfig", **{k: old[k] for k in ("patch", "widths", "blocks", "attention", "fine")}}
    diffusion = decoder_diffusion(old["level_mean"], old["level_std"]).to_dict()
    sampling = decoder_sampling().to_dict() | {"steps": old["steps"]}
    sampling["guidance"] = ClassifierFree(old["guidance"], limit=1.0).to_dict()
    kept = {name: value for name, value in old.items() if name not in OLD}
    return {**kept, "network": network, "diffusion": diffusion, "sampling": sampling}
