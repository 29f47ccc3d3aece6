"""Same key, same numbers; other key, other numbers; no sample depends on its neighbours."""

import pytest
import torch
from torch import nn

from unclip.core.noise import Noise, derive, initial_weights, whole

DRAWS = [
    pytest.param(lambda n, b: n.normal((b, 3, 5)), id="normal"),
    pytest.param(lambda n, b: n.uniform((b, 7)), id="uniform"),
    pytest.param(lambda n, b: n.integers(1000, (b, 20)), id="integers"),
]


@pytest.mark.parametrize("make", DRAWS)
def test_a_sample_does_not_depend_on_its_neighbours(make):
    batch = Noise.per_sample([3, 11, 4])
    alone = Noise.per_sample([11])
    for _ in range(3):
        assert torch.equal(make(batch, 3)[1], make(alone, 1)[0])


@pytest.mark.parametrize("make", DRAWS)
def test_shared_noise_depends_on_its_key_only(make):
    def numbers(*key):
        return make(Noise.shared(*key), 4)

    assert torch.equal(numbers(0, 1, 2), numbers(0, 1, 2))
    for other in [(0, 1, 3), (0, 2, 1), (1, 1, 2), (0, 12)]:
        assert not torch.equal(numbers(0, 1, 2), numbers(*other))


def test_drawing_advances_the_stream():
    noise = Noise.shared(0)
    assert not torch.equal(noise.normal((4,)), noise.normal((4,)))


@pytest.mark.parametrize(
    "make", [lambda: Noise.shared(5), lambda: Noise.per_sample([5, 6])], ids=["shared", "per_sample"]
)
def test_forks_are_independent_of_the_parent_and_of_its_draws(make):
    parent, plain = make(), make()
    before = parent.fork("drop").normal((2, 8))
    after = parent.normal((2, 8))
    assert torch.equal(after, plain.normal((2, 8)))  # forking shifted nothing
    assert torch.equal(before, parent.fork("drop").normal((2, 8)))  # nor does drawing shift a fork
    assert not torch.equal(before, after)
    assert not torch.equal(before, parent.fork("other").normal((2, 8)))


def test_the_same_seed_means_different_numbers_in_the_two_samples_of_a_fork():
    a, b = Noise.per_sample([1, 2]).fork("x").normal((2, 16))
    assert not torch.equal(a, b)


PAIRS = [(0, 2**32), (7, 7 + 2**40), (5, 5 + 2**63), (2**64, 0), (-1, 2**64 - 1), (2**32 + 3, 2**33 + 3)]


@pytest.mark.parametrize("one, other", PAIRS)
@pytest.mark.parametrize("make", DRAWS)
def test_every_digit_of_a_seed_counts(make, one, other):
    a, b = make(Noise.per_sample([one, other]), 2)
    assert not torch.equal(a, b)
    assert torch.equal(make(Noise.per_sample([one]), 1)[0], a)


def test_keys_whose_seeds_have_equal_lower_halves():
    """Of all steps of seed 0 below 200,000, the first two that agree in 32 bits; forks and first weights likewise."""
    assert derive(0, 0, 112762) % 2**32 == derive(0, 0, 116194) % 2**32
    one, other = (Noise.shared(0, 0, step).normal((1000,)) for step in (112762, 116194))
    assert abs(torch.corrcoef(torch.stack([one, other]))[0, 1]) < 0.15
    forks = [Noise.per_sample([seed]).fork("decoder") for seed in (57561, 61042)]
    assert forks[0].seeds[0] % 2**32 == forks[1].seeds[0] % 2**32
    assert not torch.equal(forks[0].normal((1, 4)), forks[1].normal((1, 4)))


def test_first_weights_count_every_digit_too():
    def weights(seed: int) -> torch.Tensor:
        with initial_weights(0, 0, seed):
            return nn.Linear(4, 4).weight.detach()

    assert not torch.equal(weights(112762), weights(116194))


@pytest.mark.parametrize("seed", [3 + 2**32, 2**62 + 5])
def test_the_numbers_of_a_long_seed_are_normal_and_uniform(seed):
    noise = Noise.per_sample([seed, seed + 2**32])
    normal, uniform = noise.normal((2, 100_000)), noise.uniform((2, 100_000))
    assert (normal.mean(1).abs() < 0.02).all()
    assert ((normal.std(1) - 1).abs() < 0.02).all()
    assert abs(torch.corrcoef(normal)[0, 1]) < 0.02
    assert ((uniform.mean(1) - 0.5).abs() < 0.01).all()
    assert abs(torch.corrcoef(uniform)[0, 1]) < 0.02


def test_short_seeds_give_the_numbers_of_torch():
    """Whoever knows torch can check them; they are in people's images."""
    expected = torch.randn(5, generator=torch.Generator().manual_seed(11))
    assert torch.equal(Noise.per_sample([11]).normal((1, 5))[0], expected)


@pytest.mark.parametrize("make", DRAWS)
def test_no_seeds_give_an_empty_batch(make):
    assert len(make(Noise.per_sample([]), 0)) == 0


@pytest.mark.parametrize("seed", [1.5, "1", None])
def test_a_seed_that_is_not_a_whole_number_is_refused(seed):
    with pytest.raises(ValueError, match="seed = .*whole number"):
        whole(seed)


def test_a_wrong_batch_is_a_programmers_error():
    with pytest.raises(AssertionError, match="2 seeds"):
        Noise.per_sample([1, 2]).normal((3, 4))


def test_distributions():
    noise = Noise.shared(0)
    normal, uniform, integers = noise.normal((100_000,)), noise.uniform((100_000,)), noise.integers(4, (100_000,))
    assert abs(normal.mean()) < 0.02
    assert abs(normal.std() - 1) < 0.02
    assert uniform.min() >= 0
    assert uniform.max() < 1
    assert abs(uniform.mean() - 0.5) < 0.01
    assert torch.allclose(integers.bincount() / 100_000, torch.full((4,), 0.25), atol=0.01)


def test_derive_is_stable_for_ever():
    """These numbers are in people's seeds: they must not change between versions."""
    assert derive(0) == 4761921975702974394
    assert derive(1, "fork") == 5484339917652154302
    assert 0 <= min(derive(i) for i in range(100)) < 2**63


def test_first_weights_are_reproducible_and_leave_the_global_generator_alone():
    def weights(*key):
        with initial_weights(*key):
            return nn.Linear(4, 4).weight.detach()

    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    a = weights("clip", 0)
    assert torch.equal(torch.rand(3), expected)
    assert torch.equal(a, weights("clip", 0))
    assert not torch.equal(a, weights("prior", 0))


def test_the_global_generator_is_restored_after_an_error():
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    with pytest.raises(RuntimeError), initial_weights(1):
        raise RuntimeError
    assert torch.equal(torch.rand(3), expected)
