"""A sketch: the small image of a noisy image is a noisy small image, and words decide what it shows."""

import math
from dataclasses import replace

import pytest
import torch
from tests.fakes import awake, built, learn, tiny_unet
from torch import Tensor, nn

from unclip.clip.text import TextConfig
from unclip.core.condition import Condition
from unclip.core.noise import Noise
from unclip.core.task import Batch, Losses
from unclip.diffusion.level import noised
from unclip.diffusion.parameterization import EDM, Eps, Parameterization
from unclip.diffusion.process import DiffusionConfig
from unclip.models.decoder import Decoder, DecoderConfig, decoder_diffusion
from unclip.models.distillation import Student, StudentConfig
from unclip.models.inpainter import Inpainter
from unclip.models.sketch import Sketched, SketchedConfig
from unclip.text.tokenizer import Tokenizer

SIDES = {"dark on the left": 0, "dark on the right": 1}
TOKENIZER = Tokenizer.train(SIDES, vocabulary=300)
D, W, SIZE = 6, 16, 8
TEXT = TextConfig(TOKENIZER.size, TOKENIZER.context, width=W, layers=1, heads=2)

PLAIN = tiny_unet(vector_width=D + W, token_width=W)
NETWORK = SketchedConfig(
    PLAIN.changed(image_channels=3), SIZE, 4, TOKENIZER.size, TOKENIZER.context, width=64, layers=2
)
CONFIG = DecoderConfig(NETWORK, size=SIZE, embedding_width=D, text=TEXT)
Z = torch.nn.functional.normalize(torch.ones(2, D), dim=1)
"""Embeddings that say nothing: of the two captions, only words tell where it is dark."""


def halves() -> Tensor:
    """An image a caption: one half of it dark, the other bright."""
    images = torch.full((2, 3, SIZE, SIZE), 0.8)
    images[0, :, :, : SIZE // 2] = -0.8
    images[1, :, :, SIZE // 2 :] = -0.8
    return images


def batch(times: int = 1) -> Batch:
    ids, mask = TOKENIZER(list(SIDES) * times)
    return Batch(images=halves().repeat(times, 1, 1, 1), image_embedding=Z.repeat(times, 1), ids=ids, mask=mask)


def decoder(config: DecoderConfig = CONFIG) -> Decoder:
    return built(lambda: Decoder(config))


def sketched(made: Decoder) -> Sketched:
    network = made.diffusion.denoiser.network
    assert isinstance(network, Sketched)
    return network


def randn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def told(made: Decoder) -> Condition:
    return made.conditions(Z, *TOKENIZER(list(SIDES)))[0]


def test_the_small_image_of_a_noisy_image_is_a_noisy_small_image():
    """S(alpha x0 + sigma eps) = alpha S(x0) + (sigma / k) eps', exactly, at the level that it is said to have."""
    made = sketched(decoder())
    x0, eps, level = randn(5, 3, SIZE, SIZE), randn(5, 3, SIZE, SIZE, seed=1), torch.tensor([-9.0, -3.0, 0.0, 2.0, 8.0])
    small, at = made.made_small(noised(x0, level, eps), level)
    assert torch.allclose(at, level + math.log(4))
    clean, noise = (made.made_small(t, torch.full((5,), 40.0))[0] for t in (x0, eps))
    expected = noised(clean, at, 2 * noise)
    assert torch.allclose(small, expected, atol=1e-5)
    assert (2 * made.made_small(randn(2000, 3, SIZE, SIZE), torch.full((2000,), 40.0))[0]).std() == pytest.approx(
        1.0, abs=0.01
    )


def test_squares_are_put_together_as_they_were_cut():
    made = sketched(decoder())
    x = halves()
    made.sketch.forward = lambda t, level, cond: type("P", (), {"x0": t})()  # pyright: ignore[reportAttributeAccessIssue]
    guess = made.guess(x, torch.full((2,), 40.0), told(decoder()))
    assert torch.allclose(guess, torch.nn.functional.avg_pool2d(x, 2), atol=1e-5)


@pytest.mark.parametrize("asked_by", [EDM(), EDM(0.2), Eps()])
def test_it_undoes_the_scale_of_the_process(asked_by: Parameterization):
    """However the process scales what its network sees, the guess is that of the state itself."""
    network = built(replace(NETWORK, asked_by=asked_by).build)
    assert isinstance(network, Sketched)
    x, level, cond, seen = randn(2, 3, SIZE, SIZE), torch.tensor([-2.0, 3.0]), told(decoder()), []
    awake(network.sketch)
    real = network.network.forward
    network.network.forward = lambda x, level, cond: seen.append(cond.image) or real(x, level, cond)
    network(x * asked_by.input_scale(level)[:, None, None, None], level, cond)
    expected = network.guess(x, level, cond).repeat_interleave(2, 2).repeat_interleave(2, 3)
    assert torch.allclose(seen[0], expected, atol=1e-5)


def test_it_hears_the_caption_alone():
    made = decoder()
    awake(made)
    x, level = randn(2, 3, SIZE, SIZE), torch.zeros(2)
    words = TOKENIZER(list(SIDES))
    a, b = (sketched(made).guess(x, level, made.conditions(z, *words)[0]) for z in (Z, -Z))
    c = sketched(made).guess(x, level, made.conditions(Z, *(t.flip(0) for t in words))[0])
    assert torch.equal(a, b)
    assert not torch.allclose(a, c, atol=1e-4)


def test_the_loss_is_that_of_the_image_and_of_the_small_image():
    made, given = decoder(), batch(2)
    awake(made)
    losses = made.loss(given, Noise.shared(0))
    assert given.images is not None
    cond = made.training_condition(given, Noise.shared(0))
    image = made.diffusion.loss(given.images, cond, Noise.shared(0)).mean()
    beside = sketched(made).loss(given.images, cond, Noise.shared(0).fork("sketch")).mean()
    assert losses.total.item() == pytest.approx((image + beside).item(), rel=1e-5)
    assert losses.parts["sketch"] == pytest.approx(beside.item(), rel=1e-5)


def test_the_network_does_not_move_the_guess():
    made = decoder()
    awake(made)
    given = batch(2)
    assert given.images is not None
    cond = made.training_condition(given, Noise.shared(0))
    made.diffusion.loss(given.images, cond, Noise.shared(0)).mean().backward()
    assert all(p.grad is None for p in sketched(made).sketch.parameters())


class Alone(nn.Module):
    """The sketch of a decoder, as a task of its own: the network that paints takes ten times as long."""

    per_sample = True

    def __init__(self, whole: Decoder) -> None:
        super().__init__()
        self.whole = whole

    def loss(self, given: Batch, noise: Noise) -> Losses:
        cond = self.whole.training_condition(given, noise)
        return Losses(sketched(self.whole).loss(self.whole.clean(given), cond, noise).mean())


def test_words_say_where_things_lie():
    """Of noise that shows nothing it guesses what the caption says, and the decoder draws it."""
    made = decoder(replace(CONFIG, drop_caption=0.0))
    losses = learn(Alone(made), batch(8), steps=300, lr=4e-3)
    assert sum(losses[-20:]) < 0.5 * sum(losses[:20])
    guess = sketched(made).guess(randn(2, 3, SIZE, SIZE), torch.full((2,), -12.0), told(made))
    assert (guess - torch.nn.functional.avg_pool2d(halves(), 2)).abs().mean() < 0.2
    learn(made, batch(8), steps=150, lr=2e-3)
    ids, mask = TOKENIZER(list(SIDES) * 4)
    *_, end = made.sample(Z.repeat(4, 1), ids, mask, Noise.per_sample(range(8)))
    darker = end.x[:, :, :, : SIZE // 2].mean((1, 2, 3)) < end.x[:, :, :, SIZE // 2 :].mean((1, 2, 3))
    assert darker.tolist() == [True, False] * 4


def test_an_inpainter_starts_as_its_decoder():
    made = decoder()
    awake(made)
    painter = Inpainter.start(made)
    assert painter.config.decoder.network.image_channels == 4
    x, level, cond = randn(2, 3, SIZE, SIZE), torch.tensor([0.0, 1.0]), told(made)
    plain = made.diffusion.denoiser(x, level, cond).x0
    shown = painter.decoder.diffusion.denoiser(x, level, replace(cond, image=randn(2, 4, SIZE, SIZE))).x0
    assert torch.allclose(plain, shown, atol=1e-5)


def test_settings_of_the_network_reach_the_network():
    changed = NETWORK.changed(image_channels=4, vector_width=9)
    assert changed.of.image_channels == 7
    assert (changed.image_channels, changed.vector_width) == (4, 9)
    assert NETWORK.image_channels == 0


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"small": 3}, "sketch = 3: must be even, and divide the side of what is denoised, 8"),
        ({"small": 1}, "sketch = 1: must be even"),
        ({"width": 48}, "sketch_width = 48: must be a multiple of 32"),
    ],
)
def test_what_cannot_be_made_small_is_refused(changes: dict[str, int], message: str):
    with pytest.raises(ValueError, match=message):
        replace(NETWORK, **changes)


def test_a_process_of_another_scale_is_refused():
    with pytest.raises(ValueError, match="network asked_by must be"):
        replace(CONFIG, diffusion=DiffusionConfig(decoder_diffusion().schedule, EDM(0.3)))


def test_it_comes_back_from_its_settings_and_weights():
    made = decoder()
    awake(made)
    again = Decoder(DecoderConfig.from_dict(CONFIG.to_dict()))
    again.load_state_dict(made.state_dict())
    x, level = randn(2, 3, SIZE, SIZE), torch.zeros(2)
    assert torch.equal(*(m.diffusion.denoiser(x, level, told(m)).x0 for m in (made, again)))


def test_a_student_starts_as_its_teacher():
    made = decoder()
    awake(made)
    student = Student.of(made.diffusion, StudentConfig(NETWORK, CONFIG.diffusion, CONFIG.sampling))
    x, level, cond = randn(2, 3, SIZE, SIZE), torch.zeros(2), told(made)
    assert torch.equal(student(x, level, cond).x0, made.diffusion.denoiser(x, level, cond).x0)
