"""Unit 6: CLIP."""

import math
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from unclip.clip.loss import softmax_loss
from unclip.core.noise import Noise
from unclip.course.answers import Exercise, near


def contrastive_loss(f: Tensor, g: Tensor, temperature: float) -> Tensor:
    """Row i and column i have their right answer at number i."""
    scores = f @ g.T / temperature
    right = torch.arange(len(f))
    return (F.cross_entropy(scores, right) + F.cross_entropy(scores.T, right)) / 2


def _loss(answer: Callable[[Tensor, Tensor, float], Tensor]) -> str:
    noise = Noise.shared(6, "course 6.1")
    for n, temperature in ((5, 0.2), (8, 0.07)):
        f, g = (F.normalize(noise.normal((n, 16)), dim=1) for _ in range(2))
        right = softmax_loss(f @ g.T / temperature, torch.eye(n, dtype=torch.bool))
        if wrong := near(answer(f, g, temperature), right, what=f"the loss of {n} pairs"):
            return wrong
    return ""


def loss_of_nothing() -> float:
    """Each row is a choice among 64 that are equally likely."""
    return math.log(64)


def _nothing(answer: Any) -> str:
    same = torch.ones(64, 64)
    return near(answer, softmax_loss(same, torch.eye(64, dtype=torch.bool)), 5e-3, "the loss")


def recall(similarity: Tensor, k: int) -> float:
    """How many of its row are larger than the right one."""
    larger = (similarity > similarity.diagonal()[:, None]).sum(1)
    return (larger < k).float().mean().item()


def _recall(answer: Callable[[Tensor, int], float]) -> str:
    similarity = Noise.shared(6, "course 6.3").normal((30, 30)) + 1.5 * torch.eye(30)
    similarity[0, 1] = similarity[0, 0]
    for k in (1, 3):
        right = sum(sorted(row, reverse=True).index(row[i]) < k for i, row in enumerate(similarity.tolist())) / 30
        if wrong := near(answer(similarity, k), right, what=f"the recall at {k}"):
            return wrong
    return ""


def of_label(sentences: Tensor) -> Tensor:
    """The mean of unit vectors is shorter than 1: it lies inside of the sphere."""
    mean = sentences.mean(0)
    return mean / mean.norm()


def _label(answer: Callable[[Tensor], Tensor]) -> str:
    sentences = F.normalize(Noise.shared(6, "course 6.4").normal((4, 9)), dim=1)
    return near(answer(sentences), F.normalize(sentences.sum(0), dim=0), what="the embedding")


def step_of_signs(image: Tensor, gradient: Tensor, eps: float) -> Tensor:
    """Every pixel goes as far as it may, eps, and no further than white and black."""
    return (image + eps * gradient.sign()).clamp(-1, 1)


def _signs(answer: Callable[[Tensor, Tensor, float], Tensor]) -> str:
    noise = Noise.shared(6, "course 6.5")
    image, gradient = noise.normal((3, 4, 4)).clamp(-1, 1), 1e-3 * noise.normal((3, 4, 4))
    right = torch.where(gradient > 0, image + 0.1, image - 0.1)
    return near(answer(image, gradient, 0.1), torch.minimum(torch.maximum(right, -torch.ones(())), torch.ones(())))


EXERCISES = (
    Exercise(_loss, contrastive_loss),
    Exercise(_nothing, loss_of_nothing, value=True),
    Exercise(_recall, recall),
    Exercise(_label, of_label),
    Exercise(_signs, step_of_signs),
)
