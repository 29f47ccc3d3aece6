"""CLIP: unit vectors, padding without effect, and a tiny one that learns its pairs."""

from dataclasses import replace

import pytest
import torch
from tests.fakes import built, draw, learn
from torch import Tensor, nn

from unclip.clip.model import CLIP, CLIPConfig
from unclip.clip.text import TextConfig
from unclip.clip.vision import VisionConfig, ViTConfig
from unclip.core.noise import Noise
from unclip.core.task import Batch
from unclip.text.tokenizer import Tokenizer
from unclip.training.optim import OptimConfig, optimizers

WORDS = [f"{a} {b}" for a in ("red", "blue", "pale", "dark") for b in ("cat", "dog", "tree", "house")]
LONG = "a dark house with a red cat"
TOKENIZER = Tokenizer.train([*WORDS, LONG], vocabulary=300)


TOWERS = {
    "conv": VisionConfig(16, stem=(16, 32), width=32, layers=1, heads=2),
    "vit": ViTConfig(16, patch=4, width=32, layers=1, heads=2),
}


def tiny(form: str = "softmax", channels: int = 3, tower: str = "conv") -> CLIP:
    text = TextConfig(TOKENIZER.size, TOKENIZER.context, width=32, layers=1, heads=2)
    vision = replace(TOWERS[tower], channels=channels)  # pyright: ignore[reportArgumentType]
    return built(lambda: CLIP(CLIPConfig(text, vision, width=24, form=form)))  # pyright: ignore[reportArgumentType]


def pairs() -> Batch:
    ids, mask = TOKENIZER(WORDS)
    return Batch(images=draw(16, 3, 16, 16).tanh(), ids=ids, mask=mask, caption_id=torch.arange(16))


@pytest.mark.parametrize("form, tower", [("softmax", "conv"), ("sigmoid", "conv"), ("softmax", "vit")])
def test_learns_sixteen_pairs_by_heart(form: str, tower: str):
    model, batch = tiny(form, tower=tower), pairs()
    losses = learn(model, batch, steps=100)
    assert losses[-1] < losses[0] / 3
    assert batch.images is not None and batch.ids is not None and batch.mask is not None
    with torch.no_grad():
        scores = model.embed_images(batch.images) @ model.embed_text(batch.ids, batch.mask)[0].t()
    assert scores.argmax(1).tolist() == scores.argmax(0).tolist() == list(range(16))


@pytest.mark.parametrize("tower", TOWERS)
def test_embeddings_are_unit_vectors_of_the_joint_width(tower: str):
    model, batch = tiny(channels=1, tower=tower), pairs()
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
    one = Batch(**{**vars(batch), "caption_id": torch.zeros(16, dtype=torch.long)})
    apart, equal = (model.loss(b, Noise.shared(0)).total.item() for b in (batch, one))
    assert abs(apart - equal) > 0.01


def test_temperature_starts_at_the_papers():
    losses = tiny().loss(pairs(), Noise.shared(0))
    assert losses.parts["temperature"] == pytest.approx(0.07)


def wide(tower: str) -> CLIP:
    """Wide and deep enough for a standard deviation to be measured."""
    text = TextConfig(2000, 77, width=64, layers=4, heads=1)
    vision = replace(TOWERS[tower], width=64, layers=4)  # pyright: ignore[reportArgumentType]
    return built(lambda: CLIP(CLIPConfig(text, vision, width=96)))


def std(*weights: Tensor) -> float:
    return torch.cat([w.flatten() for w in weights]).std().item()


@pytest.mark.parametrize("part", ["text", "vision"])
def test_first_weights_are_the_papers(part: str):
    model, width, layers = wide("vit"), 64, 4
    named = dict(getattr(model, part).named_parameters())
    of = lambda end: std(*(w for name, w in named.items() if name.startswith("transformer") and name.endswith(end)))  # noqa: E731
    assert of("qkv.weight") == pytest.approx(width**-0.5, rel=0.03)
    assert of("mlp.0.weight") == pytest.approx((2 * width) ** -0.5, rel=0.03)
    for end in ("out.weight", "mlp.2.weight"):
        assert of(end) == pytest.approx((2 * layers * width) ** -0.5, rel=0.03)
    assert of("qkv.bias") == of("out.bias") == 0
    projection = {"text": model.text_projection, "vision": model.image_projection}[part]
    assert std(projection.weight) == pytest.approx(width**-0.5, rel=0.05)


def test_first_embeddings_are_the_papers():
    model = wide("vit")
    assert std(model.text.embedding.weight) == pytest.approx(0.02, rel=0.03)
    assert std(model.text.position) == pytest.approx(0.01, rel=0.05)
    assert std(model.vision.get_parameter("position")) == pytest.approx(64**-0.5, rel=0.1)
    assert std(model.vision.get_parameter("token")) == pytest.approx(64**-0.5, rel=0.3)


@pytest.mark.parametrize("tower", TOWERS)
def test_all_weights_decay_that_are_not_gains_or_biases(tower: str):
    """Radford et al. 2021, section 2.5."""
    model = tiny("sigmoid", tower=tower)
    gains = {id(p) for m in model.modules() if isinstance(m, nn.LayerNorm | nn.GroupNorm) for p in m.parameters()}
    biases = {id(p) for name, p in model.named_parameters() if name.endswith("bias")}
    groups = [g for o in optimizers(model, OptimConfig(decay=0.2, muon_lr=1e-3)) for g in o.param_groups]
    still = {id(p) for g in groups if not g["weight_decay"] for p in g["params"]}
    assert still == gains | biases | {id(model.log_scale)}


def test_the_temperature_stays_above_a_hundredth():
    model = tiny()
    with torch.no_grad():
        model.log_scale.fill_(6.0)
    assert model.loss(pairs(), Noise.shared(0)).parts["temperature"] == pytest.approx(0.01)


def test_settings_of_a_tower_come_back():
    assert CLIPConfig.from_dict(tiny().config.to_dict()) == tiny().config
    assert CLIPConfig.from_dict(tiny(tower="vit").config.to_dict()).vision == TOWERS["vit"]


def test_a_size_that_the_stem_cannot_halve_is_refused():
    with pytest.raises(ValueError, match="size = 20: must be divisible by 8"):
        VisionConfig(20)


def test_patches_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="patch = 6: must divide the size of the images, 32"):
        ViTConfig(32, patch=6)
    with pytest.raises(ValueError, match="heads = 5: must divide the width, 32"):
        ViTConfig(32, width=32, heads=5)
