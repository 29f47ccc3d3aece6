"""Principal components as numpy has them; codes that are off by half a bucket at most."""

import numpy as np
import pytest
import torch
from tests.fakes import draw

from unclip.nn.prior.buckets import Buckets, Quantiles
from unclip.nn.prior.pca import PCA, needed, principal

X = draw(60, 8) @ torch.diag(torch.tensor([4.0, 3, 2, 1, 0.5, 0.2, 0.1, 0.05])) @ draw(8, 8, key="mix") + 3


@pytest.mark.parametrize("k", [1, 3, 8])
def test_reconstruction_is_numpys(k: int):
    pca = PCA(8, k)
    pca.fit(X)
    x = X.double().numpy()
    _, values, rows = np.linalg.svd(x - x.mean(0), full_matrices=False)
    expected = x.mean(0) + (x - x.mean(0)) @ rows[:k].T @ rows[:k]
    assert np.abs(pca.inverse(pca(X)).numpy() - expected).max() < 1e-4
    _, _, variances = principal(X)
    assert np.allclose(variances.numpy(), values**2 / (len(x) - 1), rtol=1e-6)


def test_so_many_components_as_the_variance_needs():
    variances = torch.tensor([8.0, 1.0, 0.9, 0.1])
    assert [needed(variances, share) for share in (0.5, 0.8, 0.81, 0.9, 0.99, 1.0)] == [1, 1, 2, 2, 3, 4]
    assert needed(torch.zeros(3), 0.99) == 3  # all images the same: nothing can be told apart, nothing is lost
    with pytest.raises(ValueError, match=r"explained = 0.0: a share"):
        needed(variances, 0.0)
    with pytest.raises(ValueError, match=r"dims = 9: of 8 components"):
        PCA(8, 9)


@pytest.mark.parametrize("count", [2, 16, 1024])
def test_a_code_is_off_by_half_a_bucket_at_most(count: int):
    buckets = Buckets(8, count)
    buckets.fit(X)
    codes = buckets(X)
    assert codes.min() == 0 and codes.max() == count - 1
    width = (X.amax(0) - X.amin(0)) / count
    assert ((buckets.inverse(codes) - X).abs() <= width / 2 * (1 + 1e-4) + 1e-5).all()
    assert torch.equal(buckets(buckets.inverse(codes)), codes)
    far = torch.full((1, 8), 1e6)
    assert buckets(far).eq(count - 1).all() and buckets(-far).eq(0).all()
    with pytest.raises(ValueError, match="buckets = 1"):
        Buckets(8, 1)


def test_a_column_that_never_varies_comes_back():
    buckets = Buckets(1, 4)
    buckets.fit(torch.full((5, 1), 2.0))
    assert (buckets.inverse(buckets(torch.full((5, 1), 2.0))) - 2).abs().max() < 1e-5


def test_quantiles_are_equally_frequent_and_numpys():
    x = draw(1000).exp()
    quantiles = Quantiles(8)
    quantiles.fit(x)
    assert np.allclose(quantiles.edges.numpy(), np.quantile(x.numpy(), np.arange(1, 8) / 8), rtol=1e-5)
    counts = torch.bincount(quantiles(x), minlength=8)
    assert counts.min() >= 124 and counts.max() <= 126


def test_coordinates_and_codes_are_exact_under_autocast_too():
    """Where training runs in bfloat16, a third of the codes of 1,024 buckets would be a neighbour's."""
    pca, buckets = PCA(8, 8), Buckets(8, 1024)
    pca.fit(X)
    buckets.fit(pca(X))
    with torch.autocast("cpu", torch.bfloat16):
        y = pca(X)
        back = pca.inverse(y)
    assert torch.equal(y, pca(X)) and torch.equal(back, pca.inverse(pca(X)))
    assert torch.equal(buckets(y), buckets(pca(X)))
