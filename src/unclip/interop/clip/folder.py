"""One folder that both `transformers` and `open_clip` load: two sets of weights and settings, one tokenizer.

config.json, model.safetensors, preprocessor_config.json    CLIPModel, CLIPProcessor
open_clip_config.json, open_clip_model.safetensors          open_clip's "local-dir:FOLDER"
tokenizer.json, tokenizer_config.json                       both
"""

import math
from pathlib import Path
from typing import Any

from unclip.clip.model import CLIP, CLIPConfig
from unclip.clip.text import TextConfig
from unclip.clip.vision import NoTowerConfig, VisionConfig, ViTConfig
from unclip.interop import weights
from unclip.interop.clip import names, vocabulary
from unclip.text.tokenizer import Tokenizer

WEIGHTS, OPEN_WEIGHTS = "model.safetensors", "open_clip_model.safetensors"
CONFIG, OPEN_CONFIG, PREPROCESSOR = "config.json", "open_clip_config.json", "preprocessor_config.json"
HALF = [0.5, 0.5, 0.5]
"""Mean and standard deviation that take [0, 1] to [-1, 1]."""
LANCZOS = 1
"""Pillow's number of the filter with which unclip makes images smaller."""


def towers(config: CLIPConfig) -> tuple[TextConfig, ViTConfig]:
    """Both towers, where they are the paper's. Raises ValueError that says how to train such ones."""
    text, vision = config.text, config.vision
    instead = "`unclip train DATA --set clip.vision=vit --out RUN` trains one that they have"
    if not isinstance(vision, ViTConfig) or not isinstance(text, TextConfig):
        odd = vision if not isinstance(vision, ViTConfig) else text
        known = {VisionConfig: "a convolutional stem", NoTowerConfig: "no image tower"}
        what = known.get(type(odd), f"a {type(odd).__name__}")
        raise ValueError(f"its CLIP has {what}, and transformers and open_clip have no such tower; {instead}")
    if vision.channels != 3:
        raise ValueError(f"its CLIP sees images of {vision.channels} channels, and theirs see 3; {instead}")
    if text.activation != vision.activation:
        raise ValueError(
            f"its CLIP has {text.activation} in the text tower and {vision.activation} in the other, and open_clip "
            f"has one for both; {instead}"
        )
    return text, vision


def write(clip: CLIP, words: Tokenizer, folder: Path) -> None:
    """Writes a CLIP for both libraries. Raises ValueError, before anything is written, as `towers` does."""
    text, vision = towers(clip.config)
    state = dict(clip.state_dict())
    state["text.embedding.weight"] = vocabulary.renumbered(state["text.embedding.weight"], words)
    layers = (text.layers, vision.layers)
    weights.write(weights.to_theirs(state, names.of_transformers(*layers)), folder / WEIGHTS)
    sigmoid = clip.config.form == "sigmoid"
    weights.write(weights.to_theirs(state, names.of_open_clip(*layers, sigmoid)), folder / OPEN_WEIGHTS)
    weights.write_settings(transformers_config(clip.config, words), folder / CONFIG)
    weights.write_settings(preprocessor(vision.size), folder / PREPROCESSOR)
    weights.write_settings(open_clip_config(clip.config, words), folder / OPEN_CONFIG)
    vocabulary.write(words, folder)


def transformers_config(config: CLIPConfig, words: Tokenizer) -> dict[str, Any]:
    """Of `CLIPModel`; the width of the embeddings stands in both towers, too, for their classes with a projection."""
    text, vision = towers(config)
    same = {"hidden_act": text.activation, "projection_dim": config.width, "layer_norm_eps": 1e-5}
    number = vocabulary.order(words).index
    return {
        "architectures": ["CLIPModel"],
        "model_type": "clip",
        "projection_dim": config.width,
        "logit_scale_init_value": math.log(1 / 0.07),
        "torch_dtype": "float32",
        "text_config": {
            "model_type": "clip_text_model",
            "vocab_size": text.vocabulary,
            "max_position_embeddings": text.context,
            "hidden_size": text.width,
            "intermediate_size": 4 * text.width,
            "num_hidden_layers": text.layers,
            "num_attention_heads": text.heads,
            "bos_token_id": number(words.start),
            "eos_token_id": number(words.end),
            "pad_token_id": number(words.pad),
            **same,
        },
        "vision_config": {
            "model_type": "clip_vision_model",
            "image_size": vision.size,
            "patch_size": vision.patch,
            "num_channels": vision.channels,
            "hidden_size": vision.width,
            "intermediate_size": 4 * vision.width,
            "num_hidden_layers": vision.layers,
            "num_attention_heads": vision.heads,
            **same,
        },
    }


def preprocessor(size: int) -> dict[str, Any]:
    """Of `CLIPImageProcessor`: as unclip prepares images."""
    return {
        "image_processor_type": "CLIPImageProcessor",
        "do_resize": True,
        "size": {"shortest_edge": size},
        "resample": LANCZOS,
        "do_center_crop": True,
        "crop_size": {"height": size, "width": size},
        "do_rescale": True,
        "rescale_factor": 1 / 255,
        "do_normalize": True,
        "image_mean": HALF,
        "image_std": HALF,
        "do_convert_rgb": True,
    }


def open_clip_config(config: CLIPConfig, words: Tokenizer) -> dict[str, Any]:
    """Of `open_clip`. Its towers take the width of a head instead of their number in the vision tower alone."""
    text, vision = towers(config)
    model = {
        "embed_dim": config.width,
        "quick_gelu": text.activation == "quick_gelu",
        "vision_cfg": {
            "image_size": vision.size,
            "patch_size": vision.patch,
            "width": vision.width,
            "layers": vision.layers,
            "head_width": vision.width // vision.heads,
        },
        "text_cfg": {
            "context_length": text.context,
            "vocab_size": text.vocabulary,
            "width": text.width,
            "heads": text.heads,
            "layers": text.layers,
            "hf_tokenizer_name": "unclip",  # not "": of "local-dir:FOLDER" it then takes the tokenizer in FOLDER
            "tokenizer_kwargs": {"clean": "whitespace"},
        },
    }
    if config.form == "sigmoid":
        model["init_logit_bias"] = -10.0
    preprocess = {"mean": HALF, "std": HALF, "interpolation": "bicubic", "resize_mode": "shortest"}
    return {"model_cfg": model, "preprocess_cfg": preprocess}
