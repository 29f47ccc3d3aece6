"""The settings and weights of a DDPM's network as those of diffusers' `UNet2DModel`.

Its time is a timestep t = 0 ... T - 1, ours a log-SNR. Where our network embeds DDPM's own timestep and the table is
DDPM's, both have the same sines. Everywhere else the T vectors of sines become a table of weights,
`time_embedding_type="learned"`, which gives the same features at each of the scheduler's timesteps.

A class has no place in a `DDPMPipeline`. As its vector is added to what the level's perceptron returns, one class can
be drawn by adding it to that one's last bias.
"""

from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F

from unclip.core.typing import Tensor
from unclip.interop.ddpm.names import pairs
from unclip.interop.ddpm.scheduler import Entries, levels
from unclip.interop.weights import to_theirs
from unclip.models.ddpm import DDPM
from unclip.nn.backbones.config import ImageNetworkConfig
from unclip.nn.backbones.diffusion_unet import DiffusionUNet, DiffusionUNetConfig
from unclip.nn.blocks.embed import TimestepEmbedding

CLOSE = 1e-2
"""Of a timestep: as near as the place of a table's entry, found in float32, comes to its number."""
LAST_BIAS = "time_embedding.linear_2.bias"


def checked(network: ImageNetworkConfig) -> DiffusionUNetConfig:
    """The settings, where `UNet2DModel` is such a network. Raises ValueError that says what is trained instead."""
    instead = "`unclip train DATA --preset ddpm-cifar10 --out RUN` trains one that it has"
    if not isinstance(network, DiffusionUNetConfig):
        raise ValueError(
            f"its network is {type(network).__name__.removesuffix('Config')}, and diffusers has no class for it; "
            f"{instead} (any settings of DiffusionUNetConfig)"
        )
    if network.block.norm != "group":
        raise ValueError(f"network.block.norm = {network.block.norm}: UNet2DModel has group norms alone; {instead}")
    return network


def settings(network: DiffusionUNetConfig, size: int, entries: Entries) -> dict[str, Any]:
    """The arguments of `UNet2DModel`."""
    halves, doubles = (
        ["Attn" + kind if attend else ("Resnet" + resampler if network.residual_resample else kind) for attend in row]
        for kind, resampler, row in (
            ("DownBlock2D", "DownsampleBlock2D", network.attention),
            ("UpBlock2D", "UpsampleBlock2D", network.attention[::-1]),
        )
    )
    how = "resnet" if network.residual_resample else "conv"
    learned = not shares_sines(network, entries)
    return {
        "_class_name": "UNet2DModel",
        "sample_size": size,
        "in_channels": network.channels,
        "out_channels": network.channels * (2 if network.learned_variance else 1),
        "time_embedding_type": "learned" if learned else "positional",
        "time_embedding_dim": network.embedding,
        "num_train_timesteps": len(entries) if learned else None,
        "freq_shift": 1,
        "flip_sin_to_cos": False,
        "down_block_types": halves,
        "up_block_types": doubles,
        "block_out_channels": list(network.widths),
        "layers_per_block": network.blocks,
        "downsample_padding": 1 if network.pads_evenly else 0,
        "downsample_type": how,
        "upsample_type": how,
        "dropout": network.block.dropout,
        "act_fn": "silu",
        "attention_head_dim": network.head_width or None,
        "norm_num_groups": network.block.groups,
        "attn_norm_num_groups": network.block.groups,
        "norm_eps": network.block.eps,
        "resnet_time_scale_shift": "scale_shift" if network.block.scale_shift else "default",
        "add_attention": any(network.attention),
        "center_input_sample": False,
        "mid_block_scale_factor": 1,
    }


def shares_sines(network: DiffusionUNetConfig, entries: Entries) -> bool:
    """Whether timestep t of the scheduler is where the network's own sines stand for that level."""
    if network.level != "timestep" or network.multipliers[0] != 1:
        return False
    place = TimestepEmbedding(8, 4).position(entries.float())
    return bool((place - torch.arange(len(entries))).abs().max() < CLOSE)


def weights(model: DDPM, label: int | None) -> dict[str, Tensor]:
    """The weights of `UNet2DModel`. label: the number of the class that it shall draw; None: the model has none."""
    network = model.diffusion.denoiser.network
    assert isinstance(network, DiffusionUNet)
    entries = levels(model.config.diffusion.schedule)
    found = to_theirs(network.state_dict(), pairs(network.config))
    if not shares_sines(network.config, entries):
        found |= _learned_time(network, entries, found)
    if label is not None and network.embedding.vector is not None:
        found[LAST_BIAS] = found[LAST_BIAS] + network.embedding.vector.weight[:, label]
    return found


def _learned_time(network: DiffusionUNet, entries: Entries, theirs: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A row of sines a timestep; both it and the layer that reads it are as wide as the finest feature map."""
    sines, first = network.embedding.level.features(entries.float()), theirs["time_embedding.linear_1.weight"]
    more = network.config.widths[0] - sines.shape[1]
    return {"time_proj.weight": F.pad(sines, (0, more)), "time_embedding.linear_1.weight": F.pad(first, (0, more))}
