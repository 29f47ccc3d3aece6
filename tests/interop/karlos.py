"""Karlo as diffusers keeps it, of the published structure, narrower, with weights that are not trained."""

import json
import os
from pathlib import Path
from typing import Any

import torch
from tests.fakes import built
from torch import nn

os.environ.setdefault("HF_HUB_OFFLINE", "1")

from unclip.core.noise import Noise
from unclip.diffusion.schedules import CosineBeta

PUBLISHED = {  # kakaobrain/karlo-v1-alpha; the prior's are the defaults of its class
    "prior": {},
    "decoder": {
        "sample_size": 64, "block_out_channels": (320, 640, 960, 1280), "layers_per_block": 3, "attention_head_dim": 64,
        "cross_attention_dim": 1536,
    },
    "super_res_first": {
        "sample_size": 256, "block_out_channels": (320, 640, 960, 1280), "layers_per_block": 3,
        "down_block_types": ("ResnetDownsampleBlock2D",) * 4, "up_block_types": ("ResnetUpsampleBlock2D",) * 4,
    },
}  # fmt: skip
WORDS = ["a", "red", "blue", "heart", "circle", "and", "the", "sun"]
WIDTH, CONTEXT, SIDE = 24, 13, 32
"""Of embeddings and text tower (diffusers wants them alike), tokens of a caption, px of the decoder. Theirs fails
where CONTEXT + 4 is the number of cells of a level with attention, as 16."""
DECODER = {
    "sample_size": SIDE,
    "in_channels": 3,
    "out_channels": 6,
    "block_out_channels": (32, 64, 64, 96),
    "layers_per_block": 2,
    "down_block_types": ("ResnetDownsampleBlock2D", *["SimpleCrossAttnDownBlock2D"] * 3),
    "up_block_types": (*["SimpleCrossAttnUpBlock2D"] * 3, "ResnetUpsampleBlock2D"),
    "mid_block_type": "UNetMidBlock2DSimpleCrossAttn",
    "attention_head_dim": 16,
    "cross_attention_dim": 40,
    "class_embed_type": "identity",
    "resnet_time_scale_shift": "scale_shift",
}
UPSAMPLER = {
    "sample_size": 4 * SIDE,
    "in_channels": 6,
    "out_channels": 3,
    "block_out_channels": (32, 32, 64),
    "layers_per_block": 1,
    "down_block_types": ("ResnetDownsampleBlock2D",) * 3,
    "up_block_types": ("ResnetUpsampleBlock2D",) * 3,
    "resnet_time_scale_shift": "scale_shift",
    "add_attention": False,
}


def lively(module: nn.Module, key: str) -> nn.Module:
    """With norms, biases and statistics that are not 1 and 0 alone."""
    with torch.no_grad():
        for i, (name, parameter) in enumerate(module.named_parameters()):
            offset = 1.0 if name == "clip_std" else 0.0
            parameter.add_(offset + 0.03 * Noise.shared("lively", key, i).normal(tuple(parameter.shape)))
    return module.eval()


def tokenizer(folder: Path, **settings: Any) -> Any:
    """CLIP's own kind, of a few words and all letters, and one mark that stands alone or within a word."""
    from transformers import CLIPTokenizer

    letters = [chr(c) for c in range(ord("a"), ord("z") + 1)]
    merges, vocabulary = [], ["!", "!</w>", *letters, *(f"{letter}</w>" for letter in letters)]
    for word in WORDS:
        parts = [*word[:-1], f"{word[-1]}</w>"]
        while len(parts) > 1:
            pair, parts = (parts[0], parts[1]), [parts[0] + parts[1], *parts[2:]]
            if parts[0] not in vocabulary:
                merges.append(" ".join(pair))
                vocabulary.append(parts[0])
    vocabulary += ["<|startoftext|>", "<|endoftext|>"]
    folder.mkdir(parents=True, exist_ok=True)
    table = {word: number for number, word in enumerate(vocabulary)}
    (folder / "vocab.json").write_text(json.dumps(table), encoding="utf-8")
    (folder / "merges.txt").write_text("#version: 0.2\n" + "\n".join(merges) + "\n", encoding="utf-8")
    return CLIPTokenizer.from_pretrained(folder, model_max_length=CONTEXT, **settings)


def exact(pipe: Any) -> Any:
    """The pipeline with tables in float64: in theirs, float32, 1 - alpha-bar has three digits at the clean end."""
    for name in ("prior", "decoder", "super_res"):
        scheduler = getattr(pipe, f"{name}_scheduler")
        scheduler.betas = CosineBeta(scheduler.config.num_train_timesteps).betas
        scheduler.alphas = 1 - scheduler.betas
        scheduler.alphas_cumprod = scheduler.alphas.cumprod(0)
    return pipe


def karlo(words: Path, **changes: dict[str, Any]) -> Any:
    """The pipeline of diffusers. changes: of the settings of a part, by its name."""
    import diffusers
    from diffusers.pipelines.deprecated.unclip.text_proj import UnCLIPTextProjModel
    from transformers import CLIPTextConfig, CLIPTextModelWithProjection

    tokens = tokenizer(words)
    text = CLIPTextConfig(
        vocab_size=len(tokens), hidden_size=WIDTH, intermediate_size=4 * WIDTH, num_hidden_layers=2,
        num_attention_heads=3, max_position_embeddings=CONTEXT, projection_dim=WIDTH,
        bos_token_id=tokens.bos_token_id, eos_token_id=tokens.eos_token_id, pad_token_id=tokens.pad_token_id,
    )  # fmt: skip
    prior = {"num_attention_heads": 2, "attention_head_dim": 16, "num_layers": 2, "embedding_dim": WIDTH,
             "num_embeddings": CONTEXT, "additional_embeddings": 4}  # fmt: skip
    project = {"clip_extra_context_tokens": 4, "clip_embeddings_dim": WIDTH,
               "time_embed_dim": 4 * DECODER["block_out_channels"][0],
               "cross_attention_dim": DECODER["cross_attention_dim"]}  # fmt: skip
    steps = {
        "prior_scheduler": {"prediction_type": "sample", "clip_sample_range": 5.0},
        "decoder_scheduler": {"variance_type": "learned_range"},
        "super_res_scheduler": {},
    }
    kinds = {
        "text_encoder": lambda: CLIPTextModelWithProjection(text),
        "prior": lambda: diffusers.PriorTransformer(**{**prior, **changes.get("prior", {})}),
        "text_proj": lambda: UnCLIPTextProjModel(**project),
        "decoder": lambda: diffusers.UNet2DConditionModel(**{**DECODER, **changes.get("decoder", {})}),
        "super_res_first": lambda: diffusers.UNet2DModel(**{**UPSAMPLER, **changes.get("super_res_first", {})}),
        "super_res_last": lambda: diffusers.UNet2DModel(**UPSAMPLER),
    }
    parts = {name: lively(built(make, name), name) for name, make in kinds.items()}
    for name in ("decoder", "super_res_first", "super_res_last"):  # else guidance of 8 makes chaos of what is untrained
        parts[name].conv_out.weight.data *= 0.2
    schedulers = {name: diffusers.UnCLIPScheduler(**{**said, **changes.get(name, {})}) for name, said in steps.items()}
    return diffusers.UnCLIPPipeline(**parts, **schedulers, tokenizer=tokens)
