"""Encoder, decoder and patch critic: sizes, what a verdict sees, and what is refused."""

import pytest
import torch
from tests.fakes import awake, built, draw

from unclip.nn.autoencoder.coder import CodeDecoder, CodeEncoder, CoderConfig
from unclip.nn.autoencoder.patch_critic import PatchCritic, PatchCriticConfig
from unclip.nn.blocks.resblock import ResBlock


@pytest.mark.parametrize(
    "config",
    [
        CoderConfig(),
        CoderConfig(patch=1, widths=(16, 32, 32), latent=3, attention=False),
        CoderConfig(widths=(16,)),
        CoderConfig(patch=1, widths=(16, 32), fine=0, groups=8, head_width=0, residual_resample=False, mixes=True),
    ],
)
def test_codes_are_a_factor_smaller_and_come_back(config: CoderConfig):
    encoder, decoder = awake(built(lambda: CodeEncoder(config))), awake(built(lambda: CodeDecoder(config)))
    x = draw(2, 3, 16, 24)
    moments = encoder(x)
    assert moments.shape == (2, 2 * config.latent, 16 // config.factor, 24 // config.factor)
    assert decoder(moments[:, : config.latent]).shape == x.shape
    assert (encoder(x[1:]) - moments[1:]).abs().max() < 1e-5


def test_sizes_that_do_not_fit_are_refused():
    encoder = built(lambda: CodeEncoder(CoderConfig()))
    with pytest.raises(ValueError, match=r"18 x 16 px: this network needs sides divisible by 4; .* 16 x 16"):
        encoder(draw(1, 3, 18, 16))
    for wrong in ({"patch": 0}, {"widths": ()}, {"widths": (16, 50)}, {"latent": 0}, {"groups": 5}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            CoderConfig(**wrong)


def test_a_block_without_a_level_is_told_nothing():
    block = built(lambda: ResBlock(16, 0))
    assert block.film is None
    torch.nn.init.normal_(block.conv2.weight)
    assert (block(draw(2, 16, 4, 4)) - draw(2, 16, 4, 4)).abs().max() > 0.1


@pytest.mark.parametrize("layers, seen", [(1, 16), (2, 34), (3, 70)])
def test_a_verdict_sees_a_patch(layers: int, seen: int):
    """The convolutions alone, without the norms, whose statistics are the whole image's: weights of ones spread a
    verdict's gradient over just the pixels that it sees."""
    critic = built(lambda: PatchCritic(PatchCriticConfig(width=16, layers=layers)))
    x = torch.ones(1, 3, 96, 96, requires_grad=True)
    h = x
    for part in critic.parts:
        if isinstance(part, torch.nn.Conv2d):
            torch.nn.init.constant_(part.weight, 0.01)
            h = part(h)
    h[0, 0, h.shape[2] // 2, h.shape[3] // 2].backward()
    assert x.grad is not None
    assert (x.grad[0, 0].abs().sum(0) > 0).sum() == seen


def test_a_verdict_does_not_depend_on_the_batch_and_needs_pixels():
    critic = built(lambda: PatchCritic(PatchCriticConfig(layers=2)))
    x = draw(3, 3, 16, 16)
    assert (critic(x)[1] - critic(x[1:2])[0]).abs().max() < 1e-5
    assert critic(draw(1, 3, critic.config.smallest, critic.config.smallest)).shape == (1, 1, 1, 1)
    with pytest.raises(ValueError, match=r"8 x 8 px: a critic of 2 layers needs sides of 12 px"):
        critic(draw(1, 3, 8, 8))
