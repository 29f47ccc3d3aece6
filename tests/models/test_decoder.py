"""The decoder: an empty caption is an empty caption, and a tiny one paints the colour that it is told."""

import pytest
import torch
import torch.nn.functional as F
from tests.fakes import awake, built, draw, learn, tiny_unet

from unclip.clip.text import TextConfig
from unclip.core.noise import Noise
from unclip.core.task import Batch
from unclip.diffusion.guidance import ClassifierFree
from unclip.diffusion.process import Sampling
from unclip.models.decoder import Decoder, DecoderConfig, drop_captions
from unclip.text.tokenizer import Tokenizer

COLOURS = {
    "red": (0.9, -0.9, -0.9),
    "a green picture": (-0.9, 0.8, -0.9),
    "deep blue": (-0.9, -0.9, 0.9),
    "white": (0.9, 0.9, 0.9),
}
TOKENIZER = Tokenizer.train(COLOURS, vocabulary=300)
D, W = 6, 16
TEXT = TextConfig(TOKENIZER.size, TOKENIZER.context, width=W, layers=1, heads=2)
NETWORK = tiny_unet(vector_width=D + W, token_width=W)
PAINT = torch.tensor(list(COLOURS.values()))


def decoder(**changes: object) -> Decoder:
    config = DecoderConfig(16, D, TEXT, NETWORK, **changes)  # pyright: ignore[reportArgumentType]
    return built(lambda: Decoder(config))


def flat(times: int = 1) -> Batch:
    """The four colours, `times` each; all with the same image embedding, so that the caption alone tells them apart."""
    ids, mask = TOKENIZER(list(COLOURS) * times)
    return Batch(
        images=PAINT.repeat(times, 1)[:, :, None, None].expand(-1, 3, 16, 16).contiguous(),
        image_embedding=F.normalize(torch.ones(4 * times, D), dim=1),
        ids=ids,
        mask=mask,
    )


def paint(model: Decoder, rows: list[int], seeds: list[int], how: Sampling | None = None) -> torch.Tensor:
    ids, mask = (t[rows] for t in TOKENIZER(list(COLOURS)))
    z = F.normalize(torch.ones(len(rows), D), dim=1)
    *_, end = model.sample(z, ids, mask, Noise.per_sample(seeds), how)
    return end.x


@pytest.fixture(scope="module")
def painter() -> Decoder:
    """A decoder that has learnt the four colours by heart."""
    model = decoder(drop_caption=0.1)
    losses = learn(model, flat(4), steps=250, lr=4e-3)
    assert sum(losses[-20:]) < 0.3 * sum(losses[:20])
    return model


@pytest.mark.parametrize("scale", [1.0, 2.0])
def test_paints_the_colour_that_it_is_told(painter: Decoder, scale: float):
    rows = [0, 1, 2, 3] * 2
    pictures = paint(painter, rows, list(range(8)), Sampling(12, guidance=ClassifierFree(scale, limit=1.0)))
    mean = pictures.mean((2, 3))
    assert torch.cdist(mean, PAINT).argmin(1).tolist() == rows
    assert (mean - PAINT[rows]).abs().max() < 0.3
    assert pictures.std((2, 3)).max() < 0.3  # flat, as the pictures are


def test_same_seed_same_picture_alone_and_in_a_batch(painter: Decoder):
    together = paint(painter, [0, 1, 2, 3], [5, 6, 7, 8])
    for row in (1, 3):
        alone = paint(painter, [row], [5 + row])[0]
        assert (alone - together[row]).abs().max() < 2 / 255  # one of 255 shades, [-1, 1] being 2 wide
    assert (paint(painter, [1], [99])[0] - together[1]).abs().max() > 1e-3  # another seed is another picture


def test_every_step_is_a_preview_within_the_limits(painter: Decoder):
    ids, mask = TOKENIZER(["red"])
    steps = list(painter.sample(torch.ones(1, D) / D**0.5, ids, mask, Noise.per_sample([0])))
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


@pytest.mark.parametrize("drop, heard", [(0.0, True), (1.0, False)])
@pytest.mark.parametrize("part", ["image_embedding", "ids"])
def test_dropped_conditions_are_not_heard(part: str, drop: float, heard: bool):
    model, batch = awake(decoder(drop_embedding=drop, drop_caption=drop)), flat()
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


def test_the_image_embedding_is_heard():
    model = awake(decoder())
    ids, mask = TOKENIZER(["red", "red"])
    z = F.normalize(draw(2, D), dim=1)
    a, b = (list(model.sample(v, ids, mask, Noise.per_sample([0, 1])))[-1].x for v in (z, z.flip(0)))
    assert (a - b).abs().max() > 1e-3


def test_sizes_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="size = 18: this U-Net needs a multiple of 4"):
        DecoderConfig(18, D, TEXT, NETWORK)
    with pytest.raises(ValueError, match="must be 22, 16"):
        Decoder(DecoderConfig(16, D, TEXT, tiny_unet()))
