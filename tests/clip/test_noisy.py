"""The noise-aware CLIP: starts as the trained one, learns through noise in seconds, and guides to a caption."""

from functools import cache
from pathlib import Path

import torch
from tests.drawn import NAMES, SHAPES, Exact, drawn, sample
from tests.fakes import built, draw, trainer_of

from unclip.clip.model import CLIP, CLIPConfig
from unclip.clip.noisy import NoisyCLIP, NoisyCLIPConfig
from unclip.clip.text import TextConfig
from unclip.clip.vision import VisionConfig
from unclip.core.disk import store
from unclip.core.noise import Noise
from unclip.core.task import Batch, Task
from unclip.diffusion.guidance import CLIPGuidance
from unclip.diffusion.level import noised
from unclip.runs.folder import RunFolder
from unclip.runs.modules import load_stage
from unclip.text.tokenizer import Tokenizer

TOKENIZER = Tokenizer.train([f"{colour} {shape}" for colour in NAMES for shape in SHAPES], vocabulary=300)
TEXT = TextConfig(TOKENIZER.size, TOKENIZER.context, width=32, layers=1, heads=2)
CONFIG = NoisyCLIPConfig(CLIPConfig(TEXT, VisionConfig(16, stem=(32,), width=32, layers=1, heads=2), width=24))
IMAGES, LABELS, CAPTIONS = drawn(320)
IDS, MASK = TOKENIZER(CAPTIONS)
SAME = torch.tensor([sorted(set(CAPTIONS)).index(c) for c in CAPTIONS])
SEEN, BATCH = 256, 32


def noisy() -> NoisyCLIP:
    return built(lambda: NoisyCLIP(CONFIG))


def batch(step: int) -> Batch:
    rows = torch.arange(step * BATCH, (step + 1) * BATCH) % SEEN
    return Batch(images=IMAGES[rows], ids=IDS[rows], mask=MASK[rows], caption_id=SAME[rows])


@cache
def trained() -> NoisyCLIP:
    model = noisy()
    for _ in trainer_of(model, batch, steps=280, lr=1e-3).steps():
        pass
    return model.eval().requires_grad_(False)


def right(level: float) -> float:
    """Share of held-out images at this level that are nearer to a caption of their colour than to any other."""
    l = torch.tensor(level)
    x = noised(IMAGES[SEEN:], l, draw(320 - SEEN, 3, 16, 16, key="x"))
    scores = trained().embed_noised(x, l) @ trained().clip.embed_text(IDS, MASK)[0].t()
    return (LABELS[scores.argmax(1)] == LABELS[SEEN:]).float().mean().item()


def test_learns_through_the_noise():
    assert isinstance(noisy(), Task)
    assert right(8.0) > 0.65
    assert right(0.0) > 0.35
    assert right(-12.0) < 0.35


def test_starts_as_the_trained_clip_at_every_level():
    clean, model = built(lambda: CLIP(CONFIG.clip), key="other"), noisy()
    model.clip.load_state_dict(clean.state_dict())
    for level in (-20.0, 0.0, 20.0):
        assert torch.equal(model.embed_noised(IMAGES[:4], torch.tensor(level)), clean.embed_images(IMAGES[:4]))
    ours = model.clip.compare((clean.embed_images(IMAGES[:BATCH]), model.clip.embed_captions(batch(0))), batch(0)).total
    assert torch.equal(ours, clean.loss(batch(0), Noise.shared(0)).total)


def test_is_told_the_level():
    near, far = (trained().embed_noised(IMAGES[:4], torch.tensor(level)) for level in (-5.0, 5.0))
    assert (near - far).abs().max() > 0.01
    each = trained().embed_noised(IMAGES[:4], torch.tensor([-5.0, 5.0, -5.0, 5.0]))
    assert torch.allclose(each[::2], near[::2], atol=1e-5)


def test_its_gradient_leads_to_the_caption():
    """The unconditional model is exact, CLIP learned; chance gives one in six its colour."""
    exact, rows = Exact(IMAGES[:SEEN]), torch.arange(48)
    colour, score = {}, {}
    log_p = trained().log_p(IDS[SEEN:][rows], MASK[SEEN:][rows])
    for scale in (0.0, 1.0):
        found = sample(exact, CLIPGuidance(scale, log_p=log_p), len(rows))
        colour[scale] = (LABELS[found] == LABELS[SEEN:][rows]).float().mean().item()
        score[scale] = log_p(IMAGES[found], torch.tensor(12.0)).mean().item()
    assert colour[0.0] < 0.35
    assert colour[1.0] > 0.5
    assert score[1.0] > score[0.0] + 0.5


def test_saved_and_loaded_like_the_other_stages(tmp_path: Path):
    model = trained()
    store.save(tmp_path / "noisy_clip", "noisy_clip", model.config.to_dict(), model.state_dict())
    found = load_stage(RunFolder(tmp_path), "noisy_clip", NoisyCLIP, "cpu")
    assert isinstance(found, NoisyCLIP)
    assert found.config == CONFIG
    l = torch.tensor(0.0)
    assert torch.equal(found.embed_noised(IMAGES[:2], l), model.embed_noised(IMAGES[:2], l))
