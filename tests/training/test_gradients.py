"""A batch shared by threads gives the mean of its shards' gradients, reproducibly."""

import pytest
import torch
from tests.fakes import draw, trainer_of
from torch import nn

from unclip.core.noise import Noise
from unclip.core.task import Batch, Losses
from unclip.training.gradients import Gradients


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
    shared = Gradients(task, "float32", 2)
    total = shared(batch, noises(2)).total
    shared.close()
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


def test_batch_that_cannot_be_shared_is_refused() -> None:
    with pytest.raises(ValueError, match="batch of 6 cannot be shared by 4 workers"):
        Batch(image_embedding=draw(6, 4)).shards(4)
