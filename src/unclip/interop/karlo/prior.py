"""Karlo's prior, a `PriorTransformer`: unCLIP's causal transformer under other names.

theirs  [caption, text embedding, timestep, noised embedding, prd]        ours, in the same order: `PriorNet`
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch

from unclip.clip.model import CLIP
from unclip.core.noise import initial_weights
from unclip.core.typing import Tensor
from unclip.interop import weights
from unclip.interop.ddpm.read import sines
from unclip.interop.ddpm.scheduler import levels
from unclip.interop.karlo import steps
from unclip.interop.parts import CONFIG, check_fixed, settings, tensors
from unclip.interop.weights import Match, matches
from unclip.models.priors.diffusion import Prior, PriorConfig
from unclip.nn.prior.caption_net import PriorNetConfig
from unclip.text.tokenizer import Tokenizer

PRIOR, SCHEDULER = "prior", "prior_scheduler"
STEPS, SCALE = 25, 4.0
"""What the pipeline takes."""
DEFAULTS: dict[str, Any] = {"num_attention_heads": 32, "attention_head_dim": 64, "num_layers": 20,
    "embedding_dim": 768, "num_embeddings": 77}  # fmt: skip
FIXED: dict[str, tuple[Any, ...]] = {
    "additional_embeddings": (4,),
    "time_embed_act_fn": ("silu",),
    "norm_in_type": (None,),
    "embedding_proj_norm_type": (None,),
    "encoder_hid_proj_type": ("linear",),
    "added_emb_type": ("prd",),
    "time_embed_dim": (None,),
    "embedding_proj_dim": (None,),
    "clip_embed_dim": (None,),
    "dropout": (0.0, 0),
}
NET = "diffusion.denoiser.network"
ENDS = {
    "level.mlp.0": "time_embedding.linear_1",
    "level.mlp.2": "time_embedding.linear_2",
    "noised": "proj_in",
    "text": "embedding_proj",
    "tokens": "encoder_hidden_states_proj",
    "transformer.norm": "norm_out",
    "out": "proj_to_clip_embeddings",
}
LAYERS = {"norm1": "norm1", "out": "attn1.to_out.0", "norm2": "norm3", "mlp.0": "ff.net.0.proj", "mlp.2": "ff.net.2"}
FLAT = {f"{NET}.position": 1, f"{NET}.query": 2, "statistics.mean": 1, "statistics.std": 1}
"""Tensors that have so many leading ones there."""


def read(folder: Path, clip: CLIP, words: Tokenizer) -> Prior:
    """The prior of the pipeline's folder, for this text tower. Raises ValueError that names what does not fit."""
    path = folder / PRIOR / CONFIG
    table = settings(folder / PRIOR, "PriorTransformer", DEFAULTS)
    check_fixed(table, FIXED, path)
    network = _network(table, clip, path)
    process, how = steps.read(folder / SCHEDULER, STEPS, SCALE)
    with initial_weights("read", "prior"):
        prior = Prior(PriorConfig(network=network, diffusion=process, sampling=how, candidates=1, lengths=True))
    state, file = tensors(folder / PRIOR)
    state.pop("causal_attention_mask", None)
    found = {
        name: t.squeeze() if name in FLAT else t for name, t in weights.to_ours(state, pairs(network), file).items()
    }
    entries = levels(process.schedule)
    rows = sines({"block_out_channels": [network.width], "freq_shift": 0, "flip_sin_to_cos": True}, len(entries))
    found |= {f"{NET}.level.levels": entries.float(), f"{NET}.level.rows": rows}
    found |= _unscaled(clip, words)
    weights.check_shapes(found, prior, file)
    prior.load_state_dict(found)
    return prior.eval().requires_grad_(False)


def _network(table: Mapping[str, Any], clip: CLIP, path: Path) -> PriorNetConfig:
    width, d, context = clip.config.text.width, clip.config.width, clip.config.text.context
    if not table["embedding_dim"] == d == width:
        raise ValueError(
            f"{path}: embedding_dim = {table['embedding_dim']}: the text encoder beside it has embeddings of {d} and "
            f"token features of {width} numbers; the two are not of the same model"
        )
    if table["num_embeddings"] != context:
        raise ValueError(
            f"{path}: num_embeddings = {table['num_embeddings']}: the text encoder beside it reads {context} tokens; "
            "the two are not of the same model"
        )
    heads = table["num_attention_heads"]
    return PriorNetConfig(
        embedding_width=d,
        token_width=width,
        context=context,
        width=heads * table["attention_head_dim"],
        layers=table["num_layers"],
        heads=heads,
        level="table",
    )


def pairs(network: PriorNetConfig) -> Iterator[Match]:
    """Every tensor of theirs."""
    for ours, theirs in ENDS.items():
        yield from matches(f"{NET}.{ours}", theirs)
    flat = ("positional_embedding", "prd_embedding", "clip_mean", "clip_std")
    yield from (Match(ours, (theirs,)) for ours, theirs in zip(FLAT, flat, strict=True))
    for i in range(network.layers):
        ours, theirs = f"{NET}.transformer.blocks.{i}", f"transformer_blocks.{i}"
        yield from matches(f"{ours}.qkv", *(f"{theirs}.attn1.to_{letter}" for letter in "qkv"))
        for a, b in LAYERS.items():
            yield from matches(f"{ours}.{a}", f"{theirs}.{b}")


@torch.no_grad()
def _unscaled(clip: CLIP, words: Tokenizer) -> dict[str, Tensor]:
    """What of CLIP the prior keeps beside its own weights."""
    _, tokens = clip.embed_text(*words([""]))
    return {"unscaled.projection.weight": clip.text_projection.weight.detach(), "unscaled.empty": tokens[0]}
