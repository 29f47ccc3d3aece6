"""Networks: `backbones` for images, `prior` for embeddings, `autoencoder`, and the `blocks` that they are made of.

from unclip.nn import MLP, DiTConfig, ImageNetworkConfig, LevelEmbedding, UNetConfig
"""

from typing import TYPE_CHECKING

from unclip.core.imports.lazy import lazy

if TYPE_CHECKING:
    from unclip.core.config.ranges import Count as Count
    from unclip.core.config.ranges import CountOrNone as CountOrNone
    from unclip.core.typing import Images as Images
    from unclip.core.typing import Mask as Mask
    from unclip.core.typing import PerSample as PerSample
    from unclip.core.typing import Tokens as Tokens
    from unclip.core.typing import Vectors as Vectors
    from unclip.nn.autoencoder.coder import CoderConfig as CoderConfig
    from unclip.nn.autoencoder.patch_critic import PatchCritic as PatchCritic
    from unclip.nn.autoencoder.patch_critic import PatchCriticConfig as PatchCriticConfig
    from unclip.nn.backbones import DiffusionUNet as DiffusionUNet
    from unclip.nn.backbones import DiffusionUNetConfig as DiffusionUNetConfig
    from unclip.nn.backbones import DiT as DiT
    from unclip.nn.backbones import DiTConfig as DiTConfig
    from unclip.nn.backbones import ImageNetworkConfig as ImageNetworkConfig
    from unclip.nn.backbones import UNet as UNet
    from unclip.nn.backbones import UNetConfig as UNetConfig
    from unclip.nn.blocks.attention import ImageAttention as ImageAttention
    from unclip.nn.blocks.embed import ConditionEmbedding as ConditionEmbedding
    from unclip.nn.blocks.embed import LevelEmbedding as LevelEmbedding
    from unclip.nn.blocks.embed import Standardize as Standardize
    from unclip.nn.blocks.embed import TimestepEmbedding as TimestepEmbedding
    from unclip.nn.blocks.embed import UnitScale as UnitScale
    from unclip.nn.blocks.mlp import MLP as MLP
    from unclip.nn.blocks.resblock import ResBlock as ResBlock
    from unclip.nn.blocks.resblock import ResBlockConfig as ResBlockConfig
    from unclip.nn.blocks.transformer import Transformer as Transformer
    from unclip.nn.prior.caption_net import CaptionNet as CaptionNet
    from unclip.nn.prior.caption_net import PriorNetConfig as PriorNetConfig
    from unclip.nn.prior.code_net import CodeNet as CodeNet
    from unclip.nn.prior.prior_net import PriorNet as PriorNet
    from unclip.nn.prior.query_net import QueryNet as QueryNet
else:
    __all__, __getattr__, __dir__ = lazy(
        __name__,
        {
            "unclip.nn.backbones": "ImageNetworkConfig UNet UNetConfig DiffusionUNet DiffusionUNetConfig DiT DiTConfig",
            "unclip.core.config.ranges": "Count CountOrNone",
            "unclip.core.typing": "Images Vectors Tokens Mask PerSample",
            "unclip.nn.blocks.mlp": "MLP",
            "unclip.nn.blocks.transformer": "Transformer",
            "unclip.nn.blocks.attention": "ImageAttention",
            "unclip.nn.blocks.resblock": "ResBlock ResBlockConfig",
            "unclip.nn.blocks.embed": "LevelEmbedding TimestepEmbedding ConditionEmbedding Standardize UnitScale",
            "unclip.nn.prior.caption_net": "CaptionNet PriorNetConfig",
            "unclip.nn.prior.prior_net": "PriorNet",
            "unclip.nn.prior.code_net": "CodeNet",
            "unclip.nn.prior.query_net": "QueryNet",
            "unclip.nn.autoencoder.coder": "CoderConfig",
            "unclip.nn.autoencoder.patch_critic": "PatchCritic PatchCriticConfig",
        },
    )
