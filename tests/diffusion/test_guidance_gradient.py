"""Guidance by gradients on a mixture of Gaussians, where classifier, conditional and unconditional model are exact."""

import pytest
import torch
from tests.fakes import draw

from unclip.core.condition import Condition
from unclip.core.noise import Noise
from unclip.diffusion.denoiser import Prediction
from unclip.diffusion.guidance import ClassifierFree, ClassifierGuidance, CLIPGuidance, GradientGuidance, Unguided
from unclip.diffusion.guidance.gradient import gradient
from unclip.diffusion.level import alpha, like, sigma
from unclip.diffusion.samplers import DDIM
from unclip.diffusion.schedules import Cosine

CENTRES = torch.tensor([[1.5, 0.0], [-0.5, 1.2], [-0.8, -1.1]])
SHARES, STD = torch.tensor([0.5, 0.3, 0.2]), 0.4
LEVELS = [torch.tensor(level) for level in (-8.0, -2.0, 0.0, 3.0, 8.0)]


def variance(log_snr: torch.Tensor) -> torch.Tensor:
    return torch.sigmoid(log_snr) * STD**2 + torch.sigmoid(-log_snr)


def log_classes(x: torch.Tensor, log_snr: torch.Tensor) -> torch.Tensor:
    """log p(class | x, level), [b, 3]: Bayes' rule."""
    level = like(log_snr, x)
    far = (x[:, None] - like(log_snr, x[:, None]).sigmoid().sqrt() * CENTRES).square().sum(-1)
    return torch.log_softmax(SHARES.log() - far / (2 * variance(level)), dim=1)


def of_class(x: torch.Tensor, log_snr: torch.Tensor, centre: torch.Tensor) -> torch.Tensor:
    """E[x0 | x, class]."""
    level = like(log_snr, x)
    return centre + alpha(level) * STD**2 / variance(level) * (x - alpha(level) * centre)


def denoiser(x: torch.Tensor, log_snr: torch.Tensor, cond: Condition) -> Prediction:
    """Exact. The condition's vector: one-hot over the classes, or zero for the whole mixture."""
    assert cond.vector is not None
    weights = torch.where(cond.vector.any(1, keepdim=True), cond.vector, log_classes(x, log_snr).exp())
    each = torch.stack([of_class(x, log_snr, centre) for centre in CENTRES], dim=1)
    return Prediction.from_x0((weights[..., None] * each).sum(1), x, log_snr)


def wanted(labels: torch.Tensor) -> tuple[Condition, Condition]:
    hot = torch.nn.functional.one_hot(labels, 3).float()
    return Condition(vector=hot), Condition(vector=torch.zeros_like(hot))


def log_p(labels: torch.Tensor):
    return lambda x, log_snr: log_classes(x, log_snr).gather(1, labels[:, None])[:, 0]


LABELS = torch.arange(60) % 3
X = draw(60, 2)
COND, NULL = wanted(LABELS)


@pytest.mark.parametrize("level", LEVELS, ids=str)
@pytest.mark.parametrize("member", [ClassifierGuidance, CLIPGuidance])
def test_the_exact_classifier_makes_the_exact_conditional_score(member: type[GradientGuidance], level: torch.Tensor):
    """Bayes: grad log p(x) + grad log p(y|x) = grad log p(x|y). The unconditional model is given as the condition."""
    guided = member(1.0, log_p=log_p(LABELS))(denoiser, NULL, NULL)(X, level)
    exact = denoiser(X, level, COND)
    score, exact_score = -guided.eps / sigma(level), -exact.eps / sigma(level)
    assert torch.allclose(score, exact_score, rtol=1e-3, atol=2e-3 * exact_score.abs().max().item())
    assert torch.allclose(guided.x0, exact.x0, atol=2e-3)


@pytest.mark.parametrize("level", LEVELS, ids=str)
def test_with_the_exact_classifier_it_is_classifier_free_guidance(level: torch.Tensor):
    """Ho & Salimans 2022, section 3.2: w from the null is w - 1 from the condition, whoever gives the gradient."""
    free = ClassifierFree(3.0)(denoiser, COND, NULL)(X, level).x0
    from_null = ClassifierGuidance(3.0, log_p=log_p(LABELS))(denoiser, NULL, NULL)(X, level).x0
    from_cond = ClassifierGuidance(2.0, Unguided(), log_p(LABELS))(denoiser, COND, NULL)(X, level).x0
    both = ClassifierGuidance(1.0, ClassifierFree(2.0), log_p(LABELS))(denoiser, COND, NULL)(X, level).x0
    for found in (from_null, from_cond, both):
        assert torch.allclose(found, free, atol=5e-3)


def sampled(scale: float, n: int = 600) -> tuple[torch.Tensor, torch.Tensor]:
    """(samples of the unconditional model guided to classes 0, 1, 2, ..., those classes)."""
    labels = torch.arange(n) % 3
    _, null = wanted(labels)
    denoise = ClassifierGuidance(scale, log_p=log_p(labels))(denoiser, null, null)
    *_, end = DDIM()(denoise, draw(n, 2, key="start"), Cosine().grid(40), Noise.shared(0))
    return end.x, labels


def test_samples_of_the_wanted_class():
    """Scale 0: each class as often as in the data. 1: the wanted class as it is. 3: the wanted class, told apart."""
    right = {}
    for scale in (0.0, 1.0, 3.0):
        x, labels = sampled(scale)
        right[scale] = log_classes(x, torch.tensor(20.0)).exp().gather(1, labels[:, None]).mean().item()
        if scale == 1.0:
            for i, centre in enumerate(CENTRES):
                own = x[labels == i]
                assert torch.allclose(own.mean(0), centre, atol=0.12)
                assert own.std(0).mean().item() == pytest.approx(STD, rel=0.12)
    assert right[0.0] == pytest.approx(1 / 3, abs=0.05)
    assert right[1.0] > 0.98
    assert right[3.0] > right[1.0]


def test_the_gradient_is_each_samples_own():
    x, level = draw(5, 2), torch.tensor(0.5)
    with torch.no_grad():
        found = gradient(log_p(LABELS[:5]), x, level)
    alone = gradient(log_p(LABELS[2:3]), x[2:3], level)
    assert torch.allclose(found[2:3], alone, atol=1e-6)
    step = 1e-3 * torch.tensor([1.0, 0.0])
    slope = (log_p(LABELS[:5])(x + step, level) - log_p(LABELS[:5])(x - step, level)) / 2e-3
    assert torch.allclose(found[:, 0], slope, atol=1e-2)
