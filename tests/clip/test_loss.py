"""Contrastive losses against their papers' lines."""

import pytest
import torch
import torch.nn.functional as F
from tests.fakes import draw

from unclip.clip.loss import logits, sigmoid_loss, softmax_loss

OWN = torch.eye(6, dtype=torch.bool)


def test_softmax_is_the_plain_clip_loss_when_captions_differ():
    logits, labels = 5 * draw(6, 6), torch.arange(6)
    plain = (F.cross_entropy(logits, labels) + F.cross_entropy(logits.t(), labels)) / 2
    assert softmax_loss(logits, OWN).item() == pytest.approx(plain.item(), rel=1e-5)


def test_sigmoid_is_siglips():
    """Zhai et al. 2023, algorithm 1, line by line."""
    logits = 5 * draw(6, 6)
    labels = 2 * torch.eye(6) - torch.ones(6, 6)
    assert sigmoid_loss(logits, OWN).item() == pytest.approx(
        (-F.logsigmoid(labels * logits).sum() / 6).item(), rel=1e-5
    )


SAME = torch.tensor([0, 0, 1, 2])
POSITIVE = SAME[:, None] == SAME[None]
ALONE = torch.eye(4, dtype=torch.bool)
TOGETHER, APART = (
    20 * POSITIVE.float(),
    20 * ALONE.float(),
)  # logits where the twins' embeddings are equal, or orthogonal
LOSSES = [pytest.param(softmax_loss, id="softmax"), pytest.param(lambda x, p: sigmoid_loss(x - 10, p), id="sigmoid")]


@pytest.mark.parametrize("loss", LOSSES)
def test_equal_captions_are_drawn_together_and_others_apart(loss):
    assert loss(TOGETHER, POSITIVE) < loss(APART, POSITIVE) - 0.1
    assert loss(APART, ALONE) < loss(TOGETHER, ALONE) - 0.1


@pytest.mark.parametrize("loss", LOSSES)
def test_equal_captions_do_not_push_each_other(loss):
    def push(positive: torch.Tensor) -> float:
        leaf = TOGETHER.clone().requires_grad_()
        return torch.autograd.grad(loss(leaf, positive), leaf)[0][0, 1].item()

    assert push(POSITIVE) < 0.001
    assert push(ALONE) > 0.05


def test_softmax_is_smallest_where_the_positives_share_the_weight():
    assert softmax_loss(TOGETHER, POSITIVE).item() == pytest.approx(torch.tensor(2.0).log().item() / 2, abs=1e-3)


def test_logits_are_exact_under_autocast_too():
    """Near the temperature's end bfloat16 has steps of 1/2: as much as the loss of a whole batch."""
    f, g = (F.normalize(draw(6, 32, key=key), dim=1) for key in "fg")
    f = F.normalize(g + 0.1 * f, dim=1)  # pairs that belong together: logits near 100
    with torch.autocast("cpu", torch.bfloat16):
        found = logits(f, g, torch.tensor(100.0))
    assert torch.allclose(found, 100 * f @ g.t(), atol=1e-4)
    assert found.diagonal().min() > 64
