"""The Frechet distance, its bias, and the kernel distance against torchmetrics."""

import numpy as np
import pytest
import scipy.linalg
import torch
from tests.fakes import draw
from torch import Tensor, nn
from torchmetrics.image.fid import FrechetInceptionDistance
from torchmetrics.image.kid import KernelInceptionDistance

from unclip.core.noise import Noise
from unclip.evaluation.sets.estimate import checked
from unclip.evaluation.sets.frechet import frechet, frechet_distance
from unclip.evaluation.sets.kernel import kid


class Given(nn.Identity):
    """Features in the place of a network of images."""

    num_features = 24


def sets(n: int = 300, m: int = 250, d: int = 24, key: str = "") -> tuple[Tensor, Tensor]:
    a, b = draw(n, d, key=f"a{key}").double(), draw(m, d, key=f"b{key}").double()
    scale = torch.linspace(1, 0.05, d).double()
    return a * scale, b @ (draw(d, d, key="mixed").double() / d**0.5) * 0.8 + 0.2


def test_the_distance_is_that_of_torchmetrics_and_scipy():
    a, b = sets()
    theirs = FrechetInceptionDistance(feature=Given()).set_dtype(torch.float64)
    theirs.update(a, real=False)
    theirs.update(b, real=True)
    assert frechet_distance(a, b) == pytest.approx(theirs.compute().item(), rel=1e-6)
    root = scipy.linalg.sqrtm(np.cov(a.T.numpy()) @ np.cov(b.T.numpy()))
    by_scipy = (a.mean(0) - b.mean(0)).square().sum().item() + np.trace(
        np.cov(a.T.numpy()) + np.cov(b.T.numpy()) - 2 * root.real
    )
    assert frechet_distance(a, b) == pytest.approx(by_scipy, rel=1e-6)
    assert frechet_distance(a.float(), b.float()) == pytest.approx(by_scipy, rel=1e-5)


@pytest.mark.parametrize("size", [200, 500])
def test_the_kernel_distance_is_that_of_torchmetrics(size: int):
    a, b = sets(size, size)
    with pytest.warns(UserWarning, match="save all extracted features"):
        theirs = KernelInceptionDistance(feature=Given(), subsets=1, subset_size=size).set_dtype(torch.float64)
    theirs.update(a, real=False)
    theirs.update(b, real=True)
    assert kid(a, b) == pytest.approx(theirs.compute()[0].item(), rel=1e-6)


def test_singular_covariances_have_an_exact_distance():
    """In closed form: both sets on a line; the same set; a set moved."""
    line = torch.linspace(-1, 1, 9).double()[:, None]
    a, b = line * torch.eye(20)[:1].double(), 3 * line * torch.eye(20)[:1].double()
    assert frechet_distance(a, b) == pytest.approx(4 * line.var().item(), rel=1e-12)
    few = draw(7, 40, key="few").double()
    assert frechet_distance(few, few) == pytest.approx(0, abs=1e-12)
    assert frechet_distance(few, few + 0.5) == pytest.approx(10, rel=1e-12)
    few = draw(30, 40, key="few").double()
    assert frechet(few, few + 0.5, Noise.shared(0)).singular and not frechet(*sets(), Noise.shared(0)).singular


@pytest.mark.parametrize("n, shift, scale", [(160, 0.0, 1.0), (64, 0.0, 1.0), (160, 0.3, 0.8)])
def test_the_extrapolation_takes_the_bias_away_and_knows_its_error(n: int, shift: float, scale: float):
    d = 16
    true = d * (shift**2 + (1 - scale) ** 2)
    values, found, errors = [], [], []
    for key in range(25):
        one = frechet(draw(n, d, key=f"a{key}"), draw(n, d, key=f"b{key}") * scale + shift, Noise.shared(key))
        values.append(one.value)
        found.append(one.infinite.value)
        errors.append(one.infinite.error)
    spread, error = np.std(found), np.mean(errors)
    assert np.mean(values) > true + 2 * np.std(values)
    assert abs(np.mean(found) - true) < 3.5 * spread / 25**0.5
    assert 0.75 < error / spread < (1.3 if shift else 1.8)


def test_the_order_of_images_does_not_matter_much():
    """Sorted sets, as of a data set in the order of its classes."""
    a, b = sets(200, 200)
    mixed = frechet(a, b, Noise.shared(0)).infinite
    in_order = frechet(a[a[:, 0].argsort()], b[b[:, 0].argsort()], Noise.shared(1)).infinite
    assert in_order.value == pytest.approx(mixed.value, abs=3 * mixed.error)
    assert in_order.error == pytest.approx(mixed.error, rel=0.7)


def test_what_cannot_be_compared_is_refused():
    a, b = sets()
    with pytest.raises(ValueError, match="1 second image: this score needs at least 2"):
        frechet_distance(a, b[:1])
    with pytest.raises(ValueError, match="15 generated images: this score needs at least 16"):
        frechet(a[:15], b, Noise.shared(0))
    with pytest.raises(ValueError, match="different widths: first 24, second 3"):
        checked({"first": a, "second": b[:, :3]})
    b[3, 3] = torch.nan
    with pytest.raises(ValueError, match="hold nan or inf"):
        frechet_distance(a, b)
