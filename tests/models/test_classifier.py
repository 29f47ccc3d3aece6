"""The noise-aware classifier: learns colours of drawn shapes in seconds, knows what noise hides, and guides."""

from functools import cache
from pathlib import Path

import pytest
import torch
from tests.drawn import NAMES, Exact, drawn, sample
from tests.fakes import awake, built, draw, trainer_of

from unclip.core.disk import store
from unclip.core.noise import Noise
from unclip.core.task import Batch, Task
from unclip.diffusion.guidance import ClassifierGuidance
from unclip.diffusion.level import noised
from unclip.models.classifier import ClassifierConfig, NoisyClassifier
from unclip.runs.folder import RunFolder
from unclip.runs.modules import load_stage

CONFIG = ClassifierConfig(classes=len(NAMES), widths=(16, 32, 32), embedding=32)
IMAGES, LABELS, _ = drawn(320)
SEEN, BATCH = 256, 32


def classifier(config: ClassifierConfig = CONFIG) -> NoisyClassifier:
    return built(lambda: NoisyClassifier(config))


def batch(step: int) -> Batch:
    rows = torch.arange(step * BATCH, (step + 1) * BATCH) % SEEN
    return Batch(images=IMAGES[rows], labels=LABELS[rows])


@cache
def trained() -> NoisyClassifier:
    model = classifier()
    trainer = trainer_of(model, batch, steps=160)
    for _ in trainer.steps():
        pass
    return model.eval().requires_grad_(False)


def right(level: float) -> float:
    """Share of held-out images at this level whose colour is told."""
    images, labels, l = IMAGES[SEEN:], LABELS[SEEN:], torch.tensor(level)
    x = noised(images, l, draw(*images.shape, key="x"))
    return (trained()(x, l).argmax(1) == labels).float().mean().item()


def test_learns_the_colours_of_held_out_shapes():
    assert isinstance(classifier(), Task)
    assert right(8.0) > 0.9
    assert right(0.0) > 0.6


def test_knows_what_noise_hides():
    """At pure noise nothing can be told, and it says so: every class about as likely as among the images."""
    assert right(-12.0) < 0.45
    l = torch.tensor(-12.0)
    p = trained()(draw(64, 3, 16, 16), l).softmax(1).mean(0)
    share = torch.bincount(LABELS[:SEEN], minlength=len(NAMES)) / SEEN
    assert (p - share).abs().max() < 0.15


def test_its_gradient_raises_the_share_of_the_wanted_colour():
    """The unconditional model is exact, the classifier learned; one in six images has the wanted colour by chance."""
    exact, wanted = Exact(IMAGES[:SEEN]), torch.arange(48) % len(NAMES)
    share = {}
    for scale in (0.0, 1.0):
        guidance = ClassifierGuidance(scale, log_p=trained().log_p(wanted))
        share[scale] = (LABELS[sample(exact, guidance, len(wanted))] == wanted).float().mean().item()
    assert share[0.0] < 0.3
    assert share[1.0] > 0.6


def test_log_p_is_of_the_wanted_label():
    x, labels, l = draw(6, 3, 16, 16), torch.arange(6), torch.tensor(1.0)
    expected = trained()(x, l).log_softmax(1)[torch.arange(6), labels]
    assert torch.allclose(trained().log_p(labels)(x, l), expected, atol=1e-6)


def test_is_told_the_level():
    model, x = awake(classifier()), draw(4, 3, 16, 16)
    near, far = (model(x, torch.tensor(l)) for l in (-5.0, 5.0))
    assert (near - far).abs().max() > 0.01
    each = model(x, torch.tensor([-5.0, 5.0, -5.0, 5.0]))
    assert torch.allclose(each[::2], near[::2], atol=1e-5)
    assert torch.allclose(each[1::2], far[1::2], atol=1e-5)


def test_noise_decides_the_loss():
    model = classifier()
    a, again, b = (model.loss(batch(0), Noise.shared(seed)).total for seed in (0, 0, 1))
    assert torch.equal(a, again)
    assert not torch.equal(a, b)


def test_saved_and_loaded_like_the_other_stages(tmp_path: Path):
    model = trained()
    store.save(tmp_path / "classifier", "classifier", model.config.to_dict(), model.state_dict())
    found = load_stage(RunFolder(tmp_path), "classifier", NoisyClassifier, "cpu")
    assert isinstance(found, NoisyClassifier)
    assert found.config == CONFIG
    x, l = draw(2, 3, 16, 16), torch.tensor(0.0)
    assert torch.equal(found(x, l), model(x, l))


def test_what_cannot_be_is_refused():
    with pytest.raises(ValueError, match="classes = 1"):
        ClassifierConfig(classes=1)
    with pytest.raises(ValueError, match="widths = "):
        ClassifierConfig(classes=2, widths=())
    with pytest.raises(ValueError, match="18 x 16 px"):
        classifier()(draw(1, 3, 18, 16), torch.tensor(0.0))
    with pytest.raises(ValueError, match="labels = .*6.*0 to 5"):
        classifier().log_p(torch.tensor([0, 6]))
