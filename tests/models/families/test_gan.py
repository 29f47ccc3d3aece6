"""The GAN: one backward of the sum trains each player by its own loss; penalties by hand; augmentation; collapse."""

import pytest
import torch
import torch.nn.functional as F

from unclip.core.noise import Noise, initial_weights
from unclip.core.task import Batch
from unclip.evaluation.sets.distinct import distinct_images
from unclip.models.classes import NO_CLASS
from unclip.models.families.gan import GAN, GANConfig, GANLoss, GANTraining
from unclip.nn.generators.augment import augmented
from unclip.nn.generators.vector import VectorCoderConfig

SMALL = VectorCoderConfig(patch=2, widths=(8, 16), embedding=16, fine=4)


def game(gamma: float = 0.7, classes: tuple[str, ...] = (), augment: bool = False) -> GANTraining:
    with initial_weights(0, "gan"):
        made = GANTraining(GANConfig(network=SMALL, latent=6, size=8, classes=classes), GANLoss(SMALL, gamma, augment))
    noise = Noise.shared("weights")
    with torch.no_grad():
        for p in made.parameters():  # off zero, where branches start
            p += 0.1 * noise.normal(p.shape)
    return made


def images(n: int) -> torch.Tensor:
    return Noise.shared(1).integers(256, (n, 3, 8, 8)).float() / 127.5 - 1


def gradients(loss: torch.Tensor, module: torch.nn.Module) -> list[torch.Tensor]:
    found = torch.autograd.grad(loss, list(module.parameters()), allow_unused=True, retain_graph=True)
    return [torch.zeros(()) if g is None else g for g in found]


@pytest.mark.parametrize("classes", [(), ("a", "b")])
def test_each_player_is_trained_by_its_own_loss(classes: tuple[str, ...]):
    """The two losses of the paper, written plainly, each with a pass of its own."""
    made, x = game(classes=classes), images(4)
    labels = torch.tensor([0, 1, 1, 0]) if classes else torch.full((4,), NO_CLASS)
    sum_of_both = made.loss(Batch(images=x, labels=labels), Noise.shared(0)).total

    generator, critic = made.generator, made.critic
    known = generator.classes(labels)
    y = generator.decode(Noise.shared(0).normal((4, 6)), labels)
    for_generator = F.softplus(critic(x, known) - critic(y, known)).mean()
    real, copy = x.clone().requires_grad_(), y.detach().requires_grad_()
    verdicts = critic(real, known), critic(copy, known)
    slopes = [
        torch.autograd.grad(v.sum(), at, create_graph=True)[0] for v, at in zip(verdicts, (real, copy), strict=True)
    ]
    penalty = sum(s.square().sum((1, 2, 3)).mean() for s in slopes)
    for_critic = F.softplus(verdicts[1] - verdicts[0]).mean() + 0.35 * penalty

    for a, b in zip(gradients(sum_of_both, generator), gradients(for_generator, generator), strict=True):
        torch.testing.assert_close(a, b, atol=1e-6, rtol=1e-4)
    for a, b in zip(gradients(sum_of_both, critic), gradients(for_critic, critic), strict=True):
        torch.testing.assert_close(a, b, atol=1e-6, rtol=1e-4)
    assert sum_of_both.item() == pytest.approx((for_generator + for_critic).item(), rel=1e-5)


def test_gamma_falls_tenfold_by_the_middle():
    made = game(gamma=2.0)
    seen = []
    for share in (0.0, 0.25, 0.5, 1.0):
        made.pace(share)
        seen.append(made.gamma)
    assert seen == pytest.approx([2.0, 1.1, 0.2, 0.2])


def test_an_image_is_augmented_in_its_colours_its_place_and_a_square():
    x = images(64)
    y = augmented(x, Noise.shared(0))
    assert y.shape == x.shape and not torch.equal(x, y)
    hidden = (y == 0).all(1).float().mean((1, 2))
    assert 0.1 < hidden.mean() < 0.4 and hidden.max() <= 0.5
    assert torch.equal(y, augmented(x, Noise.shared(0)))
    at = x.clone().requires_grad_()
    (slope,) = torch.autograd.grad(augmented(at, Noise.shared(0)).sum(), at)
    assert slope.abs().sum((1, 2, 3)).min() > 0


def test_an_augmented_game_can_be_played():
    loss = game(augment=True).loss(Batch(images=images(4)), Noise.shared(0))
    assert loss.total.isfinite()
    assert {"critic", "generator", "real", "made", "r1", "r2"} == set(loss.parts)


def test_what_is_drawn_does_not_depend_on_the_batch():
    generator = GAN(GANConfig(network=SMALL, latent=6, size=8))
    none = torch.full((3,), NO_CLASS)
    together = generator.draw(none, Noise.per_sample([4, 5, 6]))
    alone = generator.draw(none[:1], Noise.per_sample([5]))
    torch.testing.assert_close(together[1:2], alone, atol=1e-6, rtol=1e-5)


def test_distinct_images_are_counted():
    real = Noise.shared(0).normal((40, 8))
    few = real[:4].repeat(10, 1) + 1e-3 * Noise.shared(1).normal((40, 8))
    found = distinct_images(few, real)
    assert found.made == 4 and found.real >= 38 and found.n == 40
    assert distinct_images(Noise.shared(2).normal((40, 8)), real).ratio > 0.9
