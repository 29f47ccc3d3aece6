"""The one-step prior and those without training."""

import pytest
import torch
import torch.nn.functional as F
from tests.fakes import built, learn
from tests.models.captioned import NET, TURN, embeddings, given, pairs, seeds

from unclip.core.noise import Noise
from unclip.models.priors.base import PriorModel
from unclip.models.priors.contrastive import ContrastivePrior, ContrastivePriorConfig
from unclip.models.priors.untrained import ConstantPrior, TextPrior

PAIRS = pairs(64, captions=8)


def prior(contrast: float = 0.2) -> ContrastivePrior:
    return built(lambda: ContrastivePrior(ContrastivePriorConfig(network=NET, scale=10.0, contrast=contrast)))


@pytest.fixture(scope="module")
def learned() -> dict[float, ContrastivePrior]:
    """Trained without the contrastive loss, and with it."""
    models = {}
    for contrast in (0.0, 0.2):
        models[contrast] = prior(contrast)
        models[contrast].statistics.fit(embeddings(PAIRS)[0])
        losses = learn(models[contrast], PAIRS, steps=40, lr=6e-3)
        assert sum(losses[-10:]) < 0.8 * sum(losses[:10])
    return models


def test_learns_the_map_from_captions_to_pictures(learned: dict[float, ContrastivePrior]):
    found = learned[0.0].sample(*given(PAIRS), seeds(64))
    assert isinstance(learned[0.0], PriorModel)
    assert torch.allclose(found.norm(dim=1), torch.ones(64), atol=1e-5)
    assert (found * (given(PAIRS)[0] @ TURN)).sum(1).mean() > 0.9
    assert torch.equal(found, learned[0.0].sample(*given(PAIRS), seeds(64, first=9)))


def test_the_contrastive_loss_pulls_towards_the_text(learned: dict[float, ContrastivePrior]):
    found = [m.sample(*given(PAIRS), seeds(64)) for m in learned.values()]
    without, with_it = ((z * given(PAIRS)[0]).sum(1).mean().item() for z in found)
    assert with_it > without + 0.05
    assert (found[1] * embeddings(PAIRS)[0]).sum(1).mean() > 0.5


def test_starts_at_the_mean_embedding():
    batch, model = pairs(64), prior()
    z = embeddings(batch)[0]
    model.statistics.fit(z)
    assert torch.allclose(
        model.sample(*given(batch), seeds(64)), F.normalize(z.mean(0), dim=0).expand(64, -1), atol=1e-5
    )


def test_the_loss_is_its_two_parts():
    batch = pairs(16, captions=4)
    true, text = embeddings(batch)
    plain, both = prior(contrast=0.0), prior()
    for model in (plain, both):
        model.statistics.fit(true)
    z = plain.sample(*given(batch), seeds(16))
    projection = (z - true).square().sum(1).mean()
    logits, positive = 10 * z @ text.t(), torch.arange(16)[:, None] % 4 == torch.arange(16) % 4
    rows, columns = ((logits.log_softmax(d) * positive).sum() / positive.sum() for d in (1, 0))
    assert torch.allclose(plain.loss(batch, Noise.shared(0)).total, projection)
    assert torch.allclose(both.loss(batch, Noise.shared(0)).total, projection - 0.2 * (rows + columns) / 2, atol=1e-5)


def test_the_text_itself_and_one_embedding_for_all():
    batch = pairs(5)
    z, text = embeddings(batch)
    mean = z.mean(0)
    plain, shifted = TextPrior(mean), TextPrior(mean, mean - text.mean(0))
    assert isinstance(plain, PriorModel) and isinstance(ConstantPrior(mean, mean), PriorModel)
    assert torch.equal(plain.sample(*given(batch), seeds(5)), text)
    moved = shifted.sample(*given(batch), seeds(5))
    assert torch.allclose(moved, F.normalize(text + mean - text.mean(0), dim=1))
    assert torch.equal(ConstantPrior(mean, mean).sample(*given(batch), seeds(5)), mean.expand(5, -1))
