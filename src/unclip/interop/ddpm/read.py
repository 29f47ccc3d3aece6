"""A folder of diffusers with a `UNet2DModel` and a scheduler as a DDPM of ours.

Their network is told a timestep. Where table and sines are DDPM's own, ours has the same; everywhere else the features
of each timestep become the rows of a `TableEmbedding`, beside the level that the scheduler's table has there.
"""

from collections.abc import Mapping
from math import log
from pathlib import Path
from typing import Any

import torch

from unclip.core.config.ranges import quote
from unclip.core.config.tables import read_json
from unclip.core.noise import initial_weights
from unclip.core.typing import Float, Tensor
from unclip.interop import pipelines, weights
from unclip.interop.ddpm.folder import SCHEDULER, UNET, WEIGHTS
from unclip.interop.ddpm.names import modern, pairs
from unclip.interop.ddpm.network import shares_sines
from unclip.interop.ddpm.scheduler import Entries, from_scheduler, levels
from unclip.models.ddpm import DDPM, DDPMConfig
from unclip.nn.backbones.diffusion_unet import DiffusionUNet, DiffusionUNetConfig
from unclip.nn.blocks.resblock import ResBlockConfig

DEFAULTS: dict[str, Any] = {
    "time_embedding_type": "positional",
    "time_embedding_dim": None,
    "freq_shift": 0,
    "flip_sin_to_cos": True,
    "layers_per_block": 2,
    "downsample_padding": 1,
    "downsample_type": "conv",
    "upsample_type": "conv",
    "dropout": 0.0,
    "attention_head_dim": 8,
    "norm_num_groups": 32,
    "attn_norm_num_groups": None,
    "norm_eps": 1e-5,
    "resnet_time_scale_shift": "default",
    "add_attention": True,
    "num_class_embeds": None,
}
"""Of `UNet2DModel`, where its config says nothing."""
FIXED: dict[str, tuple[Any, ...]] = {
    "act_fn": ("silu", "swish"),
    "center_input_sample": (False,),
    "mid_block_scale_factor": (1,),
    "mid_block_type": ("UNetMidBlock2D",),
    "class_embed_type": (None,),
    "downsample_padding": (0, 1),
    "time_embedding_type": ("positional", "learned"),
    "resnet_time_scale_shift": ("default", "scale_shift"),
}
"""Settings of theirs, and the values that our network knows."""
PLAIN = {True: ("AttnDownBlock2D", "AttnUpBlock2D"), False: ("DownBlock2D", "UpBlock2D")}
RESNET = {True: ("AttnDownBlock2D", "AttnUpBlock2D"), False: ("ResnetDownsampleBlock2D", "ResnetUpsampleBlock2D")}
"""Whether a level attends -> its blocks on both ways; with convolutions that resample, and with residual blocks."""


def read(folder: Path) -> DDPM:
    """The DDPM of a `DDPMPipeline` folder, in evaluation mode; classes are called by their numbers.

    Raises ValueError that names the file and the setting, or the first weight, that has no place here; pickles are
    refused.
    """
    pipelines.class_of(folder, pipelines.DDPM)
    unet, where = _settings(folder / UNET / "config.json")
    steps = read_json(folder / SCHEDULER / "scheduler_config.json", "the settings of a scheduler of diffusers")
    process, sampling = from_scheduler(steps, str(folder / SCHEDULER / "scheduler_config.json"))
    entries = levels(process.schedule)
    network = to_network(unet, where, entries)
    classes = tuple(map(str, range(unet["num_class_embeds"] or 0)))
    config = DDPMConfig(network=network, diffusion=process, sampling=sampling, size=_side(unet, where), classes=classes)
    file = weights.find(folder / UNET, (WEIGHTS, "model.safetensors"))
    state = {modern(name): tensor for name, tensor in weights.read(file).items()}
    with initial_weights("read", "ddpm"):
        model = DDPM(config)
    inner = model.diffusion.denoiser.network
    assert isinstance(inner, DiffusionUNet)
    found = to_weights(state, network, unet, entries, file)
    weights.check_shapes(found, inner, file)
    inner.load_state_dict(found)
    return model.eval().requires_grad_(False)


def _settings(path: Path) -> tuple[dict[str, Any], str]:
    table = {**DEFAULTS, **read_json(path, "the settings of a UNet2DModel")}
    if table.get("_class_name", "UNet2DModel") != "UNet2DModel":
        raise ValueError(f"{path}: a {quote(table['_class_name'])}, and a DDPM of unclip is a UNet2DModel")
    for name, known in FIXED.items():
        if name in table and table[name] not in known:
            raise ValueError(
                f"{path}: {name} = {quote(table[name])}: unclip's network has {' or '.join(map(str, known))}"
            )
    return table, str(path)


def to_network(unet: Mapping[str, Any], where: str, entries: Entries) -> DiffusionUNetConfig:
    """The settings of our network. Raises ValueError that names the one of theirs that has no counterpart."""
    widths = tuple(unet["block_out_channels"])
    width = (unet["time_embedding_dim"] or 4 * widths[0]) // 4
    if any(w % width for w in widths):
        raise ValueError(
            f"{where}: block_out_channels = {widths}: must be multiples of {width}, a quarter of the time embedding"
        )
    attention, resnet = _attention(unet, where)
    if unet["add_attention"] != any(attention):
        raise ValueError(
            f"{where}: add_attention = {unet['add_attention']}: unclip's core attends where any level does"
        )
    learned = unet["out_channels"] == 2 * unet["in_channels"]
    groups, modulated = unet["norm_num_groups"], unet["resnet_time_scale_shift"] == "scale_shift"
    if unet["attn_norm_num_groups"] not in ((groups,) if modulated else (groups, None)) and any(attention):
        raise ValueError(
            f"{where}: attn_norm_num_groups = {unet['attn_norm_num_groups']}: must be {groups} as all norms"
        )
    network = DiffusionUNetConfig(
        channels=unet["in_channels"],
        width=width,
        multipliers=tuple(w // width for w in widths),
        blocks=unet["layers_per_block"],
        attention=attention,
        head_width=unet["attention_head_dim"] or 0,
        block=ResBlockConfig(groups, unet["norm_eps"], modulated, float(unet["dropout"])),
        residual_resample=resnet,
        pads_evenly=unet["downsample_padding"] == 1,
        level="timestep" if has_our_sines(unet, width, entries) else "table",
        entries=len(entries),
        vector_width=unet["num_class_embeds"] or 0,
        learned_variance=learned,
    )
    return network


def _attention(unet: Mapping[str, Any], where: str) -> tuple[tuple[bool, ...], bool]:
    """Which levels attend, and whether residual blocks resample."""
    down, up = (list(unet[name]) for name in ("down_block_types", "up_block_types"))
    attention = tuple(kind.startswith("Attn") for kind in down)
    for resnet, known in ((False, PLAIN), (True, RESNET)):
        kinds = [[known[attends][way] for attends in attention] for way in (0, 1)]
        same = {unet["downsample_type"], unet["upsample_type"]} == {"resnet" if resnet else "conv"}
        if down == kinds[0] and up == kinds[1][::-1] and (same or not any(attention)):
            return attention, resnet
    raise ValueError(
        f"{where}: down_block_types = {quote(down)}, up_block_types = {quote(up)}: unclip's network has "
        "(Attn)DownBlock2D "
        "and the same on the way up, or ResnetDownsampleBlock2D with downsample_type = 'resnet'"
    )


def has_our_sines(unet: Mapping[str, Any], width: int, entries: Entries) -> bool:
    """Whether timestep and table are those of `TimestepEmbedding`."""
    same = (unet["time_embedding_type"], unet["freq_shift"], unet["flip_sin_to_cos"]) == ("positional", 1, False)
    plain = DiffusionUNetConfig(width=width, level="timestep", block=ResBlockConfig(1), head_width=0)
    return same and unet["block_out_channels"][0] == width and shares_sines(plain, entries)


def to_weights(
    state: dict[str, Tensor], network: DiffusionUNetConfig, unet: Mapping[str, Any], entries: Entries, file: Path
) -> dict[str, Tensor]:
    """Our network's weights. Raises ValueError for the first that is missing or left over."""
    rows, classes = state.pop("time_proj.weight", None), state.pop("class_embedding.weight", None)
    found = weights.to_ours(state, pairs(network), file)
    if classes is not None:
        found["embedding.vector.weight"] = classes.float().T
    if network.level == "table":
        rows = sines(unet, len(entries)) if rows is None else rows.float()
        first = found["embedding.level.mlp.0.weight"]
        found |= {"embedding.level.levels": entries.float(), "embedding.level.rows": rows[:, : network.width]}
        found["embedding.level.mlp.0.weight"] = first[:, : network.width]
        if rows.shape[1] > network.width and bool(rows[:, network.width :].any()):
            raise ValueError(
                f"{file}: time_proj has more features than a quarter of the time embedding; unclip has as many"
            )
    return found


def sines(unet: Mapping[str, Any], count: int) -> Float[Tensor, "T features"]:
    """Their features of t = 0 ... T - 1 (`Timesteps`)."""
    half = unet["block_out_channels"][0] // 2
    frequencies = torch.exp(torch.arange(half) * (-log(10000) / (half - unet["freq_shift"])))
    angle = torch.arange(count)[:, None] * frequencies
    parts = [angle.sin(), angle.cos()]
    return torch.cat(parts[::-1] if unet["flip_sin_to_cos"] else parts, dim=1)


def _side(unet: Mapping[str, Any], where: str) -> int:
    side = unet.get("sample_size")
    sides = {side} if isinstance(side, int) else set(side or ())
    if len(sides) != 1:
        raise ValueError(
            f"{where}: sample_size = {quote(side)}: unclip's images are square; write their side there, px"
        )
    return sides.pop()
