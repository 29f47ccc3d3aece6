"""A CLIP of ours, written as transformers and open_clip keep one, embeds there what it embeds here."""

import os
import sys
from pathlib import Path
from unittest.mock import MagicMock

import pytest
import torch
from tests.fakes import draw
from tests.interop.clips import CAPTIONS, LONG, clip, tokenizer
from torch import Tensor

os.environ.setdefault("HF_HUB_OFFLINE", "1")
transformers = pytest.importorskip("transformers")

from unclip.clip.model import CLIP  # noqa: E402
from unclip.images.files import to_pictures  # noqa: E402
from unclip.interop.clip import folder  # noqa: E402
from unclip.text.tokenizer import Tokenizer  # noqa: E402

IMAGES = draw(3, 3, 16, 16, key="pictures").clamp(-1, 1)
TEXTS = [*CAPTIONS, LONG]


def ours(model: CLIP, words: Tokenizer) -> tuple[Tensor, Tensor]:
    return model.embed_images(IMAGES), model.embed_text(*words(TEXTS))[0]


def normal(x: Tensor) -> Tensor:
    return torch.nn.functional.normalize(x, dim=-1)


@pytest.mark.parametrize("activation", ["quick_gelu", "gelu"])
@torch.no_grad()
def test_transformers(activation: str, tmp_path: Path):
    words = tokenizer()
    model = clip(words, activation)  # pyright: ignore[reportArgumentType]
    folder.write(model, words, tmp_path)
    theirs = transformers.CLIPModel.from_pretrained(tmp_path).eval()
    texts = transformers.AutoTokenizer.from_pretrained(tmp_path)(
        TEXTS, return_tensors="pt", padding=True, truncation=True, max_length=words.context
    )
    out = theirs(**texts, pixel_values=IMAGES)
    images, captions = ours(model, words)
    assert (normal(out.image_embeds) - images).abs().max() < 1e-5
    assert (normal(out.text_embeds) - captions).abs().max() < 1e-5
    assert captions.std(0).max() > 0.05
    assert (out.logits_per_image - model.log_scale.exp() * images @ captions.T).abs().max() < 1e-4


@torch.no_grad()
def test_classes_with_a_projection_and_the_processor(tmp_path: Path):
    """The width of the embeddings stands in the settings of both towers; images are prepared as here."""
    words = tokenizer()
    model = clip(words)
    folder.write(model, words, tmp_path)
    processor = transformers.CLIPImageProcessorPil.from_pretrained(tmp_path)
    pixels = processor(to_pictures(IMAGES), return_tensors="pt").pixel_values
    assert (pixels - IMAGES).abs().max() < 0.01  # of bytes
    tower = transformers.CLIPVisionModelWithProjection.from_pretrained(tmp_path)
    assert (normal(tower(pixel_values=IMAGES).image_embeds) - model.embed_images(IMAGES)).abs().max() < 1e-5
    text = transformers.CLIPTextModelWithProjection.from_pretrained(tmp_path)
    assert text.config.projection_dim == model.config.width


def open_clip():
    """open_clip; torchvision of PyPI does not load beside a torch for CPUs, and all that is used of it are images."""
    parts = ("", ".transforms", ".transforms.functional", ".ops", ".ops.misc")
    missing = {f"torchvision{part}": MagicMock() for part in parts if f"torchvision{part}" not in sys.modules}
    sys.modules.update(missing)
    try:
        return pytest.importorskip("open_clip")
    finally:
        for name in missing:
            del sys.modules[name]


@pytest.mark.parametrize("form", ["softmax", "sigmoid"])
@torch.no_grad()
def test_open_clip(form: str, tmp_path: Path):
    library, words = open_clip(), tokenizer()
    model = clip(words, form=form)  # pyright: ignore[reportArgumentType]
    folder.write(model, words, tmp_path)
    theirs = library.create_model(f"local-dir:{tmp_path}").eval()
    texts = library.get_tokenizer(f"local-dir:{tmp_path}")(TEXTS)
    images, captions = model.embed_images(IMAGES), model.embed_text(*words([" ".join(t.split()) for t in TEXTS]))[0]
    assert (theirs.encode_image(IMAGES, normalize=True) - images).abs().max() < 1e-5
    assert (theirs.encode_text(texts, normalize=True) - captions).abs().max() < 1e-5
    if form == "sigmoid":
        assert theirs.logit_bias == model.bias


def test_what_they_have_no_tower_for_is_refused(tmp_path: Path):
    words = tokenizer()
    with pytest.raises(ValueError, match="images of 1 channels, and theirs see 3; .* --set clip.vision=vit"):
        folder.write(clip(words, channels=1), words, tmp_path)
    assert not any(tmp_path.iterdir())
