"""The VAE against closed forms: KL, the discretised likelihood, and a linear-Gaussian one whose evidence is known."""

import math

import pytest
import torch
from torch import nn

from unclip.core.noise import Noise, initial_weights
from unclip.core.task import Batch
from unclip.diffusion.likelihood import DiscretisedLogistic
from unclip.models.classes import NO_CLASS
from unclip.models.families.base import check_side
from unclip.models.families.importance import bits_by_importance, importance_bound
from unclip.models.families.vae import VAE, Gaussian, VAEConfig
from unclip.nn.generators.vector import VectorCoderConfig

SMALL = VectorCoderConfig(patch=2, widths=(8, 16), embedding=16, fine=4)


def vae(classes: tuple[str, ...] = (), **chosen: object) -> VAE:
    with initial_weights(0, "vae"):
        return VAE(VAEConfig(network=SMALL, latent=6, size=8, classes=classes, **chosen)).eval()  # pyright: ignore


def images(n: int) -> torch.Tensor:
    return Noise.shared(1).integers(256, (n, 3, 8, 8)).float() / 127.5 - 1


def none(n: int) -> torch.Tensor:
    return torch.full((n,), NO_CLASS)


def test_kl_is_torchs():
    mean, log_variance = Noise.shared(0).normal((2, 5, 7))
    own = torch.distributions.Normal(mean, (log_variance / 2).exp())
    exact = torch.distributions.kl_divergence(own, torch.distributions.Normal(0.0, 1.0))
    torch.testing.assert_close(Gaussian(mean, log_variance).kl(), exact)


def test_log_density_is_torchs():
    mean, log_variance, z = Noise.shared(0).normal((3, 5, 7))
    own = torch.distributions.Normal(mean, (log_variance / 2).exp())
    torch.testing.assert_close(Gaussian(mean, log_variance).log_density(z), own.log_prob(z).sum(1))


@pytest.mark.parametrize("mean", [-3.0, -1.0, 0.013, 1.0, 40.0])
@pytest.mark.parametrize("log_variance", [-11.0, -4.0, 2.0])
def test_the_probabilities_of_all_values_sum_to_one(mean: float, log_variance: float):
    values = torch.arange(256, dtype=torch.float64)[:, None] / 127.5 - 1
    flat = torch.full_like(values, mean)
    nats = DiscretisedLogistic().nats(values, flat, torch.full_like(values, log_variance))
    assert nats.isfinite().all()
    assert (-nats).exp().sum().item() == pytest.approx(1, abs=1e-12)


def test_a_bin_holds_the_difference_of_two_sigmoids():
    x, mean, s = torch.tensor([[0.2]]).double(), torch.tensor([[0.17]]).double(), 0.05
    ends = [(x - mean + side / 255) / s for side in (-1, 1)]
    exact = (torch.sigmoid(ends[1]) - torch.sigmoid(ends[0])).log()
    log_variance = torch.tensor([[math.log(s**2 * math.pi**2 / 3)]]).double()
    torch.testing.assert_close(-DiscretisedLogistic().nats(x, mean, log_variance), exact)


def test_the_importance_bound_is_above_the_elbo_and_rises_with_k():
    model, x = vae(), images(16)
    with torch.no_grad():
        elbo = torch.stack([model.bits(x, none(16), Noise.shared(seed)) for seed in range(20)]).mean().item()
        found = [
            torch.stack([model.bits(x, none(16), Noise.shared("k", seed), k) for seed in range(times)]).mean().item()
            for k, times in ((2, 20), (8, 20), (64, 5))  # the more samples in a bound, the less it varies
        ]
    assert elbo > found[0] > found[1] > found[2]


def test_importance_bound_is_the_log_of_a_mean():
    w = Noise.shared(0).uniform((5, 3)).double() + 0.1
    torch.testing.assert_close(importance_bound(w.log()), w.mean(0).log())
    with pytest.raises(ValueError, match="k = 0: a bound needs at least 1 sample"):
        bits_by_importance(lambda _: torch.zeros(2), 0, 3)


def test_a_linear_gaussian_vae_has_the_evidence_of_its_marginal():
    """x = W z + e: log p(x) = log N(x; 0, W W^T + s^2 I). With the exact posterior every weight is p(x) itself; with a
    wider one the bound nears it from below."""
    d, k, s = 5, 2, 0.3
    w, x = Noise.shared(0).normal((d, k)).double(), Noise.shared(1).normal((4, d)).double()
    marginal = torch.distributions.MultivariateNormal(torch.zeros(d).double(), w @ w.t() + s**2 * torch.eye(d).double())
    exact = marginal.log_prob(x)
    precision = torch.eye(k).double() + w.t() @ w / s**2
    covariance = torch.linalg.inv(precision)
    mean = x @ w @ covariance / s**2

    def log_weights(q: torch.distributions.MultivariateNormal, z: torch.Tensor) -> torch.Tensor:
        prior = Gaussian(torch.zeros_like(z), torch.zeros_like(z)).log_density(z)
        seen = Gaussian(z @ w.t(), torch.full_like(x, math.log(s**2))).log_density(x)
        return prior + seen - q.log_prob(z)

    def draws(widening: float, n: int) -> torch.Tensor:
        q = torch.distributions.MultivariateNormal(mean, widening * covariance)
        root = torch.linalg.cholesky(widening * covariance)
        eps = Noise.shared("eps").normal((n, 4, k)).double()
        return torch.stack([log_weights(q, mean + e @ root.t()) for e in eps])

    torch.testing.assert_close(draws(1.0, 3), exact.expand(3, 4))
    wide = draws(2.0, 4000)
    assert (wide.mean(0) < exact - 0.05).all()
    torch.testing.assert_close(importance_bound(wide), exact, atol=0.05, rtol=0)


def test_free_bits_are_free():
    batch = Batch(images=images(8))
    plain, free = (vae(free_bits=bits).loss(batch, Noise.shared(0)) for bits in (0.0, 0.5))
    assert plain.parts == free.parts
    kl = vae().posterior(images(8), none(8)).kl().mean(0) / math.log(2)
    paid = kl.clamp(min=0.5).sum().item() / (3 * 64)
    assert free.total.item() - free.parts["distortion"] == pytest.approx(paid, rel=1e-3)


def test_the_loss_is_the_bound():
    model, x = vae(), images(8)
    loss = model.loss(Batch(images=x), Noise.shared(3))
    assert loss.total.item() == pytest.approx(model.bits(x, none(8), Noise.shared(3)).mean().item(), rel=1e-5)
    assert loss.total.item() == pytest.approx(float(loss.parts["distortion"] + loss.parts["rate"]), rel=1e-5)


def test_it_learns_and_hears_its_class():
    model = vae(classes=("dark", "light")).train()
    x = torch.cat([torch.full((4, 3, 8, 8), -0.6), torch.full((4, 3, 8, 8), 0.6)])
    x = (x * 127.5).round() / 127.5
    labels = torch.tensor([0] * 4 + [1] * 4)
    nn.init.normal_(model.decoder.last.weight, std=0.1, generator=torch.Generator().manual_seed(0))
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    losses = []
    for step in range(60):
        loss = model.loss(Batch(images=x, labels=labels), Noise.shared(step)).total
        losses.append(loss.item())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert losses[-1] < losses[0] - 2
    model.eval()
    z = model.encode(x, labels)
    assert (model.decode(z, labels) - x).square().mean() < 0.05
    assert (model.decode(z, labels) - model.decode(z, 1 - labels)).abs().max() > 1e-3


def test_images_of_another_kind_are_refused_with_the_fix():
    with pytest.raises(ValueError, match="size = 10: this network needs a multiple of 4; the next that works is 12"):
        VAEConfig(network=SMALL, size=10)
    with pytest.raises(ValueError, match="images of 8 x 8 px with 1 channels: this model has 8 x 8 px with 3 channels"):
        vae().bits(images(2)[:, :1], none(2), Noise.shared(0))
    with pytest.raises(ValueError, match="each name once"):
        VAEConfig(network=SMALL, size=8, classes=("a", "a"))


def test_a_size_that_does_not_fit_names_what_to_change():
    with pytest.raises(ValueError, match=r"the next that works is 36 \(or take another patch, or fewer levels\)"):
        check_side(32, 12)
