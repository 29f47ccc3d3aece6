"""The comparison of ways to an image embedding, on a model whose every answer is known."""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import pytest
import torch
import torch.nn.functional as F
from tests.fakes import draw
from torch import Tensor

from unclip.core.noise import Noise
from unclip.data.shapes.captions import CATEGORIES, prompts, prompts_with_scenes
from unclip.data.shapes.world import World
from unclip.diffusion.process import Sampling
from unclip.diffusion.samplers import Step
from unclip.evaluation.embedding_sources import (
    Benchmark,
    EmbeddingSource,
    Pairs,
    captions_for,
    embeddings,
    judge,
    tracing,
)
from unclip.evaluation.sets.kernel import kid, kid_estimate
from unclip.generation.text_to_image import TextToImage
from unclip.models.priors.base import PriorModel
from unclip.models.priors.untrained import ConstantPrior, TextPrior
from unclip.runs.modules import Stages

D, N = 16, 40
CAPTIONS = [f"caption {i % 10}" for i in range(N)]
TEXTS = {f"caption {i}": F.normalize(draw(D, key=f"text {i}"), dim=0) for i in range(10)}
TEXTS[""] = torch.zeros(D)


@dataclass
class Wobbly:
    """A prior that is the text embedding and noise."""

    noise: float
    mean: Tensor = field(default_factory=lambda: torch.zeros(D))
    candidates: int = 1

    def sample(self, text: Tensor, tokens: Tensor, mask: Tensor, noise: Sequence[Noise]) -> Tensor:
        return F.normalize(text + self.noise * noise[0].normal(text.shape), dim=1)


class Model(TextToImage):
    """Its images hold the embedding in a row, and what the caption says in the next; its CLIP reads their sum."""

    tokenizer = clip = None  # pyright: ignore
    stages = Stages()
    sampling = Sampling()  # pyright: ignore

    def __init__(self, prior: PriorModel | None = None, **_: object) -> None:
        self.prior = prior

    def embed_captions(self, captions: Sequence[str]) -> Tensor:
        return torch.stack([TEXTS[c] for c in captions])

    def embed_prompts(self, captions: Sequence[str], seeds: Sequence[int]) -> Tensor:
        assert self.prior is not None
        text, mask = self.embed_captions(captions), torch.ones(len(captions), 1, dtype=torch.bool)
        return self.prior.sample(text, text[:, None], mask, [Noise.per_sample(seeds)])

    def decode(self, z: Tensor, captions: Sequence[str], seeds: Sequence[int], how: Sampling) -> Iterator[Step]:
        x = torch.zeros(len(z), 3, D, D)
        x[:, :, 0], x[:, :, 1] = z[:, None], self.embed_captions(captions)[:, None]
        yield Step(x, x, torch.tensor(torch.inf))

    def embed_images(self, images: Tensor) -> Tensor:
        return F.normalize(images[:, 0, :2].sum(1), dim=1)


def against() -> Benchmark:
    true = F.normalize(torch.stack([TEXTS[c] for c in CAPTIONS]) + 0.1 * draw(N, D, key="true"), dim=1)
    return Benchmark(Pairs(CAPTIONS, true, seed=5), true, torch.zeros(D))


def judged(way: EmbeddingSource) -> dict:
    return judge(Model(), way, against()).metrics


def test_better_priors_score_better():
    found = [
        judged(EmbeddingSource("", prior))
        for prior in (None, Wobbly(0.1), Wobbly(0.5), ConstantPrior(-TEXTS["caption 0"], torch.zeros(D)))
    ]
    cosines = [f["embedding"]["matched"] for f in found[:3]]
    assert cosines[0] == pytest.approx(1) and cosines[0] > cosines[1] > cosines[2]
    assert all(f["embedding"]["shuffled"] < 0.5 for f in found[:3])
    scores = [f["clip_score"]["matched"] for f in found]
    assert all(better > worse - 0.002 for better, worse in itertools.pairwise(scores))  # the first two are as good
    assert scores[0] > scores[2] > scores[3]
    assert found[1]["kid"]["mean"] < found[3]["kid"]["mean"]
    assert found[1]["repeat"]["mean"] > found[2]["repeat"]["mean"] + 0.1
    assert "ms" in found[1] and "ms" not in found[0] and "repeat" not in found[0]
    assert "embedding" not in found[3]  # the null is no embedding of an image


def test_the_text_itself_repeats():
    found = judged(EmbeddingSource("", TextPrior(torch.zeros(D))))
    assert found["repeat"]["mean"] == pytest.approx(1, abs=1e-5) and found["embedding"]["matched"] > 0.8


def test_what_the_decoder_reads():
    assert captions_for(EmbeddingSource("", None), ["a", "b"]) == ["a", "b"]
    assert captions_for(EmbeddingSource("", None, "none"), ["a", "b"]) == ["", ""]
    assert captions_for(EmbeddingSource("", None, "other"), ["a", "a", "b"]) == ["b", "b", "a"]


def test_the_trace_tells_stages_apart():
    """A bad prior and a decoder that listens to embedding and caption alike: each is seen where it is alone."""
    null = ConstantPrior(torch.zeros(D), torch.zeros(D))
    ways = tracing(Wobbly(3.0), TextPrior(torch.zeros(D)), null)
    score = {way.name: judged(way)["clip_score"]["matched"] for way in ways}
    assert score["true embedding + caption"] > 0.9 and score["caption alone"] > 0.9
    assert score["true embedding alone"] > 0.8 > 0.5 > score["prior alone"]
    assert score["prior alone"] < score["prior + caption"] < score["text embedding + caption"]
    assert score["prior + another's caption"] < score["prior alone"]


def test_seeds_are_the_pairs_own():
    pairs = against().pairs
    every, _ = embeddings(Model(), EmbeddingSource("", Wobbly(1.0)), pairs)
    text = torch.stack([TEXTS[c] for c in CAPTIONS[7:8]])
    alone = Wobbly(1.0).sample(text, text[:, None], torch.ones(1, 1, dtype=torch.bool), [Noise.per_sample([5 + 7])])
    assert torch.allclose(every[7], alone[0], atol=1e-6)


def test_the_error_of_the_kernel_distance_is_its_spread():
    values, errors = [], []
    for key in range(40):
        a, b = draw(60, 8, key=f"a{key}"), draw(80, 8, key=f"b{key}") + 0.3
        values.append(kid(a, b))
        if key < 5:
            errors.append(kid_estimate(a, b, Noise.shared("kid", key)).error)
    spread = torch.tensor(values).std().item()
    assert 0.6 * spread < sum(errors) / 5 < 1.6 * spread


@pytest.mark.parametrize("category", CATEGORIES)
def test_prompts_come_with_their_scenes(category: str):
    world = World(32)
    pairs = prompts_with_scenes(world, category, 5, seed=3)
    assert [p for p, _ in pairs] == prompts(world, category, 5, seed=3)
    assert all(prompt.objects == scene.kinds for prompt, scene in pairs)
