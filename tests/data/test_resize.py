"""Smaller and larger images are Pillow's."""

import numpy as np
import pytest
import torch
from PIL import Image

from unclip.data.images.resize import enlarge, shrink
from unclip.data.loader import to_tensor

PIXELS = np.random.default_rng(0).integers(90, 166, (1, 48, 32, 3), dtype=np.uint8)  # Pillow clips between its passes


def pillow(size: tuple[int, int], how: Image.Resampling) -> torch.Tensor:
    return to_tensor(np.asarray(Image.fromarray(PIXELS[0]).resize(size, how))[None])


@pytest.mark.parametrize("factor", [2, 4])
def test_shrink_is_pillows_lanczos(factor: int):
    wanted = pillow((32 // factor, 48 // factor), Image.Resampling.LANCZOS)
    assert (shrink(to_tensor(PIXELS), factor) - wanted).abs().max() < 2.5 / 127.5


@pytest.mark.parametrize("factor", [2, 3])
def test_enlarge_is_pillows_bicubic(factor: int):
    wanted = pillow((32 * factor, 48 * factor), Image.Resampling.BICUBIC)
    assert (enlarge(to_tensor(PIXELS), factor) - wanted).abs().max() < 2.5 / 127.5


def test_a_flat_picture_stays_flat_and_a_smooth_one_comes_back():
    flat = torch.full((1, 3, 16, 24), 0.3)
    assert torch.allclose(shrink(flat, 4), torch.full((1, 3, 4, 6), 0.3), atol=1e-6)
    wave = torch.sin(torch.arange(64) * 2 * torch.pi / 32).expand(1, 3, 64, 64)
    assert (enlarge(shrink(wave, 2), 2) - wave)[..., 4:-4].abs().max() < 0.03


def test_a_side_that_cannot_be_divided():
    with pytest.raises(ValueError, match="30 x 32 px cannot be made 4 times smaller"):
        shrink(torch.zeros(1, 3, 30, 32), 4)
