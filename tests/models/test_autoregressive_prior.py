"""The autoregressive prior: learns a joint distribution, and samples on the side of high dot products."""

from dataclasses import replace

import pytest
import torch
from tests.fakes import awake, built, draw, trainer_of
from tests.models.captioned import NET, TURN, WIDTH, embeddings, given, pairs, seeds

from unclip.core.noise import Noise
from unclip.core.task import Batch
from unclip.models.priors.autoregressive import AutoregressivePrior, AutoregressivePriorConfig, sample_codes
from unclip.models.priors.base import PriorModel

CONFIG = AutoregressivePriorConfig(network=NET, dims=WIDTH, buckets=32, waves=16, dots=4)


def prior(**changes: object) -> AutoregressivePrior:
    return built(lambda: AutoregressivePrior(replace(CONFIG, **changes)))


@pytest.fixture(scope="module")
def learned() -> tuple[AutoregressivePrior, list[float]]:
    """Trained on ever new pairs whose images are spread, so that dot products differ within a caption."""
    model = prior()
    model.fit(*embeddings(pairs(256, captions=8)))
    trainer = trainer_of(model, lambda step: pairs(96, captions=8, key=f"step {step}"), 120, lr=6e-3)
    losses = [report.loss for report in trainer.steps()]
    return model.eval(), losses


def test_codes_come_back_within_half_a_bucket():
    model, batch = prior(), pairs(100)
    z, texts = embeddings(batch)
    model.fit(z, texts)
    codes = model.encode(z)
    away = (model.pca.inverse(model.buckets.inverse(codes)) - z).norm(dim=1)
    assert (away <= model.buckets.width.norm() / 2 * 1.001).all()
    assert torch.allclose(model.decode(codes).norm(dim=1), torch.ones(100), atol=1e-5)
    assert (model.pca(z).var(0).diff() <= 1e-6).all()  # the largest variance first


def test_learns_which_embeddings_a_caption_means(learned: tuple[AutoregressivePrior, list[float]]):
    model, losses = learned
    assert isinstance(model, PriorModel)
    assert losses[0] > 0.99 * torch.tensor(32.0).log()  # nothing known: all codes equally likely
    assert sum(losses[-20:]) / 20 < 0.87 * losses[0]
    batch = pairs(64, captions=8, key=1)
    found = model.sample(*given(batch), seeds(64))
    assert torch.allclose(found.norm(dim=1), torch.ones(64), atol=1e-5)
    right = embeddings(batch)[1][:8] @ TURN
    assert ((found @ right.t()).argmax(1) == torch.arange(64) % 8).float().mean() > 0.5
    true = embeddings(batch)[0]
    assert (found * true).sum(1).mean() > (found * true.roll(1, 0)).sum(1).mean() + 0.3


def test_the_top_half_of_the_dot_products_raises_them(learned: tuple[AutoregressivePrior, list[float]]):
    model, _ = learned
    batch, means = pairs(400, captions=8, key=2), []
    for top in (1.0, 0.5, 0.25):
        other = AutoregressivePrior(replace(model.config, top=top))
        other.load_state_dict(model.state_dict())
        found = other.sample(*given(batch), seeds(400))
        means.append((found * embeddings(batch)[1]).sum(1).mean().item())
    assert means[0] + 0.02 < means[1] < means[2]


def test_dot_products_are_drawn_evenly_from_the_top():
    model = prior(dots=8)
    assert model._high_dots(torch.tensor([0.0, 0.24, 0.26, 0.999])).tolist() == [4, 4, 5, 7]
    assert prior(dots=8, top=1.0)._high_dots(torch.tensor([0.0, 0.5, 0.999])).tolist() == [0, 4, 7]
    with pytest.raises(ValueError, match="top = 0.0: expected a number above 0"):
        prior(top=0.0)


def test_draws_follow_the_probabilities():
    p = torch.tensor([0.1, 0.0, 0.6, 0.3])
    codes = sample_codes(p.log().expand(4000, -1), Noise.shared("draws").uniform((4000,)))
    assert torch.allclose(torch.bincount(codes, minlength=4) / 4000, p, atol=0.03)
    assert sample_codes(torch.zeros(1, 4), torch.tensor([0.0])).item() == 0
    last = torch.tensor([1 - 2**-24])
    assert sample_codes(torch.tensor([[0.0, -100.0]]), last).item() == 0
    assert sample_codes(torch.zeros(1, 1000), last).item() == 999  # never one beyond


def test_the_better_of_the_candidates_is_kept():
    model, batch = awake(prior()), pairs(4)
    assert isinstance(model, AutoregressivePrior)
    text = given(batch)[0]
    both = seeds(4) + seeds(4, first=100)
    alone = torch.stack([model.sample(*given(batch), [n]) for n in both])
    best = model.sample(*given(batch), seeds(4) + seeds(4, first=100))
    assert torch.allclose((best * text).sum(1), (alone * text).sum(-1).max(0).values, atol=1e-5)


def test_same_seed_same_embedding_alone_and_in_a_batch():
    model, batch = awake(prior()), pairs(3)
    together = model.sample(*given(batch), [Noise.per_sample([1, 2, 3])])
    alone = model.sample(*(t[2:] for t in given(batch)), [Noise.per_sample([3])])
    assert torch.allclose(alone[0], together[2], atol=1e-4)
    assert not torch.allclose(model.sample(*given(batch), [Noise.per_sample([4, 5, 6])]), together, atol=1e-2)


@pytest.mark.parametrize("drop, differs", [(0.0, True), (1.0, False)])
def test_dropped_captions_are_not_heard(drop: float, differs: bool):
    model, batch = awake(prior(drop_text=drop)), pairs(8)
    assert batch.text_embedding is not None and batch.text_tokens is not None
    other = {"text_embedding": batch.text_embedding.flip(0), "text_tokens": batch.text_tokens + draw(8, 4, 8)}
    a, b = (model.loss(Batch(**{**vars(batch), **change}), Noise.shared(0)).total for change in ({}, other))
    assert bool((a - b).abs() > 1e-4) is differs


def test_guidance_follows_the_caption_more_closely(learned: tuple[AutoregressivePrior, list[float]]):
    model, _ = learned
    batch, near = pairs(200, captions=8, key=3), []
    for scale in (1.0, 3.0):
        other = AutoregressivePrior(replace(model.config, guidance=scale, top=1.0))
        other.load_state_dict(model.state_dict())
        near.append((other.sample(*given(batch), seeds(200)) * (given(batch)[0] @ TURN)).sum(1).mean().item())
    assert near[1] > near[0] + 0.03


def test_what_was_fitted_is_in_the_weights():
    model, other = prior(dims=3), prior(dims=3)
    model.fit(*embeddings(pairs(50)))
    other.load_state_dict(model.state_dict())
    z = embeddings(pairs(50))[0]
    assert torch.equal(other.encode(z), model.encode(z)) and torch.allclose(other.mean, z.mean(0), atol=1e-6)
