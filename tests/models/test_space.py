"""A decoder of codes: it denoises what a frozen autoencoder makes of images, and shows images again."""

from dataclasses import replace

import pytest
import torch
from tests.fakes import awake, built, draw, tiny_unet
from tests.half import TEXT, TOKENIZER, D, W
from torch import Tensor

from unclip.core.noise import Noise
from unclip.core.task import Batch
from unclip.diffusion.process import Sampling
from unclip.diffusion.samplers import RePaint
from unclip.models.autoencoder.model import Autoencoder
from unclip.models.autoencoder.space import CodeSpace, PixelSpace
from unclip.models.codes import latent_diffusion, latent_sampling
from unclip.models.decoder import Decoder, DecoderConfig
from unclip.models.inpainter import Inpainter
from unclip.models.known_region import KnownRegion
from unclip.nn.autoencoder.coder import CoderConfig

CODER = CoderConfig(latent=4, patch=2, widths=(16, 16), attention=False, norm="position")
SIZE = 32
NETWORK = tiny_unet(channels=4, vector_width=D + W, token_width=W)
CONFIG = DecoderConfig(
    NETWORK, latent_diffusion(), latent_sampling(), size=SIZE, embedding_width=D, text=TEXT, coder=CODER
)
HOW = Sampling(6)


def images(n: int = 4) -> Tensor:
    return draw(n, 3, SIZE, SIZE, key="images").clamp(-1, 1)


def autoencoder() -> Autoencoder:
    return awake(built(lambda: Autoencoder(CODER))).eval()


def decoder() -> Decoder:
    made, trained = awake(built(lambda: Decoder(CONFIG))).eval(), autoencoder()
    assert isinstance(made.space, CodeSpace)
    made.space.start(trained, trained.encode(images(16)).moments.detach())
    return made


def words(n: int) -> tuple[Tensor, Tensor, Tensor]:
    return torch.nn.functional.normalize(draw(n, D, key="z"), dim=1), *TOKENIZER(["red"] * n)


@torch.no_grad()
def test_codes_have_unit_variance_and_come_back_as_the_autoencoder_repeats_images():
    space, trained = decoder().space, autoencoder()
    x = space.encode(images(16))
    assert x.shape == (16, 4, 8, 8) and space.factor == 4
    torch.testing.assert_close(x.mean((0, 2, 3)), torch.zeros(4), atol=1e-5, rtol=0)
    torch.testing.assert_close(x.std((0, 2, 3)), torch.ones(4), atol=1e-2, rtol=0)
    torch.testing.assert_close(space.decode(x), trained.reconstruct(images(16)), atol=1e-4, rtol=0)
    torch.testing.assert_close(space.clean(None, trained.encode(images(16)).moments), x)


def test_nothing_trains_or_thaws_the_autoencoder_and_it_is_kept_with_the_decoder():
    made = decoder()
    made.requires_grad_(True)
    assert not [name for name, _ in made.named_parameters() if name.startswith("space")]
    state = made.state_dict()
    assert {f"space.autoencoder.{name}" for name in autoencoder().state_dict()} < set(state)
    other = Decoder(DecoderConfig.from_dict(CONFIG.to_dict()))
    other.load_state_dict(state)
    assert torch.equal(other.space.encode(images()), made.space.encode(images()))


@torch.no_grad()
def test_steps_are_seen_as_images():
    made = decoder()
    steps = list(made.sample(*words(2), Noise.per_sample([0, 1]), HOW))
    assert len(steps) == 6 and all(step.x0.shape == (2, 3, SIZE, SIZE) for step in steps)
    assert float(steps[-1].x.abs().max()) <= 1
    *_, alone = made.sample(*words(2), Noise.per_sample([0, 1]), HOW)
    assert torch.equal(alone.x, steps[-1].x)


def test_its_loss_is_that_of_the_codes_whether_they_were_kept_or_are_made_now():
    made, (z, ids, mask) = decoder(), words(4)
    kept = autoencoder().encode(images()).moments.detach()
    asked = Batch(images=images(), ids=ids, mask=mask, image_embedding=z)
    losses = [made.loss(b, Noise.shared(0)).total for b in (asked, replace(asked, images=None, latents=kept))]
    torch.testing.assert_close(*losses)


@torch.no_grad()
def test_what_is_known_of_codes_says_nothing_of_the_hole():
    space, mask = decoder().space, torch.ones(1, 1, SIZE, SIZE)
    mask[..., 12:20, 12:20] = 0
    one, other = images(), torch.where(mask == 1, images(), -images())
    a, b = (space.known(KnownRegion(x, mask)) for x in (one, other))
    assert torch.equal(a.images, b.images)
    cells = torch.ones(1, 1, 8, 8)
    cells[..., 2:6, 2:6] = 0  # those of the hole, and their neighbours
    assert torch.equal(a.mask, cells)
    plain = KnownRegion(one, mask)
    assert PixelSpace(3).known(plain) is plain


@torch.no_grad()
def test_both_painters_keep_what_is_given_to_the_last_bit_and_paint_the_rest():
    made, mask = decoder(), torch.ones(1, 1, SIZE, SIZE)
    mask[..., :16] = 0
    given, (z, ids, seen) = KnownRegion(images(2), mask), words(2)
    branches, noise = made.conditions(z, ids, seen), Noise.per_sample([0, 1])
    *_, walked = made.fill(given, branches, noise, HOW, lambda k: RePaint(k.images, k.mask, resamples=1))
    painter = Inpainter.start(made).eval()
    assert not [name for name, _ in painter.named_parameters() if "space" in name]
    *_, painted = painter.sample(z, ids, seen, given, noise, HOW)
    for last in (walked, painted):
        assert torch.equal(last.x[..., 16:], given.images[..., 16:])
        assert not torch.equal(last.x[..., :16], given.images[..., :16])
    batch = Batch(images=images(), ids=ids[:1].expand(4, -1), mask=seen[:1].expand(4, -1), image_embedding=words(4)[0])
    assert torch.isfinite(painter.loss(batch, Noise.shared(0)).total)


@torch.no_grad()
def test_a_coder_of_position_norms_sees_a_finite_neighbourhood():
    coder = autoencoder()
    one, other = draw(1, 3, 128, 128), draw(1, 3, 128, 128, key="other")
    other[..., 8:] = one[..., 8:]
    far = slice(20, None)
    assert torch.equal(coder.encode(one).mean[..., far], coder.encode(other).mean[..., far])
    assert not torch.equal(coder.encode(one).mean, coder.encode(other).mean)


@pytest.mark.parametrize(
    "changes, said",
    [
        ({"size": 36}, "take a multiple of"),
        ({"diffusion": replace(latent_diffusion(), limit=1.0)}, "codes have no range"),
        ({"diffusion": replace(latent_diffusion(), vlb_weight=0.1)}, "likelihood of pixels"),
    ],
)
def test_settings_that_do_not_fit_codes_are_refused(changes: dict[str, object], said: str):
    with pytest.raises(ValueError, match=said):
        replace(CONFIG, **changes)  # pyright: ignore[reportArgumentType]
