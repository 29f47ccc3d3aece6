"""The prior: keeps the better candidate, and a tiny one that learns which cluster a caption means."""

import pytest
import torch
import torch.nn.functional as F
from tests.fakes import awake, built, draw, learn

from unclip.core.noise import Noise
from unclip.core.task import Batch
from unclip.diffusion.guidance import ClassifierFree
from unclip.diffusion.parameterization import X0
from unclip.diffusion.schedules import Cosine
from unclip.models.priors import base
from unclip.models.priors.base import conditions
from unclip.models.priors.diffusion import Prior, PriorConfig
from unclip.nn.blocks.embed import UnitScale
from unclip.nn.prior.caption_net import PriorNetConfig
from unclip.nn.prior.prior_net import PriorNet

WIDTH, NET = 6, PriorNetConfig(6, 8, context=4, width=32, layers=2, heads=2)
CENTRES = F.normalize(draw(2, WIDTH, key="centres"), dim=1)
TEXTS = F.normalize(draw(2, WIDTH, key="texts"), dim=1)
MASK = torch.tensor([[True, True, True, False], [True, True, True, True]])


def prior(config: PriorConfig | None = None) -> Prior:
    return built(lambda: Prior(config or PriorConfig(network=NET)))


def clusters(n: int = 64) -> Batch:
    """Two captions, each with a cluster of image embeddings."""
    which = torch.arange(n) % 2
    return Batch(
        image_embedding=F.normalize(CENTRES[which] + 0.1 * draw(n, WIDTH), dim=1),
        text_embedding=TEXTS[which],
        text_tokens=draw(2, 4, 8, key="tokens")[which],
        mask=MASK[which],
    )


def asked(rows: list[int]) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    return TEXTS[rows], draw(2, 4, 8, key="tokens")[rows], MASK[rows]


def seeds(rows: list[int], candidate: int = 0) -> Noise:
    return Noise.per_sample([10 * i + candidate for i in range(len(rows))])


def test_learns_which_cluster_a_caption_means():
    model, batch = prior(), clusters()
    assert batch.image_embedding is not None
    model.statistics.fit(batch.image_embedding)
    losses = learn(model, batch, steps=150)
    assert sum(losses[-20:]) < 0.6 * sum(losses[:20])
    rows = [0, 1] * 8
    found = model.sample(*asked(rows), [seeds(rows)])
    assert torch.allclose(found.norm(dim=1), torch.ones(16), atol=1e-5)
    assert (found @ CENTRES.t()).argmax(1).tolist() == rows
    assert (found * CENTRES[rows]).sum(1).mean() > 0.9


@pytest.mark.parametrize("at_once", [32, 8, 1], ids=["all at once", "two of three", "one by one"])
def test_the_better_of_the_candidates_is_kept(at_once: int, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(base, "ROWS", at_once)
    model, rows = awake(prior()), [0, 1, 0, 1]
    text, tokens, mask = asked(rows)
    alone = torch.stack([model.sample(text, tokens, mask, [seeds(rows, c)]) for c in range(3)])
    scores = (alone * text).sum(-1)
    best = model.sample(text, tokens, mask, [seeds(rows, c) for c in range(3)])
    assert scores.argmax(0).unique().numel() > 1  # else this test could not fail
    assert torch.allclose((best * text).sum(-1), scores.max(0).values, atol=1e-5)


def test_same_seed_same_embedding_alone_and_in_a_batch():
    model, rows = awake(prior()), [0, 1, 1]
    together = model.sample(*asked(rows), [Noise.per_sample([1, 2, 3])])
    assert torch.allclose(model.sample(*asked([1]), [Noise.per_sample([3])])[0], together[2], atol=1e-4)


def test_padding_has_no_effect():
    model = awake(prior())
    text, tokens, mask = asked([0])
    spoilt = tokens + 50 * ~mask[:, :, None]
    a, b = (model.sample(text, t, mask, [seeds([0])]) for t in (tokens, spoilt))
    assert torch.allclose(a, b, atol=1e-4)


@pytest.mark.parametrize("drop, differs", [(0.0, True), (1.0, False)])
def test_dropped_captions_are_not_heard(drop: float, differs: bool):
    model, batch = awake(prior(PriorConfig(network=NET, drop_text=drop))), clusters(8)
    assert batch.text_tokens is not None and batch.text_embedding is not None
    other = {"text_embedding": batch.text_embedding.flip(0), "text_tokens": batch.text_tokens + draw(8, 4, 8)}
    a, b = (model.loss(Batch(**{**vars(batch), **change}), Noise.shared(0)).total for change in ({}, other))
    assert bool((a - b).abs() > 1e-4) is differs


def test_the_papers_facts():
    config = PriorConfig(network=NET, scaling="unit")
    assert isinstance(config.diffusion.schedule, Cosine) and isinstance(config.diffusion.parameterization, X0)
    assert (config.drop_text, config.candidates, config.sampling.guidance) == (0.1, 2, ClassifierFree(1.0))
    weighting, schedule = config.diffusion.weighting, config.diffusion.schedule
    log_snr = torch.linspace(-5, 5, 11)
    eps_to_x0 = log_snr.exp()  # |x0 error|^2 = |eps error|^2 / SNR: the plain error on x0 has weight 1 there
    assert torch.allclose(weighting.weight_of_sample(log_snr, schedule) * eps_to_x0, torch.ones(11), atol=1e-5)
    model, wide = prior(config), UnitScale(1024)
    unit = F.normalize(draw(4, 1024), dim=1)
    assert torch.allclose(wide(unit), 17.2 * unit) and torch.allclose(
        wide(unit).square().mean().sqrt(), torch.tensor(0.5375)
    )
    model.statistics.fit(CENTRES)
    assert torch.allclose(model.mean, CENTRES.mean(0)) and torch.allclose(
        model.statistics.inverse(model.statistics(CENTRES)), CENTRES
    )


def test_the_papers_scaling_learns_too():
    model, batch = prior(PriorConfig(network=NET, scaling="unit")), clusters()
    losses = learn(model, batch, steps=150)
    assert sum(losses[-20:]) < 0.5 * sum(losses[:20])
    rows = [0, 1] * 8
    found = model.sample(*asked(rows), [seeds(rows)])
    assert (found @ CENTRES.t()).argmax(1).tolist() == rows
    assert (found * CENTRES[rows]).sum(1).mean() > 0.9


def test_the_attention_is_causal():
    """What stands before a place never sees it: the caption's features are the same whatever embedding is noised."""
    net = awake(built(lambda: PriorNet(NET)))
    assert isinstance(net, PriorNet)
    seen: list[torch.Tensor] = []
    net.transformer.register_forward_hook(lambda _, __, out: seen.append(out))
    cond, _ = conditions(*asked([0, 1]))
    for key in ("a", "b"):
        net(draw(2, WIDTH, key=key), torch.zeros(2), cond)
    same = (seen[0] - seen[1]).abs().amax((0, 2)) < 1e-5
    assert same.tolist() == [True] * 6 + [False] * 2  # 4 tokens, text, level | the noised embedding, the query


def test_the_statistics_are_in_the_weights():
    model = prior()
    model.statistics.fit(draw(10, WIDTH))
    other = prior()
    other.load_state_dict(model.state_dict())
    assert torch.equal(other.statistics.mean, model.statistics.mean)
