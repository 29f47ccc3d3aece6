"""The weights of our CLIP with a ViT under the names of `transformers` and of `open_clip`."""

from collections.abc import Iterator

from unclip.interop.weights import Match, matches

ONES = {  # ours -> transformers, open_clip
    "log_scale": ("logit_scale", "logit_scale"),
    "text.embedding.weight": ("text_model.embeddings.token_embedding.weight", "token_embedding.weight"),
    "text.position": ("text_model.embeddings.position_embedding.weight", "positional_embedding"),
    "vision.patches.weight": ("vision_model.embeddings.patch_embedding.weight", "visual.conv1.weight"),
    "vision.position": ("vision_model.embeddings.position_embedding.weight", "visual.positional_embedding"),
}
NORMS = {
    "text.transformer.norm": ("text_model.final_layer_norm", "ln_final"),
    "vision.norm": ("vision_model.pre_layrnorm", "visual.ln_pre"),
    "vision.transformer.norm": ("vision_model.post_layernorm", "visual.ln_post"),
}
PROJECTIONS = {
    "text_projection.weight": ("text_projection.weight", "text_projection"),
    "image_projection.weight": ("visual_projection.weight", "visual.proj"),
}
TOKEN = ("vision_model.embeddings.class_embedding", "visual.class_embedding")
BLOCKS = {
    "text": ("text_model.encoder.layers", "transformer.resblocks"),
    "vision": ("vision_model.encoder.layers", "visual.transformer.resblocks"),
}
LAYERS = {
    "norm1": ("layer_norm1", "ln_1"),
    "norm2": ("layer_norm2", "ln_2"),
    "out": ("self_attn.out_proj", "attn.out_proj"),
    "mlp.0": ("mlp.fc1", "mlp.c_fc"),
    "mlp.2": ("mlp.fc2", "mlp.c_proj"),
}
BIAS = "logit_bias"
"""open_clip's name of the bias of a sigmoid loss; transformers has none."""


def of_transformers(text_layers: int, vision_layers: int) -> Iterator[Match]:
    """Every tensor but the bias of the sigmoid loss, which no embedding depends on."""
    yield from _pairs(0, text_layers, vision_layers)


def of_text(layers: int) -> Iterator[Match]:
    """Those of transformers' text tower alone, with its projection."""
    yield from (pair for pair in of_transformers(layers, 0) if pair.ours.startswith("text"))


def of_open_clip(text_layers: int, vision_layers: int, bias: bool) -> Iterator[Match]:
    """Every tensor. bias: whether the loss has one."""
    yield from _pairs(1, text_layers, vision_layers)
    if bias:
        yield Match("bias", (BIAS,))


def _pairs(library: int, text_layers: int, vision_layers: int) -> Iterator[Match]:
    for ours, names in ONES.items():
        yield Match(ours, (names[library],))
    yield Match("vision.token", (TOKEN[library],), "row")
    for ours, names in PROJECTIONS.items():
        yield Match(ours, (names[library],), "transposed" if library else "alike")
    for ours, names in NORMS.items():
        yield from matches(ours, names[library])
    for tower, layers in (("text", text_layers), ("vision", vision_layers)):
        for i in range(layers):
            yield from _block(library, f"{tower}.transformer.blocks.{i}", f"{BLOCKS[tower][library]}.{i}")


def _block(library: int, ours: str, theirs: str) -> Iterator[Match]:
    for a, names in LAYERS.items():
        yield from matches(f"{ours}.{a}", f"{theirs}.{names[library]}")
    if library:
        for end in ("weight", "bias"):
            yield Match(f"{ours}.qkv.{end}", (f"{theirs}.attn.in_proj_{end}",))
    else:
        yield from matches(f"{ours}.qkv", *(f"{theirs}.self_attn.{letter}_proj" for letter in "qkv"))
