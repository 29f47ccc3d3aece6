"""The power by octave against numpy, and what grain and blur say of noise and of a blur."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from tests.fakes import draw
from torch import Tensor

from unclip.evaluation.sets.spectrum import LUMINANCE, octaves, power, spectrum


def natural(n: int, size: int = 32, key: str = "") -> Tensor:
    """Images with the power of photographs, 1/f^2, in three correlated channels."""
    f = torch.fft.fftfreq(2 * size).square()
    fall = (f[:, None] + f).sqrt().clamp(min=1 / (2 * size)).reciprocal()
    shared, own = draw(n, 1, 2 * size, 2 * size, key=f"s{key}"), draw(n, 3, 2 * size, 2 * size, key=f"o{key}")
    x = torch.fft.ifft2(torch.fft.fft2(shared + 0.4 * own) * fall).real[..., :size, :size]
    return 0.06 * x


def blurred(x: Tensor, sigma: float) -> Tensor:
    row = torch.exp(-torch.arange(-6, 7).float().square() / (2 * sigma**2))
    window = (row[:, None] * row / row.sum() ** 2).expand(x.shape[1], 1, 13, 13)
    return F.conv2d(F.pad(x, (6, 6, 6, 6), mode="reflect"), window, groups=x.shape[1])


def test_the_power_is_numpys_and_its_sum_the_mean_square():
    x = natural(3, 24)
    hann = np.outer(np.hanning(26)[1:-1], np.hanning(26)[1:-1])
    seen = (x.double().numpy() - x.double().numpy().mean((2, 3), keepdims=True)) * hann
    expected = np.abs(np.fft.fft2(seen)) ** 2 / (24 * 24 * (hann**2).sum())
    assert np.allclose(power(x).numpy(), expected, rtol=1e-10, atol=1e-14)
    assert power(x).sum((2, 3)).numpy() == pytest.approx((seen**2).sum((2, 3)) / (hann**2).sum(), rel=1e-10)


@pytest.mark.parametrize("size", [(32, 32), (24, 48)])
def test_the_octaves_hold_all_of_the_power(size: tuple[int, int]):
    a, b = (draw(5, 1, *size, key=key) for key in "ab")
    edges = octaves(*size)
    down, across = (np.abs(np.fft.fftfreq(side)) for side in size)
    f = np.hypot(down[:, None], across)
    found = spectrum(a, b)
    sums = []
    for low, high in zip((0, *edges[:-1]), edges, strict=True):
        inside = ((f > low) | (low == 0)) & (f <= high)
        sums.append([power(x)[:, 0].numpy()[:, inside].sum(1) for x in (a, b)])
    assert [r.value for r in found.ratios] == pytest.approx([x.mean() / y.mean() for x, y in sums], rel=1e-9)
    assert sum(x.sum() for x, _ in sums) == pytest.approx(power(a).sum().item(), rel=1e-9)


def test_equal_sets_have_ratios_within_their_errors():
    z = []
    for key in range(60):
        found = spectrum(natural(40, key=f"a{key}"), natural(40, key=f"b{key}"))
        z += [np.log(r.value) / (r.error / r.value) for r in (*found.ratios, found.blur)]
    assert np.mean(np.abs(z) < 1.96) == pytest.approx(0.95, abs=0.03)


def test_noise_is_grain_and_no_blur_and_a_blur_is_both():
    real, other = natural(150, key="real"), natural(150, key="other")
    noisy = spectrum(other + 0.15 * draw(*other.shape, key="n"), real)
    assert noisy.grain.low > 1.3
    assert noisy.blur.value == pytest.approx(1, abs=0.15)
    soft = spectrum(blurred(other, 1.0), real)
    assert soft.grain.high < 0.3 and soft.blur.high < 0.75
    both = spectrum(blurred(other, 1.0) + 0.15 * draw(*other.shape, key="n"), real)
    assert both.grain.value > 3 * soft.grain.value and both.blur.high < 0.8


def test_coloured_noise_shows_in_colour():
    real, other = natural(100, key="real"), natural(100, key="other")
    noise = 0.15 * draw(*other.shape, key="n")
    noise -= torch.einsum("bchw,c->bhw", noise, torch.tensor(LUMINANCE))[:, None]  # without luminance
    assert spectrum(other + noise, real).grain.value == pytest.approx(1, abs=0.2)
    assert spectrum(other + noise, real, "colour").grain.low > 2


def test_what_has_no_spectrum_is_refused():
    x = natural(3)
    with pytest.raises(ValueError, match="1 real images"):
        spectrum(x, x[:1])
    with pytest.raises(ValueError, match=r"generated images are \(3, 16, 16\), real ones \(3, 32, 32\)"):
        spectrum(x[..., ::2, ::2], x)
    with pytest.raises(ValueError, match="8 x 8: the octaves of a spectrum need at least 16 pixels"):
        spectrum(x[..., ::4, ::4], x[..., ::4, ::4])
    with pytest.raises(ValueError, match="images of 1 channel: colour needs three"):
        spectrum(x[:, :1], x[:, :1], "colour")
