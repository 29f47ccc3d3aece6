"""A network in float64: loss and samples in float64, as one takes them to tell rounding from error."""

import torch
from tests.fakes import NOTHING, draw, unet

from unclip.core.noise import Noise
from unclip.diffusion.guidance import ClassifierFree
from unclip.diffusion.process import Diffusion, DiffusionConfig, Sampling


def test_loss_and_samples_of_a_network_in_float64():
    single = Diffusion(unet(), DiffusionConfig())
    double = Diffusion(unet().double(), DiffusionConfig())
    x0 = draw(3, 3, 16, 16)
    one, other = single.loss(x0, NOTHING, Noise.shared(1)), double.loss(x0.double(), NOTHING, Noise.shared(1))
    assert other.dtype == torch.float64
    assert torch.allclose(one.double(), other, rtol=1e-3)
    how = Sampling(steps=3, guidance=ClassifierFree(1.0))
    *_, a = single.sample((2, 3, 16, 16), NOTHING, NOTHING, Noise.per_sample([1, 2]), how)
    *_, b = double.sample((2, 3, 16, 16), NOTHING, NOTHING, Noise.per_sample([1, 2]), how)
    assert b.x.dtype == torch.float64
    assert torch.allclose(a.x.double(), b.x, atol=1e-3)


def test_a_batch_of_no_pictures_is_empty():
    *_, end = Diffusion(unet(), DiffusionConfig()).sample(
        (0, 3, 16, 16), NOTHING, NOTHING, Noise.per_sample([]), Sampling(steps=2)
    )
    assert end.x.shape == (0, 3, 16, 16)
