"""The same output as the networks of `diffusers` with the same weights: DDPM, ADM's blocks, DiT's."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
import torch
from diffusers import DiTTransformer2DModel, UNet2DModel
from tests.fakes import NOTHING, built, draw
from torch import Tensor, nn

from unclip.diffusion.schedules import LinearBeta
from unclip.nn.backbones.diffusion_unet import DiffusionUNet, DiffusionUNetConfig, ddpm_cifar10
from unclip.nn.backbones.dit import DiT, DiTConfig
from unclip.nn.blocks.resblock import ResBlockConfig

TIMES = torch.tensor([0, 1, 417, 999])
LEVELS = LinearBeta().table[TIMES].float()
RES = {n: n for n in ("norm1", "conv1", "norm2", "conv2")} | {"time_emb_proj": "film", "conv_shortcut": "skip"}
ENDS = {
    "conv_in": "stem",
    "time_embedding.linear_1": "embedding.level.mlp.0",
    "time_embedding.linear_2": "embedding.level.mlp.2",
    "conv_norm_out": "out_norm",
    "conv_out": "out",
}


def modules(blocks: int, levels: int) -> Iterator[tuple[str, str]]:
    """(their name, ours) of blocks, attentions and resamplers."""
    for k in range(2):
        yield f"mid_block.resnets.{k}.", f"core.{k}.res."
    yield "mid_block.attentions.0.", "core.0.attention."
    for way, n, end in (("down", blocks, "downsamplers"), ("up", blocks + 1, "upsamplers")):
        for level in range(levels):
            for k in range(n):
                ours = f"{way}.{level * (n + 1) + k}."
                yield f"{way}_blocks.{level}.resnets.{k}.", ours + "res."
                yield f"{way}_blocks.{level}.attentions.{k}.", ours + "attention."
            ours = f"{way}.{level * (n + 1) + n}."
            yield f"{way}_blocks.{level}.{end}.0.conv.", ours + "conv."
            yield f"{way}_blocks.{level}.{end}.0.", ours + "res."


def joined(state: dict[str, Tensor], names: tuple[str, ...], ours: str) -> dict[str, Tensor]:
    return {f"{ours}.{k}": torch.cat([state[f"{n}.{k}"] for n in names]) for k in ("weight", "bias")}


def translated(theirs: UNet2DModel, blocks: int, levels: int) -> dict[str, Tensor]:
    """Their weights under our names; what is not translated is missing, and strict loading says so."""
    state, ours = theirs.state_dict(), {}
    for a, b in ENDS.items():
        ours |= joined(state, (a,), b)
    for a, b in modules(blocks, levels):
        if a + "to_q.weight" in state:
            ours |= joined(state, (a + "group_norm",), b + "norm")
            ours |= joined(state, tuple(a + n for n in ("to_q", "to_k", "to_v")), b + "qkv")
            ours |= joined(state, (a + "to_out.0",), b + "out")
        elif a + "weight" in state:  # DDPM's convolution that resamples
            ours |= joined(state, (a[:-1],), b[:-1])
        else:
            for x, y in RES.items():
                ours |= joined(state, (a + x,), b + y) if f"{a}{x}.weight" in state else {}
    return ours


def lively(module: nn.Module) -> nn.Module:
    """Norms with weights of their own, so that one in the wrong place is found."""
    for name, parameter in module.named_parameters():
        if "norm" in name:
            nn.init.normal_(parameter, mean=float("weight" in name), std=0.3)
    return module.eval()


def their_unet(**changes: object) -> UNet2DModel:
    """google/ddpm-cifar10-32's configuration with fewer, narrower levels."""
    settings = {
        "block_out_channels": (32, 64, 64),
        "down_block_types": ("DownBlock2D", "AttnDownBlock2D", "DownBlock2D"),
        "up_block_types": ("UpBlock2D", "AttnUpBlock2D", "UpBlock2D"),
        "layers_per_block": 2,
        "attention_head_dim": None,
        "norm_num_groups": 8,
        "norm_eps": 1e-6,
        "flip_sin_to_cos": False,
        "freq_shift": 1,
        "downsample_padding": 0,
        **changes,
    }
    return built(lambda: lively(UNet2DModel(**settings)))  # pyright: ignore


SMALL = {"width": 32, "multipliers": (1, 2, 2), "attention": (False, True, False)}
DDPM = replace(ddpm_cifar10(), **SMALL, block=ResBlockConfig(groups=8, eps=1e-6, scale_shift=False, dropout=0.1))
ADM = DiffusionUNetConfig(**SMALL, head_width=16, level="timestep", block=ResBlockConfig(groups=8, eps=1e-6))
THEIR_ADM = {
    "attention_head_dim": 16,
    "down_block_types": ("ResnetDownsampleBlock2D", "AttnDownBlock2D", "ResnetDownsampleBlock2D"),
    "up_block_types": ("ResnetUpsampleBlock2D", "AttnUpBlock2D", "ResnetUpsampleBlock2D"),
    "resnet_time_scale_shift": "scale_shift",
    "attn_norm_num_groups": 8,
    "downsample_type": "resnet",
    "upsample_type": "resnet",
}


@pytest.mark.parametrize("config, changes", [(DDPM, {}), (ADM, THEIR_ADM)], ids=["DDPM", "ADM"])
@pytest.mark.parametrize("size", [(16, 16), (8, 20)], ids=str)
def test_unet(config: DiffusionUNetConfig, changes: dict, size: tuple[int, int]):
    theirs, ours = their_unet(**changes), DiffusionUNet(config).eval()
    ours.load_state_dict(translated(theirs, config.blocks, len(config.multipliers)))
    x = draw(4, 3, *size)
    with torch.no_grad():
        expected, found = theirs(x, TIMES).sample, ours(x, LEVELS, NOTHING)
    assert expected.std() > 0.1
    assert (found - expected).abs().max() < 2e-5
    with torch.no_grad():  # and the comparison hears the time
        assert (ours(x, LEVELS.flip(0), NOTHING) - expected).abs().max() > 1e-3


def their_dit() -> DiTTransformer2DModel:
    return built(
        lambda: DiTTransformer2DModel(
            num_attention_heads=4, attention_head_dim=8, in_channels=3, out_channels=6, num_layers=2, sample_size=16
        )
    ).eval()


def translated_dit(theirs: DiTTransformer2DModel, config: DiTConfig) -> dict[str, Tensor]:
    state, names = theirs.state_dict(), {"pos_embed.proj": "patches", "proj_out_1": "film", "proj_out_2": "out"}
    ours = {}
    for i in range(config.layers):
        a, b = f"transformer_blocks.{i}.", f"blocks.{i}."
        ours |= joined(state, tuple(f"{a}attn1.to_{n}" for n in "qkv"), b + "qkv")
        names |= {a + "norm1.linear": b + "film", a + "attn1.to_out.0": b + "out"}
        names |= {a + "ff.net.0.proj": b + "mlp.0", a + "ff.net.2": b + "mlp.2"}
    for a, b in names.items():
        ours |= joined(state, (a,), b)
    for k in ("weight", "bias"):  # they order a patch's numbers as (row, column, channel), we as (channel, row, column)
        end = ours[f"out.{k}"].unflatten(0, (config.patch**2, -1))
        ours[f"out.{k}"] = end.transpose(0, 1).flatten(0, 1)
    return ours


def test_dit(monkeypatch: pytest.MonkeyPatch):
    """Given their sum of level and class embeddings, whose sines are of another axis than ours."""
    config = DiTConfig(width=32, layers=2, heads=4, learned_variance=True)
    theirs, ours = their_dit(), DiT(config).eval()
    first = theirs.transformer_blocks[0]
    for block in theirs.transformer_blocks:  # theirs repeats the embedding in each block
        block.norm1.emb.load_state_dict(first.norm1.emb.state_dict())
    classes = torch.tensor([3, 0, 999, 12])
    embedding = first.norm1.emb(TIMES, classes, hidden_dtype=torch.float32)
    missing, unexpected = ours.load_state_dict(translated_dit(theirs, config), strict=False)
    assert {name.partition(".")[0] for name in missing} == {"embedding"}
    assert not unexpected
    monkeypatch.setattr(ours.embedding, "forward", lambda log_snr, cond: embedding)
    x = draw(4, 3, 16, 16)
    found, expected = ours.forward(x, LEVELS, NOTHING), theirs(x, TIMES, classes).sample
    assert expected.std() > 0.1
    assert (found - expected).abs().max() < 2e-5
