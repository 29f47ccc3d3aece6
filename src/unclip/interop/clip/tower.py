"""A text tower alone, as pipelines of diffusers keep it, with its tokenizer: a CLIP whose image tower is not there."""

from pathlib import Path

import torch

from unclip.clip.model import CLIP, CLIPConfig
from unclip.clip.vision import NoTowerConfig
from unclip.core.config.ranges import quote
from unclip.core.config.tables import read_json
from unclip.core.noise import initial_weights
from unclip.core.typing import Tensor
from unclip.interop import weights
from unclip.interop.clip import names, vocabulary
from unclip.interop.clip.read import text_config
from unclip.interop.parts import CONFIG, tensors
from unclip.text.tokenizer import Tokenizer

TEXT, TOKENIZER = "text_encoder", "tokenizer"
PROJECTION, PREFIX = "text_projection.weight", "text_model."


def read(folder: Path, size: int, projected: bool) -> tuple[CLIP, Tokenizer]:
    """The CLIP and the tokenizer of a pipeline's folder.

    Args:
        folder: the pipeline's, with text_encoder/ and tokenizer/ in it.
        size: of the run's images, px.
        projected: whether it is a CLIPTextModelWithProjection; otherwise the features are the embedding.

    Raises:
        ValueError: names the file, and the setting or the weight that has no place here.
    """
    where = folder / TEXT / CONFIG
    table = read_json(where, "the settings of a CLIP's text tower")
    if table.get("model_type") != "clip_text_model":
        raise ValueError(f"{where}: model_type = {quote(table.get('model_type'))}; a CLIP's says 'clip_text_model'")
    tower = text_config(table, where)
    width = table.get("projection_dim", 512) if projected else tower.width
    state, file = tensors(folder / TEXT)
    state = {_named(name): t for name, t in state.items() if not name.endswith("position_ids")}
    if not projected:
        state[PROJECTION] = torch.eye(width)
    found = weights.to_ours(state, names.of_text(tower.layers), file)
    words = vocabulary.read(folder / TOKENIZER, tower.context)
    if words.size != tower.vocabulary:
        raise ValueError(
            f"{folder / TOKENIZER}: has {words.size:,} tokens and the text tower {tower.vocabulary:,}; they are "
            "not of the same model"
        )
    return _filled(CLIPConfig(tower, NoTowerConfig(size), width, "softmax"), found, file), words


def _filled(config: CLIPConfig, found: dict[str, Tensor], file: Path) -> CLIP:
    with initial_weights("read", "clip"):
        clip = CLIP(config)
    weights.check_shapes(found, clip, file)
    clip.load_state_dict({**clip.state_dict(), **found})
    return clip.eval().requires_grad_(False)


def _named(name: str) -> str:
    """As a CLIPModel has it: newer versions of transformers leave out where the tower stands."""
    return name if name.startswith((PREFIX, PROJECTION)) else PREFIX + name
