"""Latent diffusion: standardised codes, and a tiny one that draws the code its caption says."""

from dataclasses import replace

import pytest
import torch
from tests.fakes import awake, built, draw, learn, tiny_unet

from unclip.clip.text import TextConfig
from unclip.core.noise import Noise
from unclip.core.task import Batch
from unclip.diffusion.guidance import ClassifierFree
from unclip.diffusion.process import Sampling
from unclip.diffusion.samplers import DDIM
from unclip.models.autoencoder.model import Posterior
from unclip.models.codes import latent_diffusion
from unclip.models.latent import LatentConfig, LatentDiffusion
from unclip.nn.backbones.config import ImageNetworkConfig
from unclip.nn.backbones.dit import DiTConfig

TEXT = TextConfig(vocabulary=16, context=4, width=32, layers=1, heads=2)
NETWORK = tiny_unet(channels=4, patch=1, widths=(32,), blocks=(2,), attention=(True,), vector_width=32, token_width=32)
CODES = torch.tensor([(9.0, -1.0, 0.2, 0.0), (5.0, 1.0, 0.2, 3.0), (5.0, -1.0, -0.3, -3.0)])
"""What three captions look like: means and spreads as unequal as an autoencoder's."""
IDS = torch.tensor([[0, 5, 1, 1], [0, 6, 1, 1], [0, 7, 1, 1]])
MASK = torch.tensor([[True, True, True, False]]).repeat(3, 1)


def latent(network: ImageNetworkConfig = NETWORK, **changes: object) -> LatentDiffusion:
    config = LatentConfig(side=4, text=TEXT, network=network, **changes)  # pyright: ignore[reportArgumentType]
    return built(lambda: LatentDiffusion(config))


def pairs(times: int = 1) -> Batch:
    codes = CODES.repeat(times, 1)[:, :, None, None].expand(-1, 4, 4, 4)
    moments = Posterior(codes, torch.full_like(codes, -6.0)).moments
    return Batch(latents=moments, ids=IDS.repeat(times, 1), mask=MASK.repeat(times, 1))


def test_codes_are_standardised_channel_by_channel_and_back():
    model, codes = latent(), draw(50, 4, 4, 4) * torch.tensor([1.0, 5.0, 0.1, 2.0]).view(1, 4, 1, 1) + 3
    model.fit(codes)
    x = model.standardized(codes)
    assert x.mean((0, 2, 3)).abs().max() < 1e-4 and (x.std((0, 2, 3)) - 1).abs().max() < 1e-3
    assert torch.allclose(model.codes(x), codes, atol=1e-4)
    assert {"statistics.mean", "statistics.std"} <= set(model.state_dict())


def test_captions_that_are_filled_up_are_seen_whole_whatever_their_batch():
    network = tiny_unet(channels=4, patch=1, widths=(32,), blocks=(2,), attention=(True,), token_width=32)
    model = awake(latent(network, padding=3))
    assert isinstance(model, LatentDiffusion)
    ids, mask = torch.tensor([[0, 5, 1, 9], [0, 5, 7, 1]]), torch.tensor([[True, True, True, False], [True] * 4])
    both, alone = model.condition(ids, mask), model.condition(ids[:1, :3], mask[:1, :3])
    assert both.vector is None and both.mask is None and both.tokens is not None and alone.tokens is not None
    assert both.tokens.shape == (2, 4, 32) and torch.allclose(both.tokens[:1], alone.tokens, atol=1e-6)
    written = model.text(torch.tensor([[0, 5, 1, 3]]), torch.ones(1, 4, dtype=torch.bool))[0]
    assert torch.allclose(alone.tokens, written, atol=1e-6)
    with pytest.raises(ValueError, match="padding = 16: the text tower knows tokens below 16"):
        latent(network, padding=16)
    with pytest.raises(ValueError, match="vector_width, token_width must be 0, 32"):
        latent(NETWORK, padding=3)


@pytest.fixture(scope="module")
def artist() -> LatentDiffusion:
    model, batch = latent(), pairs(3)
    assert batch.latents is not None
    model.fit(Posterior.of(batch.latents).mean)
    learn(model, batch, steps=80, lr=6e-3)
    return model


def sampled(model: LatentDiffusion, rows: list[int], seeds: list[int], scale: float = 1.5) -> torch.Tensor:
    how = Sampling(12, DDIM(eta=1.0), ClassifierFree(scale))
    *_, end = model.sample(IDS[rows], MASK[rows], Noise.per_sample(seeds), how)
    return model.codes(end.x)


@pytest.mark.parametrize("scale", [1.0, 2.0])
def test_draws_the_code_that_the_caption_says(artist: LatentDiffusion, scale: float):
    rows = [0, 1, 2] * 3
    mean = sampled(artist, rows, list(range(9)), scale).mean((2, 3))
    spread = CODES.std(0)
    assert torch.cdist(mean / spread, CODES / spread).argmin(1).tolist() == rows


def test_same_seed_same_code_alone_and_in_a_batch(artist: LatentDiffusion):
    together = sampled(artist, [0, 1, 2], [5, 6, 7])
    assert torch.allclose(sampled(artist, [1], [6])[0], together[1], atol=1e-3)
    assert not torch.allclose(sampled(artist, [1], [9])[0], together[1], atol=1e-3)


def test_captions_are_dropped_as_often_as_asked():
    """With all of them dropped, the loss does not know the caption."""
    for share, known in ((1.0, False), (0.0, True)):
        model, batch = latent(drop_caption=share), pairs()
        awake(model)
        other = replace(batch, ids=IDS.flip(0))
        with torch.no_grad():
            a, b = (model.loss(x, Noise.shared(0)).total for x in (batch, other))
        assert (abs(a - b) > 1e-7) == known


def test_any_network_of_pictures_fits():
    model = latent(DiTConfig(channels=4, width=32, layers=1, heads=2, patch=2, vector_width=32, token_width=32))
    model.loss(pairs(), Noise.shared(0)).total.backward()
    assert all(p.grad is None or torch.isfinite(p.grad).all() for p in model.parameters())


def test_what_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="vector_width, token_width must be 32, 32"):
        latent(replace(NETWORK, token_width=0))
    with pytest.raises(ValueError, match="side = 4: .* multiple of 8"):
        latent(replace(NETWORK, patch=8))
    with pytest.raises(ValueError, match="vlb_weight = 0.001: .* likelihood of pixels"):
        latent(diffusion=replace(latent_diffusion(), vlb_weight=0.001))
    with pytest.raises(ValueError, match="drop_caption = 1.5"):
        latent(drop_caption=1.5)
