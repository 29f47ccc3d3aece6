"""The KL autoencoder: closed forms, who learns from which loss, and a tiny one that repeats drawn shapes."""

import copy

import pytest
import torch
import torch.nn.functional as F
from tests.drawn import drawn
from tests.fakes import awake, built, draw, trainer_of
from torch.distributions import Normal, kl_divergence

from unclip.clip.vision import VisionConfig, VisionTower
from unclip.core.noise import Noise
from unclip.core.task import Batch
from unclip.models.autoencoder.model import LIMITS, Autoencoder, Posterior
from unclip.models.autoencoder.perceptual import Perceptual
from unclip.models.autoencoder.training import AutoencoderLoss, AutoencoderTraining, balance
from unclip.nn.autoencoder.coder import CoderConfig
from unclip.nn.autoencoder.patch_critic import PatchCriticConfig

TINY = CoderConfig(widths=(16,), blocks=1, attention=False, fine=8)
CRITIC = PatchCriticConfig(width=16, layers=1)


def eyes(size: int = 16) -> Perceptual:
    return built(lambda: Perceptual(VisionTower(VisionConfig(size, stem=(16, 32), width=32, layers=1, heads=1))))


def training(**changes: object) -> AutoencoderTraining:
    loss = AutoencoderLoss(critic=CRITIC, **changes)  # pyright: ignore[reportArgumentType]
    return built(lambda: AutoencoderTraining(TINY, loss, eyes()))


def test_kl_is_the_closed_form():
    posterior = Posterior.of(draw(3, 8, 4, 4))
    exact = kl_divergence(Normal(posterior.mean, (posterior.log_variance / 2).exp()), Normal(0.0, 1.0))
    assert torch.allclose(posterior.kl(), exact.sum((1, 2, 3)), rtol=1e-5)
    assert Posterior.of(torch.zeros(2, 8, 4, 4)).kl().tolist() == [0, 0]


def test_samples_have_the_posteriors_mean_and_spread_and_are_reproducible():
    posterior = Posterior.of(torch.cat([torch.full((1, 1, 200, 200), 0.7), torch.full((1, 1, 200, 200), -1.0)], 1))
    z = posterior.sample(Noise.shared(1))
    assert abs(z.mean() - 0.7) < 0.01 and abs(z.std() - torch.tensor(-0.5).exp()) < 0.01
    assert torch.equal(z, posterior.sample(Noise.shared(1)))
    wild = Posterior.of(torch.cat([torch.zeros(1, 1, 1, 2), torch.tensor([-1e9, 1e9]).view(1, 1, 1, 2)], 1))
    assert wild.log_variance.flatten().tolist() == list(LIMITS)
    assert torch.isfinite(wild.kl()).all() and torch.equal(Posterior.of(posterior.moments).mean, posterior.mean)


def test_the_perceptual_distance_sees_what_moved():
    see, (x, _, _) = eyes(), drawn(4)
    shifted, dimmed = x.roll(2, -1), x * 0.98
    assert see(x, x).abs().max() == 0
    assert (see(x, shifted) > 5 * see(x, dimmed)).all()
    assert torch.allclose(see(x, shifted), see(shifted, x))
    y = shifted.clone().requires_grad_()
    see(x, y).sum().backward()
    assert y.grad is not None and y.grad.abs().max() > 0
    assert all(p.grad is None and not p.requires_grad for p in see.parameters())


def test_each_player_learns_from_its_own_loss_alone():
    """One backward of the sum gives each the gradient that two separate losses, the other one frozen, would give."""
    task = training(perceptual=0.0, adversarial=0.7)
    awake(task.autoencoder)
    x, _, _ = drawn(4)
    task.pace(1.0)
    total = task.loss(Batch(images=x), Noise.shared(0)).total
    own, theirs = dict(task.autoencoder.named_parameters()), dict(task.critic.named_parameters())
    found = torch.autograd.grad(total, [*own.values(), *theirs.values()])

    posterior = task.autoencoder.encode(x)
    y = task.autoencoder.decode(posterior.sample(Noise.shared(0)))
    rec = (x - y).abs().mean()
    frozen = copy.deepcopy(task.critic).requires_grad_(False)
    fool = -frozen(y).mean()
    last = task.autoencoder.decoder.last.weight
    norms = [torch.autograd.grad(part, last, retain_graph=True)[0].norm() for part in (rec, fool)]
    weight = norms[0] / (norms[1] + 1e-6)
    (pull,) = torch.autograd.grad(fool, y, retain_graph=True)
    assert torch.allclose(balance(rec, y, pull, last), weight, rtol=1e-4)
    generator = rec + 1e-6 * posterior.kl().mean() / x[0].numel() + 0.7 * weight * fool
    hinge = (F.relu(1 - task.critic(x)).mean() + F.relu(1 + task.critic(y.detach())).mean()) / 2
    wanted = [*torch.autograd.grad(generator, list(own.values())), *torch.autograd.grad(hinge, list(theirs.values()))]
    for name, a, b in zip([*own, *theirs], found, wanted, strict=True):
        assert torch.allclose(a, b, rtol=1e-3, atol=1e-6), name
    assert torch.allclose(total, generator + hinge, rtol=1e-5)


def test_the_critic_comes_late_and_only_if_asked():
    task, batch = training(critic_from=0.5), Batch(images=drawn(2)[0])
    task.pace(0.49)
    assert "made" not in task.loss(batch, Noise.shared(0)).parts
    task.pace(0.5)
    assert "made" in task.loss(batch, Noise.shared(0)).parts
    never = training(critic_from=1.0)
    never.pace(1.0)
    assert "made" not in never.loss(batch, Noise.shared(0)).parts


def test_a_learned_scale_ends_at_the_error():
    """rec / exp(s) + s is smallest at s = log rec."""
    task, batch = training(learn_scale=True), Batch(images=drawn(2)[0])
    parts = task.loss(batch, Noise.shared(0)).parts
    with torch.no_grad():
        task.log_scale.fill_(parts["pixels"] + parts["perceptual"]).log_()
    total = task.loss(batch, Noise.shared(0)).total
    assert torch.autograd.grad(total, task.log_scale)[0].abs() < 1e-4
    assert not training().log_scale.requires_grad


def test_it_repeats_pictures_that_it_has_not_seen():
    """Against the mean image, the best that knows nothing of the image; the critic enters on the way."""
    images, held = drawn(96)[0], drawn(24, seed=1)[0]
    task = training(critic_from=0.7)
    feed = [Batch(images=images[i : i + 16]) for i in range(0, 96, 16)]
    reports = list(trainer_of(task, lambda step: feed[step % 6], steps=150, lr=6e-3).steps())
    assert reports[-1].parts["made"] and torch.isfinite(torch.tensor(reports[-1].loss))
    task.eval()
    with torch.no_grad():
        error = (task.autoencoder.reconstruct(held) - held).square().mean()
    mean_picture = (held - images.mean(0)).square().mean()
    assert error < 0.5 * mean_picture, (error, mean_picture)


def test_a_resumed_training_equals_an_uninterrupted_one():
    batch = Batch(images=drawn(4)[0])
    whole, first, second = (trainer_of(training(critic_from=0.5), lambda step: batch, steps=6) for _ in range(3))
    list(whole.steps())
    for report in first.steps():
        if report.step == 2:
            break
    tensors, numbers = first.state()
    assert not any("stem" in name and "eyes" in name for name in tensors)
    second.load({k: v.clone() for k, v in tensors.items()}, numbers)
    list(second.steps())
    for name, value in whole.module.state_dict().items():
        assert torch.equal(value, second.module.state_dict()[name]), name


@pytest.mark.parametrize(
    "wrong", [{"kl": -1.0}, {"perceptual": -0.1}, {"adversarial": float("nan")}, {"critic_from": 2.0}]
)
def test_weights_that_cannot_be_are_refused(wrong: dict[str, float]):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        AutoencoderLoss(**wrong)


def test_pictures_of_another_size_are_refused():
    model = built(lambda: Autoencoder(CoderConfig(widths=(16, 32))))
    with pytest.raises(ValueError, match="needs sides divisible by 4; resize or crop them to 16 x 16"):
        model.encode(draw(1, 3, 15, 15))
    with pytest.raises(ValueError, match="images with 1 channels: this network takes 3"):
        model.encode(draw(1, 1, 16, 16))
