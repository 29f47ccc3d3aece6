"""The nearest training images, near-copies, and who is accused of copying."""

import math

import numpy as np
import pytest
import scipy.stats
import torch
from tests.fakes import draw

from unclip.core.noise import Noise
from unclip.evaluation.sets import nearest as search
from unclip.evaluation.sets.copying import closeness, data_copying, near_copies
from unclip.evaluation.sets.nearest import Metric, nearest


@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
def test_the_nearest_are_those_of_a_search_through_all(metric: Metric, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(search, "ROWS", 13)
    monkeypatch.setattr(search, "QUERIES", 7)
    q, r = draw(30, 6, key="q").double().numpy(), draw(90, 6, key="r").double().numpy()
    if metric == "euclidean":
        distance = np.linalg.norm(q[:, None] - r[None], axis=-1)
    else:
        distance = 1 - q @ r.T / np.linalg.norm(q, axis=1)[:, None] / np.linalg.norm(r, axis=1)
    found = nearest(torch.from_numpy(q), torch.from_numpy(r), k=9, metric=metric)
    assert np.array_equal(found.index.numpy(), distance.argsort(axis=1)[:, :9])
    assert np.allclose(found.distance.numpy(), np.sort(distance, axis=1)[:, :9], rtol=1e-9)


@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
def test_a_copy_has_distance_zero_also_far_from_the_origin(metric: Metric):
    rows = draw(300, 40, key="rows") + 100
    found = nearest(rows[[7, 250]], rows, metric=metric)
    assert found.index[:, 0].tolist() == [7, 250] and not found.distance.any()


def test_closeness_tells_a_copy_from_an_image_that_is_near_to_everything():
    train = torch.cat([0.01 * draw(100, 16, key="plain"), draw(100, 16, key="rich") + 3])
    asked = torch.stack([0.01 * draw(16, key="new"), train[150] + 0.01 * draw(16, key="little")])
    found = nearest(asked, train, k=50)
    plain, copied = closeness(found).tolist()
    assert found.distance[0, 0] == pytest.approx(found.distance[1, 0].item(), rel=0.5)
    assert plain > 0.5 and copied < 0.05


def distances(train: torch.Tensor, *sets: torch.Tensor) -> list[torch.Tensor]:
    return [nearest(x, train).distance[:, 0] for x in sets]


def test_a_model_that_copies_a_fifth_is_found():
    train, held_out = draw(1000, 12, key="train"), draw(400, 12, key="held out")
    own = draw(500, 12, key="own")
    own[:100] = train[:100] + 0.02 * draw(100, 12, key="little")
    found = near_copies(*distances(train, own, held_out))
    assert found.share.low < 0.2 < found.share.high
    assert found.expected == pytest.approx(0.01, rel=0.01) and found.p < 1e-12
    assert data_copying(*distances(train, own, held_out)).z < -3


def test_an_honest_model_is_accused_as_seldom_as_it_is_said():
    """Distances of any distribution: 200 draws, at 5 %."""
    accused, shares, z = 0, [], []
    for key in range(200):
        a, b = (draw(n, key=f"{name}{key}").exp() for n, name in ((200, "generated"), (300, "held out")))
        found = near_copies(a, b)
        accused += found.p < 0.05
        shares.append(found.share.value)
        z.append(data_copying(a, b).z)
    assert accused <= 17  # 10 expected at most; more has a probability of 1 %
    assert np.mean(shares) == pytest.approx(found.expected, abs=3.5 * np.std(shares) / 200**0.5)
    assert np.mean(np.array(z) < -1.645) < 0.09 and np.std(z) == pytest.approx(1, abs=0.15)


def test_the_probability_of_so_many_is_exact():
    """Against draws of the ranks alone."""
    ranks = np.random.default_rng(0).random((40_000, 12 + 30))
    below = (ranks[:, :12] < np.sort(ranks[:, 12:], axis=1)[:, 2:3]).sum(1)
    held_out = torch.arange(1.0, 31.0)
    for k in (0, 1, 3):
        generated = torch.cat([torch.zeros(k), torch.full((12 - k,), 99.0)])
        found = near_copies(generated, held_out, quantile=0.1)
        assert found.p == pytest.approx((below >= k).mean(), abs=0.01)
        assert found.expected == pytest.approx(below.mean() / 12, abs=0.005)


def test_the_test_of_data_copying_is_scipys():
    a, b = (draw(40, key="a") * 4).round(), (draw(70, key="b") * 4 + 1).round()  # with ties
    found = data_copying(a, b)
    u = scipy.stats.mannwhitneyu(a.numpy(), b.numpy()).statistic
    assert found.farther == pytest.approx(u / (40 * 70), rel=1e-12)
    assert found.z == pytest.approx((u - 1400) / math.sqrt(2800 * 111 / 12), rel=1e-12)


def test_many_rows_are_searched_in_little_memory():
    rows = Noise.shared(0).normal((100_000, 8))
    found = nearest(rows[-3:], rows, k=2)
    assert found.index[:, 0].tolist() == [99_997, 99_998, 99_999] and (found.distance[:, 1] > 0).all()


def test_what_cannot_be_judged_is_refused():
    x = draw(4, 3)
    with pytest.raises(ValueError, match="queries are 3 wide, rows 2"):
        nearest(x, x[:, :2])
    with pytest.raises(ValueError, match="k = 5: there are 4 rows"):
        nearest(x, x, k=5)
    with pytest.raises(ValueError, match="4 generated and 0 held-out images"):
        near_copies(x[:, 0], x[:0, 0])
    with pytest.raises(ValueError, match=r"quantile = 1\.5"):
        near_copies(x[:, 0], x[:, 0], quantile=1.5)
    with pytest.raises(ValueError, match="2 neighbours: a median needs at least 3"):
        closeness(nearest(x, x, k=2))
