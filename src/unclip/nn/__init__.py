"""Networks: `backbones` for pictures, `prior` for embeddings, `autoencoder`, and the `blocks` that they are made of."""

from typing import TYPE_CHECKING

from unclip.core.lazy import lazy

if TYPE_CHECKING:
    from unclip.nn.autoencoder.coder import CoderConfig as CoderConfig
    from unclip.nn.backbones import DiffusionUNet as DiffusionUNet
    from unclip.nn.backbones import DiffusionUNetConfig as DiffusionUNetConfig
    from unclip.nn.backbones import DiT as DiT
    from unclip.nn.backbones import DiTConfig as DiTConfig
    from unclip.nn.backbones import ImageNetworkConfig as ImageNetworkConfig
    from unclip.nn.backbones import UNet as UNet
    from unclip.nn.backbones import UNetConfig as UNetConfig
    from unclip.nn.blocks.embed import LevelEmbedding as LevelEmbedding
    from unclip.nn.blocks.mlp import MLP as MLP
    from unclip.nn.blocks.transformer import Transformer as Transformer
    from unclip.nn.prior.prior_net import PriorNet as PriorNet
    from unclip.nn.prior.prior_net import PriorNetConfig as PriorNetConfig

_HOMES = {
    "ImageNetworkConfig": "backbones",
    "UNet": "backbones",
    "UNetConfig": "backbones",
    "DiffusionUNet": "backbones",
    "DiffusionUNetConfig": "backbones",
    "DiT": "backbones",
    "DiTConfig": "backbones",
    "MLP": "blocks.mlp",
    "Transformer": "blocks.transformer",
    "LevelEmbedding": "blocks.embed",
    "PriorNet": "prior.prior_net",
    "PriorNetConfig": "prior.prior_net",
    "CoderConfig": "autoencoder.coder",
}
"""Public name -> the module below that it is imported from when it is first used."""
__all__ = [*_HOMES]  # pyright: ignore[reportUnsupportedDunderAll]
__getattr__ = lazy(__name__, _HOMES)
