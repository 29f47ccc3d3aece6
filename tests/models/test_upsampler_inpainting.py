"""The upsampler for inpainting starts as the upsampler, learns to go on with what it sees, and keeps it."""

from dataclasses import replace

import pytest
import torch
from tests.enlarging import CONFIG, drawn, seeing, trained, upsampler
from tests.fakes import built, draw, spied

from unclip.core.noise import Noise
from unclip.core.task import Batch
from unclip.data.images.resize import shrink
from unclip.data.masks import MaskConfig
from unclip.evaluation.fidelity.inpainting import hole_error, judged_holes
from unclip.models.known_region import KnownRegion
from unclip.models.upsampler import Upsampler, UpsamplerConfig

N = 32
REAL = drawn(N, 99)
GIVEN = KnownRegion(REAL, judged_holes(REAL, 0))


def last(model: Upsampler, given: KnownRegion | None, seeds: range = range(N)) -> torch.Tensor:
    low = shrink(REAL[list(seeds)], 2)
    *_, end = model.sample(low, Noise.per_sample(seeds), given=given)
    return end.x


@torch.no_grad()
def test_it_starts_as_the_upsampler_bit_for_bit():
    base = upsampler()
    made = Upsampler.start(base).eval()
    assert made.config == UpsamplerConfig.from_dict(made.config.to_dict()) and made.config.masks == MaskConfig()
    cond = base.condition(shrink(REAL[:4], 2), torch.zeros(4))
    x, level = draw(4, 3, 32, 32), torch.tensor([-2.0, 0.0, 2.0, 5.0])
    for detail in (None, GIVEN.part(slice(4))):
        wide = made.diffusion.denoiser(x, level, made.shown(cond, detail))
        assert torch.equal(base.diffusion.denoiser(x, level, cond).x0, wide.x0)


@pytest.mark.parametrize("model", [upsampler(), built(lambda: Upsampler.start(upsampler()))], ids=["plain", "seeing"])
@pytest.mark.parametrize("h, w", [(16, 16), (11, 7)])
def test_what_is_given_is_kept_exactly(model: Upsampler, h: int, w: int):
    """Also by an upsampler that does not see it, and where the image is continued for the network."""
    real = REAL[:3, :, : 2 * h, : 2 * w]
    given = KnownRegion(real, GIVEN.mask[:3, :, : 2 * h, : 2 * w])
    *_, end = model.sample(shrink(real, 2), Noise.per_sample(range(3)), given=given)
    known = given.mask.expand_as(real) == 1
    assert end.x.shape == real.shape and torch.equal(end.x[known], real[known])
    assert not torch.equal(end.x[~known], real[~known])


@torch.no_grad()
def test_it_reads_what_it_is_shown():
    """In noise where nothing of the image is left to see, what is known tells of what is hidden: little here."""
    model, low = seeing(), shrink(REAL, 2)
    cond = model.condition(low, torch.zeros(N))
    assert cond.image is not None
    detail = KnownRegion((REAL - cond.image) / (2 * model.spread), GIVEN.mask)
    x, level = draw(N, 3, 32, 32), torch.full((N,), -6.0)
    shown, blind = (model.diffusion.denoiser(x, level, model.shown(cond, d)).x0 for d in (detail, None))
    told, untold = (hole_error(x0, detail.images, detail.mask) for x0 in (shown, blind))
    assert told.mean() < untold.mean()
    assert hole_error(shown, blind, detail.mask).mean() > 0.02


def test_it_fills_holes_better_than_the_upsampler_it_began_as():
    """Both have the known part put in at each step."""
    plain, mine = (hole_error(last(model, GIVEN), REAL, GIVEN.mask) for model in (trained(), seeing()))
    gap = plain - mine
    assert gap.mean() > 3 * gap.std() / N**0.5


def test_it_only_draws_from_what_it_is_shown():
    """What lies in the hole of the image that is given is not looked at."""
    hidden = KnownRegion(GIVEN.over(torch.full_like(REAL, 0.7)), GIVEN.mask)
    assert torch.equal(last(seeing(), GIVEN), last(seeing(), hidden))


def test_alone_and_in_a_batch():
    together, alone = last(seeing(), GIVEN), last(seeing(), GIVEN.part(slice(5, 6)), range(5, 6))
    assert (alone[0] - together[5]).abs().max() < 2 / 255


def test_training_hides_by_its_own_noise():
    batch, masked = Batch(images=REAL[:8]), upsampler(replace(CONFIG, masks=MaskConfig()))
    a, b, other = (masked.loss(batch, Noise.shared(key)).total for key in (0, 0, 1))
    assert a == b and a != other


def test_what_is_shown_does_not_count_and_the_plain_one_hides_nothing(monkeypatch: pytest.MonkeyPatch):
    plain, batch = trained(), Batch(images=REAL[:8])
    start, seen = Upsampler.start(plain), spied(monkeypatch)
    for model in (start, plain):
        model.loss(batch, Noise.shared(0))
    (cond, counts), (alone, all_) = seen
    assert cond.image is not None and counts is not None and alone.image is not None
    assert torch.equal(counts, 1 - cond.image[:, -1:]) and 0 < counts.mean() < 1
    assert torch.equal(cond.image[:, :3], alone.image) and alone.image.shape[1] == 3 and all_ is None


def test_given_of_another_size_is_refused():
    half = KnownRegion(REAL[:1, :, ::2, ::2], GIVEN.mask[:1, :, ::2, ::2])
    with pytest.raises(ValueError, match=r"given images of \[16, 16\] px: these become \[32, 32\] px"):
        next(trained().sample(shrink(REAL[:1], 2), Noise.per_sample([0]), given=half))
