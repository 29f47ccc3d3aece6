"""A batch shared by threads gives the mean of its shards' gradients, reproducibly."""

from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from tests.fakes import draw, trainer_of
from torch import nn

from unclip.core.noise import Noise
from unclip.core.task import Batch, Losses
from unclip.training.gradients import ByThreads, threads


class Line(nn.Module):
    """A linear regression on noised inputs."""

    per_sample = True

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.net, self.unused = nn.Linear(4, 4), nn.Linear(2, 2)

    def loss(self, batch: Batch, noise: Noise) -> Losses:
        x = batch.image_embedding
        assert x is not None
        return Losses((self.net(x) - noise.normal(x.shape)).square().mean())


def noises(n: int) -> list[Noise]:
    return [Noise.shared(3, rank, 0) for rank in range(n)]


def test_shards_average_to_the_serial_gradient() -> None:
    batch, task = Batch(image_embedding=draw(6, 4)), Line()
    with threads(2) as pool:
        total = ByThreads(task, "float32", pool)(batch, noises(2)).total
    found = task.net.weight.grad
    assert found is not None and task.unused.weight.grad is None
    expected = torch.stack([task.loss(b, n).total for b, n in zip(batch.shards(2), noises(2), strict=True)]).mean()
    (gradient,) = torch.autograd.grad(expected, [task.net.weight])
    torch.testing.assert_close(found, gradient)
    torch.testing.assert_close(total, expected.detach())


def test_workers_are_reproducible() -> None:
    def weights() -> torch.Tensor:
        task = Line()
        list(trainer_of(task, lambda step: Batch(image_embedding=draw(8, 4, key=step)), 12, workers=4).steps())
        return task.net.weight.detach()

    assert torch.equal(weights(), weights())


def test_training_leaves_the_number_of_threads_alone() -> None:
    """Between the steps, after the last, and where the generator is left standing: here, and in threads to come."""

    def numbers() -> tuple[int, int]:
        with ThreadPoolExecutor(1) as other:
            return torch.get_num_threads(), other.submit(torch.get_num_threads).result()

    def feed(step: int) -> Batch:
        return Batch(image_embedding=draw(8, 4, key=step))

    before = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        standing = trainer_of(Line(), feed, 4, workers=2).steps()
        next(standing)
        assert numbers() == (3, 3)
        for _ in trainer_of(Line(), feed, 4, workers=2).steps():
            assert numbers() == (3, 3)
        assert numbers() == (3, 3)
        with threads(3) as pool:
            assert pool is not None and set(pool.map(lambda _: torch.get_num_threads(), range(6))) == {1}
        del standing
        assert numbers() == (3, 3)
    finally:
        torch.set_num_threads(before)


def test_batch_that_cannot_be_shared_is_refused() -> None:
    with pytest.raises(ValueError, match="batch of 6 cannot be shared by 4 workers"):
        Batch(image_embedding=draw(6, 4)).shards(4)
