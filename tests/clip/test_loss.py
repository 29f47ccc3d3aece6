"""Contrastive losses against their papers' lines."""

import pytest
import torch
import torch.nn.functional as F

from tests.fakes import draw
from unclip.clip.loss import sigmoid_loss, softmax_loss

OWN = torch.eye(6, dtype=torch.bool)


def test_softmax_is_the_plain_clip_loss_when_captions_differ():
    logits, labels = 5 * draw(6, 6), torch.arange(6)
    plain = (F.cross_entropy(logits, labels) + F.cross_entropy(logits.t(), labels)) / 2
    assert softmax_loss(logits, OWN).item() == pytest.approx(plain.item(), rel=1e-5)


def test_sigmoid_is_siglips():
    """Zhai et al. 2023, algorithm 1, line by line."""
    logits = 5 * draw(6, 6)
    labels = 2 * torch.eye(6) - torch.ones(6, 6)
    assert sigmoid_loss(logits, OWN).item() == pytest.approx((-F.logsigmoid(labels * logits).sum() / 6).item(), rel=1e-5)


def twins() -> tuple[torch.Tensor, torch.Tensor]:
    """(logits, positive) of four pictures, two of which have equal captions and equal embeddings."""
    same = torch.tensor([0, 0, 1, 2])
    unit = torch.eye(3)[same]
    return 20 * unit @ unit.t(), same[:, None] == same[None]


@pytest.mark.parametrize("loss", [softmax_loss, lambda x, p: sigmoid_loss(x - 10, p)], ids=["softmax", "sigmoid"])
def test_equal_captions_are_positives(loss):
    logits, positive = twins()
    own = torch.eye(4, dtype=torch.bool)
    assert loss(logits, positive) < loss(logits, own) - 0.1

    def push(target: torch.Tensor) -> float:
        leaf = logits.clone().requires_grad_()
        return torch.autograd.grad(loss(leaf, target), leaf)[0][0, 1].item()

    assert push(positive) < 0.01 < push(own)  # the plain loss drives the twins apart


def test_softmax_is_smallest_where_the_positives_share_the_weight():
    logits, positive = twins()
    assert softmax_loss(logits, positive).item() == pytest.approx(torch.tensor(2.0).log().item() / 2, abs=1e-3)
