"""The decoder over either network: what it is told, it paints; what is dropped, it does not hear."""

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from tests.fakes import awake, built, draw, learn, tiny_unet
from torch import Tensor

from unclip.clip.text import TextConfig
from unclip.core.noise import Noise
from unclip.core.task import Batch
from unclip.diffusion.guidance import ClassifierFree
from unclip.diffusion.process import Sampling
from unclip.diffusion.samplers import NAMES, Ancestral
from unclip.models.decoder import Decoder, DecoderConfig, decoder_diffusion, drop_captions, paper_diffusion
from unclip.nn.backbones.diffusion_unet import DiffusionUNet, DiffusionUNetConfig
from unclip.nn.blocks.attention import ImageAttention
from unclip.nn.blocks.resblock import ResBlockConfig
from unclip.text.tokenizer import Tokenizer

COLOURS = {
    "red": (0.9, -0.9, -0.9),
    "a green picture": (-0.9, 0.8, -0.9),
    "deep blue": (-0.9, -0.9, 0.9),
    "white": (0.9, 0.9, 0.9),
}
TOKENIZER = Tokenizer.train(COLOURS, vocabulary=300)
D, W, SIZE = 6, 16, 8
TEXT = TextConfig(TOKENIZER.size, TOKENIZER.context, width=W, layers=1, heads=2)
SEEN = {"vector_width": D + W, "token_width": W}
GLIDE = DiffusionUNetConfig(
    width=16, multipliers=(1, 2), blocks=1, attention=(False, True), head_width=16, block=ResBlockConfig(8),
    learned_variance=True, **SEEN,
)  # fmt: skip
LEARNED = replace(decoder_diffusion(), vlb_weight=0.001)
CONFIGS = {
    "hourglass": DecoderConfig(tiny_unet(**SEEN), size=SIZE, embedding_width=D, text=TEXT),
    "glide": DecoderConfig(
        GLIDE,
        LEARNED,
        Sampling(24, Ancestral("learned"), ClassifierFree(2.0, 1.0)),
        size=SIZE,
        embedding_width=D,
        text=TEXT,
    ),
}
PAINT = torch.tensor(list(COLOURS.values()))
Z = F.normalize(torch.eye(4, D) + 0.2, dim=1)
"""The image embedding of each colour."""
STEPS = {"hourglass": 420, "glide": 300}
"""After which each has learned them by heart."""
both_networks = pytest.mark.parametrize("network", CONFIGS)


def decoder(network: str = "hourglass", **changes: object) -> Decoder:
    config = replace(CONFIGS[network], **changes)  # pyright: ignore[reportArgumentType]
    return built(lambda: Decoder(config))


def flat(times: int = 1) -> Batch:
    """The four colours, `times` each, which embedding and caption both tell."""
    ids, mask = TOKENIZER(list(COLOURS) * times)
    pictures = PAINT.repeat(times, 1)[:, :, None, None].expand(-1, 3, SIZE, SIZE).contiguous()
    return Batch(images=pictures, image_embedding=Z.repeat(times, 1), ids=ids, mask=mask)


def captions(rows: list[int]) -> tuple[Tensor, Tensor]:
    ids, mask = TOKENIZER(list(COLOURS))
    return ids[rows], mask[rows]


def paint(model: Decoder, rows: list[int], seeds: list[int], how: Sampling | None = None) -> Tensor:
    *_, end = model.sample(Z[rows], *captions(rows), Noise.per_sample(seeds), how)
    return end.x


def told(model: Decoder, rows: list[int], part: str) -> Tensor:
    """Images for which only the embedding, or only the caption, says the colour; no guidance."""
    yes = torch.ones(len(rows), dtype=torch.bool)
    ids, mask = captions(rows) if part == "caption" else drop_captions(*captions(rows), ~yes)
    with torch.no_grad():
        cond = model.condition(Z[rows], yes if part == "embedding" else ~yes, ids, mask)
    how = replace(model.config.sampling, steps=12, guidance=ClassifierFree(1.0, limit=1.0))
    *_, end = model.diffusion.sample((len(rows), 3, SIZE, SIZE), cond, cond, Noise.per_sample(range(len(rows))), how)
    return end.x


@pytest.fixture(scope="module", params=CONFIGS)
def painter(request: pytest.FixtureRequest) -> Decoder:
    """A decoder that has learnt the four colours by heart, from either of the two that tell them."""
    model = decoder(request.param, drop_embedding=0.3, drop_caption=0.3)
    model.statistics.fit(Z)
    losses = learn(model, flat(4), steps=STEPS[request.param], lr=6e-3)
    assert sum(losses[-20:]) < 0.4 * sum(losses[:20])
    return model


@pytest.mark.parametrize("part", ["embedding", "caption"])
def test_paints_what_the_embedding_says_and_without_it_what_the_caption_says(painter: Decoder, part: str):
    rows = [0, 1, 2, 3] * 2
    mean = told(painter, rows, part).mean((2, 3))
    assert torch.cdist(mean, PAINT).argmin(1).tolist() == rows


@pytest.mark.parametrize("scale", [1.0, 2.0])
def test_paints_the_colour_that_it_is_told(painter: Decoder, scale: float):
    rows = [0, 1, 2, 3] * 2
    pictures = paint(painter, rows, list(range(8)), Sampling(12, guidance=ClassifierFree(scale, limit=1.0)))
    mean = pictures.mean((2, 3))
    assert torch.cdist(mean, PAINT).argmin(1).tolist() == rows
    assert (mean - PAINT[rows]).abs().max() < 0.3
    assert pictures.std((2, 3)).max() < 0.3  # flat, as the images are


@pytest.mark.parametrize("name", NAMES)
def test_every_sampler_takes_a_learned_variance(name: str):
    model = awake(decoder("glide"))
    assert isinstance(model, Decoder)
    end = paint(model, [0, 1], [0, 1], Sampling(3, NAMES[name], ClassifierFree(2.0, limit=1.0)))
    assert torch.isfinite(end).all() and end.abs().max() < 3


def test_same_seed_same_picture_alone_and_in_a_batch(painter: Decoder):
    how = replace(painter.config.sampling, steps=6)
    together = paint(painter, [0, 1, 2, 3], [5, 6, 7, 8], how)
    for row in (1, 3):
        alone = paint(painter, [row], [5 + row], how)[0]
        assert (alone - together[row]).abs().max() < 2 / 255  # one of 255 shades, [-1, 1] being 2 wide
    assert (paint(painter, [1], [99], how)[0] - together[1]).abs().max() > 1e-3  # another seed is another image


def test_every_step_is_a_preview_within_the_limits(painter: Decoder):
    steps = list(painter.sample(Z[:1], *captions([0]), Noise.per_sample([0])))
    assert len(steps) == painter.config.sampling.steps
    assert all(step.x0.abs().max() <= 1 for step in steps)
    assert torch.is_grad_enabled()


def test_a_dropped_caption_is_the_empty_one():
    model = awake(decoder())
    ids, mask = TOKENIZER(list(COLOURS))
    empty_ids, empty_mask = TOKENIZER([""])
    dropped, seen = drop_captions(ids, mask, torch.zeros(4, dtype=torch.bool))
    for row, kept in zip(dropped, seen, strict=True):
        assert row[kept].tolist() == empty_ids[0].tolist()
    tokens, end = model.text(dropped, seen)
    empty_tokens, empty_end = model.text(empty_ids, empty_mask)
    assert torch.allclose(end, empty_end.expand(4, -1), atol=1e-6)
    assert torch.allclose(tokens[seen].view(4, 2, W), empty_tokens.expand(4, -1, -1), atol=1e-6)


def test_drop_captions_keeps_the_others():
    ids, mask = TOKENIZER(list(COLOURS))
    keep = torch.tensor([True, False, False, True])
    some_ids, some_mask = drop_captions(ids, mask, keep)
    assert torch.equal(some_ids[keep], ids[keep])
    assert torch.equal(some_mask[keep], mask[keep])
    assert some_mask[~keep].sum(1).tolist() == [2, 2]


@both_networks
@pytest.mark.parametrize("drop, heard", [(0.0, True), (1.0, False)])
@pytest.mark.parametrize("part", ["image_embedding", "ids"])
def test_dropped_conditions_are_not_heard(network: str, part: str, drop: float, heard: bool):
    model, batch = awake(decoder(network, drop_embedding=drop, drop_caption=drop)), flat()
    other = Batch(
        **{**vars(batch), part: getattr(batch, part).flip(0) if part == "ids" else F.normalize(draw(4, D), dim=1)}
    )
    if part == "ids":
        other = Batch(**{**vars(other), "mask": batch.mask.flip(0)})  # pyright: ignore[reportOptionalMemberAccess]
    a, b = (model.loss(x, Noise.shared(0)).total for x in (batch, other))
    assert bool((a - b).abs() > 1e-5) is heard


def test_the_two_conditions_are_dropped_independently(monkeypatch: pytest.MonkeyPatch):
    model, batch, seen = decoder(drop_embedding=0.3, drop_caption=0.5), flat(64), []
    real = model.condition
    monkeypatch.setattr(
        model, "condition", lambda z, keep, ids, mask: seen.append((keep, mask)) or real(z, keep, ids, mask)
    )
    model.loss(batch, Noise.shared(0))
    [(embedding, mask)] = seen
    caption = mask.sum(1) > 2
    assert embedding.float().mean().item() == pytest.approx(0.7, abs=0.1)
    assert caption.float().mean().item() == pytest.approx(0.5, abs=0.1)
    assert (embedding & caption).float().mean().item() == pytest.approx(0.35, abs=0.08)


def test_the_papers_dropouts_are_the_default():
    kept = [decoder(network).config for network in CONFIGS]
    assert all((c.drop_embedding, c.drop_caption, c.image_tokens) == (0.1, 0.5, 4) for c in kept)


@both_networks
def test_the_null_embedding_stands_in_for_a_dropped_one(network: str):
    """It is learned where embeddings are dropped and only there, and guidance looks at it."""
    grads = []
    for drop in (0.0, 1.0):
        model = awake(decoder(network, drop_embedding=drop))
        model.loss(flat(), Noise.shared(0)).total.backward()
        grads.append(model.null_embedding.grad)
    assert grads[0] is None or not grads[0].any()
    assert grads[1] is not None and grads[1].abs().max() > 1e-6
    model = awake(decoder(network))
    pictures = {}
    for null in (0.0, 1.0):
        with torch.no_grad():
            model.null_embedding.fill_(null)
        for scale in (1.0, 3.0):
            how = replace(model.config.sampling, steps=2, guidance=ClassifierFree(scale, limit=1.0))
            pictures[null, scale] = paint(model, [0], [0], how)
    assert torch.equal(pictures[0.0, 1.0], pictures[1.0, 1.0])
    assert (pictures[0.0, 3.0] - pictures[1.0, 3.0]).abs().max() > 1e-4


@both_networks
def test_tokens_reach_every_attention(network: str):
    """With one attention alone listening, both the embedding's tokens and the caption's are heard."""
    model = awake(decoder(network))
    with torch.no_grad():
        whole = model.condition(Z, torch.ones(4, dtype=torch.bool), *captions([0, 1, 2, 3]))  # pyright: ignore
    found = [module for module in model.modules() if isinstance(module, ImageAttention)]
    assert len(found) == {"hourglass": 1, "glide": 4}[network]  # glide: on the way down, in the core, two on the way up
    kept = [attention.kv for attention in found]
    for heard, kv in zip(found, kept, strict=True):
        for attention in found:
            attention.kv = kv if attention is heard else None
        tokens = whole.tokens.detach().requires_grad_()
        out = model.diffusion.denoiser.network(draw(4, 3, SIZE, SIZE), torch.zeros(4), replace(whole, tokens=tokens))  # pyright: ignore
        out.square().sum().backward()
        assert tokens.grad is not None and whole.mask is not None
        reached = tokens.grad.abs().amax(2) > 1e-8
        assert torch.equal(reached, whole.mask)


def test_the_bound_teaches_the_variance_and_nothing_of_the_mean():
    """At the head: the mean's gradient does not feel the bound's weight, the variance's is proportional to it."""
    heads = {}
    for weight in (0.001, 0.1):
        model = awake(decoder("glide", diffusion=replace(paper_diffusion(), vlb_weight=weight)))
        model.loss(flat(4), Noise.shared(0)).total.backward()
        network = model.diffusion.denoiser.network
        assert isinstance(network, DiffusionUNet) and network.out.weight.grad is not None
        heads[weight] = network.out.weight.grad.chunk(2)
    (mean, variance), (same, hundredfold) = heads[0.001], heads[0.1]
    assert mean.abs().max() > 1e-3 and torch.allclose(mean, same, rtol=1e-4, atol=1e-6)
    assert variance.abs().max() > 0 and torch.allclose(100 * variance, hundredfold, rtol=1e-3, atol=1e-7)


@both_networks
def test_the_image_embedding_is_heard(network: str):
    model = awake(decoder(network))
    ids, mask = TOKENIZER(["red", "red"])
    z = F.normalize(draw(2, D), dim=1)
    how = replace(model.config.sampling, steps=3)
    a, b = (list(model.sample(v, ids, mask, Noise.per_sample([0, 1]), how))[-1].x for v in (z, z.flip(0)))
    assert (a - b).abs().max() > 1e-3


@both_networks
def test_what_does_not_fit_is_refused(network: str):
    config = CONFIGS[network]
    multiple = config.network.multiple
    for changes, why in (
        ({"size": multiple + 1}, f"size = {multiple + 1}: this network needs a multiple of {multiple}"),
        ({"network": config.network.changed(token_width=8)}, "must be 22, 16"),
        ({"network": config.network.changed(learned_variance=network != "glide")}, "set both, or none, to learn the"),
        ({"drop_caption": 1.5}, "drop_caption = 1.5: expected a number from 0 to 1"),
        ({"image_tokens": 0}, "image_tokens = 0: expected a whole number from 1"),
    ):
        with pytest.raises(ValueError, match=why):
            replace(config, **changes)
