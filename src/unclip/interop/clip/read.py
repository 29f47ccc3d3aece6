"""A CLIP with a ViT from a folder of `transformers` or `open_clip`, with its tokenizer.

Its preprocessing goes into its weights. Ours sees x in [-1, 1], theirs (x/2 + 1/2 - mean)/std, so with P the
projection of the patches

    P' = P / (2 std),    positions' = positions + P (1/2 - mean)/std    but for the class token's

and all that is done with it afterwards need not know.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from unclip.clip.model import CLIP, CLIPConfig
from unclip.clip.text import TextConfig
from unclip.clip.vision import ViTConfig
from unclip.core.config.ranges import quote
from unclip.core.config.tables import is_table, read_json
from unclip.core.noise import initial_weights
from unclip.core.typing import Float, Tensor
from unclip.interop import weights
from unclip.interop.clip import names, vocabulary
from unclip.interop.clip.folder import CONFIG, OPEN_CONFIG, OPEN_WEIGHTS, PREPROCESSOR, WEIGHTS
from unclip.text.tokenizer import Tokenizer

MEAN, STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
"""Of CLIP's published models, where a folder says nothing."""
OPEN_FIXED: dict[str, tuple[str, ...]] = {
    "vision_cfg": ("image_size", "patch_size", "width", "layers", "head_width"),
    "text_cfg": ("context_length", "vocab_size", "width", "heads", "layers", "hf_tokenizer_name", "tokenizer_kwargs"),
}
"""What of an open_clip tower is read; what else it says has to be what says nothing."""
IDLE: dict[str, Any] = {
    "mlp_ratio": 4.0,
    "eos_id": 2,
    "pad_id": 0,
    "pool_type": ("tok", "argmax"),
    "proj_type": "linear",
}
ACTIVATIONS = ("quick_gelu", "gelu")


def read(folder: Path) -> tuple[CLIP, Tokenizer]:
    """The CLIP, in evaluation mode, and the tokenizer that it learned with.

    Raises ValueError that names the file, and the setting or the weight that has no place here; pickles are refused.
    """
    if folder.is_file():
        raise ValueError(
            weights.refusal(folder) if folder.suffix in weights.PICKLES else f"{folder}: a file; name a folder"
        )
    config, normal = read_config(folder)
    open_clip = is_open_clip(folder)
    assert isinstance(config.text, TextConfig) and isinstance(config.vision, ViTConfig)
    layers = (config.text.layers, config.vision.layers)
    file = weights.find(
        folder, (OPEN_WEIGHTS, "open_clip_pytorch_model.safetensors", WEIGHTS) if open_clip else (WEIGHTS,)
    )
    state = {name: t for name, t in weights.read(file).items() if not name.endswith(("position_ids", "attn_mask"))}
    sigmoid = names.BIAS in state
    pairs = names.of_open_clip(*layers, sigmoid) if open_clip else names.of_transformers(*layers)
    found = weights.to_ours(state, pairs, file)
    with initial_weights("read", "clip"):
        clip = CLIP(CLIPConfig(config.text, config.vision, config.width, "sigmoid" if sigmoid else "softmax"))
    weights.check_shapes(found, clip, file)
    clip.load_state_dict(normalised(found, *normal))
    words = vocabulary.read(folder, config.text.context)
    if words.size != config.text.vocabulary:
        raise ValueError(
            f"{folder}: its tokenizer has {words.size:,} tokens and its text tower {config.text.vocabulary:,}; they "
            "are not of the same model"
        )
    return clip.eval().requires_grad_(False), words


def is_open_clip(folder: Path) -> bool:
    """Whether the folder is open_clip's, and not that of transformers (too)."""
    return not (folder / CONFIG).is_file() and (folder / OPEN_CONFIG).is_file()


def normalised(state: dict[str, Tensor], mean: list[float], std: list[float]) -> dict[str, Tensor]:
    """The weights of a tower that sees [-1, 1]."""
    patches, positions = state["vision.patches.weight"], state["vision.position"].clone()
    scale, offset = (
        torch.tensor(v, dtype=torch.float64) for v in (std, [(0.5 - m) / s for m, s in zip(mean, std, strict=True)])
    )
    positions[1:] += torch.einsum("ocij,c->o", patches.double(), offset).float()
    scaled: Float[Tensor, "..."] = (patches.double() / (2 * scale[:, None, None])).float()
    return {**state, "vision.patches.weight": scaled, "vision.position": positions}


def read_config(folder: Path) -> tuple[CLIPConfig, tuple[list[float], list[float]]]:
    """Its settings, and mean and standard deviation of its images. Raises ValueError as `read` does."""
    if is_open_clip(folder):
        return _open_clip(folder / OPEN_CONFIG)
    where = folder / CONFIG
    table = read_json(where, f"the settings of a CLIP ({CONFIG} of transformers, or {OPEN_CONFIG})")
    if table.get("model_type") != "clip":
        raise ValueError(f"{where}: model_type = {quote(table.get('model_type'))}; a CLIP says 'clip'")
    text, vision = (_table(table, name, where, needed=True) for name in ("text_config", "vision_config"))
    vision = _part(vision, "vision_config", where)
    config = CLIPConfig(
        text_config(text, where),
        ViTConfig(
            vision["image_size"], vision.get("num_channels", 3), vision["patch_size"], vision["hidden_size"],
            vision["num_hidden_layers"], vision["num_attention_heads"], _activation(vision, where),
        ),
        table.get("projection_dim", 512),
    )  # fmt: skip
    said = read_json(folder / PREPROCESSOR, "how images are prepared") if (folder / PREPROCESSOR).is_file() else {}
    return config, _normal(said.get("image_mean", MEAN), said.get("image_std", STD), folder / PREPROCESSOR)


def text_config(table: Mapping[str, Any], where: Path) -> TextConfig:
    """A text tower, of the settings that transformers keeps of one. Raises ValueError as `read` does."""
    text = _part(table, "text_config", where)
    return TextConfig(
        text["vocab_size"], text["max_position_embeddings"], text["hidden_size"], text["num_hidden_layers"],
        text["num_attention_heads"], _activation(text, where),
    )  # fmt: skip


THEIRS: dict[str, Any] = {"layer_norm_eps": 1e-5, "hidden_act": "quick_gelu", "vocab_size": 49408,
    "max_position_embeddings": 77, "image_size": 224, "num_hidden_layers": 12}  # fmt: skip
"""Of transformers' CLIP, where its config says nothing."""


def _activation(table: Mapping[str, Any], where: Path) -> Any:
    if table["hidden_act"] not in ACTIVATIONS:
        raise ValueError(
            f"{where}: hidden_act = {quote(table['hidden_act'])}: unclip's CLIP has {' or '.join(ACTIVATIONS)}"
        )
    return table["hidden_act"]


def _part(part: Mapping[str, Any], name: str, where: Path) -> dict[str, Any]:
    width = {"text_config": 512, "vision_config": 768}[name]
    found = {**THEIRS, "hidden_size": width, "intermediate_size": 4 * part.get("hidden_size", width),
             "num_attention_heads": 8 if name == "text_config" else 12, "patch_size": 32, **part}  # fmt: skip
    if found["intermediate_size"] != 4 * found["hidden_size"] or found["layer_norm_eps"] != 1e-5:
        raise ValueError(f"{where}: intermediate_size and layer_norm_eps: unclip's have 4 hidden_size, and 1e-5")
    return found


def _normal(mean: Any, std: Any, where: Path) -> tuple[list[float], list[float]]:
    try:
        found = [float(m) for m in mean], [float(s) for s in std]
        if [len(part) for part in found] == [3, 3] and min(found[1]) > 0:
            return found
    except (TypeError, ValueError):
        pass
    raise ValueError(f"{where}: mean {quote(mean)} and standard deviation {quote(std)}: expected three numbers each")


def _open_clip(where: Path) -> tuple[CLIPConfig, tuple[list[float], list[float]]]:
    whole = read_json(where, "the settings of a CLIP of open_clip")
    model, prepared = (_table(whole, name, where) for name in ("model_cfg", "preprocess_cfg"))
    text, vision = ({**base, **_table(model, name, where)} for name, base in (
        ("text_cfg", {"context_length": 77, "vocab_size": 49408, "width": 512, "heads": 8, "layers": 12}),
        ("vision_cfg", {"image_size": 224, "patch_size": 16, "width": 768, "layers": 12, "head_width": 64}),
    ))  # fmt: skip
    for name, part in (("text_cfg", text), ("vision_cfg", vision)):
        _check_idle(name, part, where)
    activation = "quick_gelu" if model.get("quick_gelu") else "gelu"
    heads = max(1, vision["width"] // vision["head_width"])
    config = CLIPConfig(
        TextConfig(
            text["vocab_size"], text["context_length"], text["width"], text["layers"], text["heads"], activation
        ),
        ViTConfig(
            vision["image_size"], 3, vision["patch_size"], vision["width"], vision["layers"], heads, activation
        ),
        model.get("embed_dim", 512),
    )  # fmt: skip
    return config, _normal(prepared.get("mean") or MEAN, prepared.get("std") or STD, where)


def _table(table: Mapping[str, Any], name: str, where: Path, needed: bool = False) -> dict[str, Any]:
    part = table.get(name, None if needed else {})
    if not is_table(part):
        raise ValueError(f"{where}: {name} = {quote(part)}: expected a table")
    return part


def _check_idle(name: str, part: Mapping[str, Any], where: Path) -> None:
    """Raises ValueError for a setting that would make the tower another one."""
    for key, value in part.items():
        idle = IDLE.get(key)
        plain = not value or value == idle or (isinstance(idle, tuple) and value in idle)
        if key not in OPEN_FIXED[name] and not plain:
            raise ValueError(f"{where}: {name}.{key} = {quote(value)}: unclip's CLIP has no such tower")
    if not isinstance(part["layers"], int):
        raise ValueError(f"{where}: {name}.layers = {quote(part['layers'])}: a ResNet; unclip reads ViTs")
