"""With the paper's towers our CLIP is the published one: the same weights give the same features and logits."""

import os
from functools import cache

import pytest
import torch
from tests.fakes import built, draw
from torch import Tensor

from unclip.clip.model import CLIP, CLIPConfig
from unclip.clip.text import TextConfig
from unclip.clip.vision import ViTConfig

os.environ.setdefault("HF_HUB_OFFLINE", "1")
transformers = pytest.importorskip("transformers")

WIDTH, LAYERS, HEADS, TOKENS, END = 32, 2, 4, 60, 59
CONFIG = CLIPConfig(
    TextConfig(TOKENS, context=9, width=24, layers=LAYERS, heads=HEADS, activation="quick_gelu"),
    ViTConfig(16, patch=8, width=WIDTH, layers=LAYERS, heads=HEADS),
    width=20,
)


@cache
def theirs() -> torch.nn.Module:
    same = {"num_hidden_layers": LAYERS, "num_attention_heads": HEADS, "hidden_act": "quick_gelu"}
    text = {"vocab_size": TOKENS, "max_position_embeddings": 9, "hidden_size": 24, "intermediate_size": 96}
    vision = {"image_size": 16, "patch_size": 8, "hidden_size": WIDTH, "intermediate_size": 4 * WIDTH}
    ends = {"eos_token_id": END, "bos_token_id": 1, "pad_token_id": 0}
    config = transformers.CLIPConfig(
        text_config={**same, **text, **ends}, vision_config={**same, **vision}, projection_dim=20
    )
    model = built(lambda: transformers.CLIPModel(config)).eval()
    with torch.no_grad():
        for i, parameter in enumerate(model.parameters()):  # their norms and biases start as 1 and 0
            parameter.add_(0.1 * draw(*parameter.shape, key=i))
    return model


def ours() -> CLIP:
    """Our CLIP with their weights; what has no place in it is an error."""
    found = {name: tensor for name, tensor in theirs().state_dict().items() if not name.endswith("position_ids")}
    model = built(lambda: CLIP(CONFIG)).eval()
    model.load_state_dict(renamed(found))
    return model


RENAMED = {
    "logit_scale": "log_scale",
    "text_projection.weight": "text_projection.weight",
    "visual_projection.weight": "image_projection.weight",
    "text_model.embeddings.token_embedding.weight": "text.embedding.weight",
    "text_model.embeddings.position_embedding.weight": "text.position",
    "text_model.final_layer_norm": "text.transformer.norm",
    "vision_model.embeddings.class_embedding": "vision.token",
    "vision_model.embeddings.patch_embedding.weight": "vision.patches.weight",
    "vision_model.embeddings.position_embedding.weight": "vision.position",
    "vision_model.pre_layrnorm": "vision.norm",
    "vision_model.post_layernorm": "vision.transformer.norm",
    "text_model.encoder.layers": "text.transformer.blocks",
    "vision_model.encoder.layers": "vision.transformer.blocks",
    "layer_norm1": "norm1",
    "layer_norm2": "norm2",
    "self_attn.out_proj": "out",
    "mlp.fc1": "mlp.0",
    "mlp.fc2": "mlp.2",
}


def renamed(theirs: dict[str, Tensor]) -> dict[str, Tensor]:
    """Their names -> ours; queries, keys and values in one matrix."""
    found: dict[str, Tensor] = {}
    for name, tensor in theirs.items():
        for old, new in RENAMED.items():
            name = name.replace(old, new)
        found[name] = tensor[None] if name == "vision.token" else tensor
    for name in [n for n in found if ".self_attn.q_proj." in n]:
        parts = [found.pop(name.replace("q_proj", f"{letter}_proj")) for letter in "qkv"]
        found[name.replace("self_attn.q_proj", "qkv")] = torch.cat(parts)
    return found


IDS = torch.tensor([[1, 7, 8, 9, END, 0, 0], [1, 3, END, 0, 0, 0, 0], [1, 5, 6, 7, 8, 9, END]])
MASK = torch.arange(7) <= (IDS == END).long().argmax(1)[:, None]
IMAGES = draw(3, 3, 16, 16, key="pictures")


@torch.no_grad()
def test_features_and_logits():
    model, out = ours(), theirs()(input_ids=IDS, attention_mask=MASK.long(), pixel_values=IMAGES)
    images, (texts, tokens) = model.embed_images(IMAGES), model.embed_text(IDS, MASK)
    assert torch.allclose(images, out.image_embeds, atol=1e-5)
    assert torch.allclose(texts, out.text_embeds, atol=1e-5)
    assert torch.allclose(tokens[MASK], out.text_model_output.last_hidden_state[MASK], atol=1e-5)
    logits = model.log_scale.exp() * images @ texts.t()
    assert torch.allclose(logits, out.logits_per_image, atol=1e-4)  # up to 14 in size: 1e-5 of them
    assert logits.std() > 0.5
