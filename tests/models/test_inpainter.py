"""The inpainter starts as the decoder, learns to go on with what it sees, and keeps it."""

import pytest
import torch
import torch.nn.functional as F
from tests.fakes import awake, built, draw, spied, tiny_unet
from tests.half import COLOURS, SIZE, TEXT, TOKENIZER, D, W, decoder, flat, inpainter

from unclip.core.noise import Noise
from unclip.core.task import Batch
from unclip.diffusion.guidance import ClassifierFree
from unclip.diffusion.process import Sampling
from unclip.diffusion.samplers import DDIM, DPMSolverPP2M, RePaint
from unclip.models.decoder import Decoder, DecoderConfig
from unclip.models.inpainter import Inpainter, InpainterConfig
from unclip.models.known_region import KnownRegion

ROWS = [0, 1, 2, 3] * 3
LEFT = (torch.arange(SIZE) < SIZE // 2).float().expand(1, 1, SIZE, SIZE)
"""The left half is known."""


def told(captions: list[str]) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    return F.normalize(draw(len(captions), D, key="told"), dim=1), *TOKENIZER(captions)


def right(x: torch.Tensor) -> torch.Tensor:
    """RMS error of the right half, which has to be painted."""
    return (x - flat(ROWS))[..., SIZE // 2 :].square().mean((1, 2, 3)).sqrt()


def without_knowledge() -> torch.Tensor:
    *_, last = decoder().sample(*told([""] * len(ROWS)), Noise.per_sample(range(len(ROWS))))
    return last.x


def painted(seeds: range = range(len(ROWS)), how: Sampling | None = None) -> torch.Tensor:
    rows, words = [ROWS[s] for s in seeds], (part[list(seeds)] for part in told([""] * len(ROWS)))
    *_, last = inpainter().sample(*words, KnownRegion(flat(rows), LEFT), Noise.per_sample(seeds), how)
    return last.x


@torch.no_grad()
def test_it_starts_as_the_decoder_bit_for_bit():
    config = DecoderConfig(tiny_unet(vector_width=D + W, token_width=W), size=SIZE, embedding_width=D, text=TEXT)
    base = awake(built(lambda: Decoder(config)))
    made = Inpainter.start(base).eval()
    assert made.config == InpainterConfig.from_dict(made.config.to_dict())
    how, noise = Sampling(3, DDIM(eta=1.0)), Noise.per_sample(range(4))
    words = told(list(COLOURS))
    nothing = KnownRegion(flat([0, 1, 2, 3]), torch.zeros_like(LEFT))
    *_, a = base.sample(*words, noise, how)
    *_, b = made.sample(*words, nothing, Noise.per_sample(range(4)), how)
    assert torch.equal(a.x, b.x)
    x, level = draw(4, 3, SIZE, SIZE), torch.tensor([-2.0, 0.0, 2.0, 5.0])
    seen = base.conditions(*words)[0]
    known = KnownRegion(flat([0, 1, 2, 3]), LEFT).shown()
    plain = base.diffusion.denoiser(x, level, seen)
    wide = made.decoder.diffusion.denoiser(x, level, type(seen)(**{**vars(seen), "image": known}))
    assert torch.equal(plain.x0, wide.x0)


def test_what_is_given_is_shown_and_nothing_else():
    shown = KnownRegion(flat([0, 3]), LEFT).shown()
    assert shown.shape == (2, 4, SIZE, SIZE)
    assert torch.equal(shown[:, :3, :, : SIZE // 2], flat([0, 3])[..., : SIZE // 2])
    assert not shown[..., SIZE // 2 :].any()


def test_training_hides_by_its_own_noise():
    made, batch = awake(built(lambda: Inpainter(InpainterConfig.of(decoder().config)))), Batch(
        images=flat([0, 1, 2, 3]), **dict(zip(("image_embedding", "ids", "mask"), told(list(COLOURS)), strict=True))
    )  # fmt: skip
    a, b, other = (made.loss(batch, Noise.shared(key)).total for key in (0, 0, 1))
    assert a == b and a != other


def test_what_is_shown_does_not_count(monkeypatch: pytest.MonkeyPatch):
    model, seen = inpainter(), spied(monkeypatch)
    words = dict(zip(("image_embedding", "ids", "mask"), told(list(COLOURS)), strict=True))
    model.loss(Batch(images=flat([0, 1, 2, 3]), **words), Noise.shared(0))
    ((cond, counts),) = seen
    assert cond.image is not None and counts is not None
    assert torch.equal(counts, 1 - cond.image[:, -1:]) and 0 < counts.mean() < 1


def test_the_painted_half_fits_the_known_half():
    blind, seeing = right(without_knowledge()), right(painted())
    assert blind.mean() > 0.5  # one colour in four is right by chance
    assert seeing.mean() < blind.mean() / 3
    assert seeing.max() < 0.5


def test_repaint_with_the_decoder_alone_fits_it_too():
    cond, null = decoder().conditions(*told([""] * len(ROWS)))
    noise, how = Noise.per_sample(range(len(ROWS))), Sampling(12, guidance=ClassifierFree(1.0, limit=1.0))
    walk = RePaint(flat(ROWS), LEFT, jump=3, resamples=4)
    start = noise.normal((len(ROWS), 3, SIZE, SIZE))
    *_, last = decoder().diffusion.walk(start, cond, null, noise, how, walk)
    assert right(last.x).mean() < right(without_knowledge()).mean() / 2
    assert torch.equal(last.x[..., : SIZE // 2], flat(ROWS)[..., : SIZE // 2])


@pytest.mark.parametrize("how", [None, Sampling(8, DPMSolverPP2M(), ClassifierFree(2.0, limit=1.0))])
def test_what_is_given_is_kept_exactly(how: Sampling | None):
    assert torch.equal(painted(how=how)[..., : SIZE // 2], flat(ROWS)[..., : SIZE // 2])


def test_same_seed_same_picture_alone_and_in_a_batch():
    together = painted(range(4))
    assert (painted(range(2, 3))[0] - together[2]).abs().max() < 2 / 255
