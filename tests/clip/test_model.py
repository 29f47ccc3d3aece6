"""CLIP: unit vectors, padding without effect, and a tiny one that learns its pairs."""

import pytest
import torch
from tests.fakes import built, draw, learn

from unclip.clip.model import CLIP, CLIPConfig
from unclip.clip.text import TextConfig
from unclip.clip.vision import VisionConfig
from unclip.core.noise import Noise
from unclip.core.task import Batch
from unclip.text.tokenizer import Tokenizer

WORDS = [f"{a} {b}" for a in ("red", "blue", "pale", "dark") for b in ("cat", "dog", "tree", "house")]
LONG = "a dark house with a red cat"
TOKENIZER = Tokenizer.train([*WORDS, LONG], vocabulary=300)


def tiny(form: str = "softmax", channels: int = 3) -> CLIP:
    text = TextConfig(TOKENIZER.size, TOKENIZER.context, width=32, layers=1, heads=2)
    vision = VisionConfig(16, channels, stem=(16, 32), width=32, layers=1, heads=2)
    return built(lambda: CLIP(CLIPConfig(text, vision, width=24, form=form)))  # pyright: ignore[reportArgumentType]


def pairs() -> Batch:
    ids, mask = TOKENIZER(WORDS)
    return Batch(images=draw(16, 3, 16, 16).tanh(), ids=ids, mask=mask, same=torch.arange(16))


@pytest.mark.parametrize("form", ["softmax", "sigmoid"])
def test_learns_sixteen_pairs_by_heart(form: str):
    model, batch = tiny(form), pairs()
    losses = learn(model, batch, steps=100)
    assert losses[-1] < losses[0] / 3
    assert batch.images is not None and batch.ids is not None and batch.mask is not None
    with torch.no_grad():
        scores = model.embed_images(batch.images) @ model.embed_text(batch.ids, batch.mask)[0].t()
    assert scores.argmax(1).tolist() == scores.argmax(0).tolist() == list(range(16))


def test_embeddings_are_unit_vectors_of_the_joint_width():
    model, batch = tiny(channels=1), pairs()
    images = model.embed_images(draw(5, 1, 16, 16))
    texts, tokens = model.embed_text(batch.ids, batch.mask)  # pyright: ignore[reportArgumentType]
    for unit, n in ((images, 5), (texts, 16)):
        assert unit.shape == (n, 24)
        assert torch.allclose(unit.norm(dim=1), torch.ones(n), atol=1e-5)
    assert tokens.shape == (16, batch.ids.shape[1], 32)  # pyright: ignore[reportOptionalMemberAccess]


def test_padding_has_no_effect():
    model = tiny()
    ids, mask = TOKENIZER(["red cat", LONG])
    short, _ = TOKENIZER(["red cat"])
    assert ids.shape[1] > short.shape[1]
    padded, alone = (
        model.embed_text(i, m) for i, m in ((ids, mask), (short, torch.ones_like(short, dtype=torch.bool)))
    )
    assert torch.allclose(padded[0][0], alone[0][0], atol=1e-6)
    assert torch.allclose(padded[1][0, : short.shape[1]], alone[1][0], atol=1e-6)


def test_the_loss_minds_which_captions_are_equal():
    model, batch = tiny(), pairs()
    one = Batch(**{**vars(batch), "same": torch.zeros(16, dtype=torch.long)})
    apart, equal = (model.loss(b, Noise.shared(0)).total.item() for b in (batch, one))
    assert abs(apart - equal) > 0.01


def test_temperature_starts_at_the_papers():
    losses = tiny().loss(pairs(), Noise.shared(0))
    assert losses.parts["temperature"] == pytest.approx(0.07)


def test_a_size_that_the_stem_cannot_halve_is_refused():
    with pytest.raises(ValueError, match="size = 20: must be divisible by 8"):
        VisionConfig(20)
