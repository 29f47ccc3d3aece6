"""The learned variance: iDDPM's hybrid loss by hand, its gradients, and that it learns what is right."""

import math
from dataclasses import replace

import pytest
import torch
from tests.fakes import NOTHING, Function, draw
from torch import nn

from unclip.core.condition import Condition
from unclip.core.noise import Noise
from unclip.diffusion.denoiser import Denoiser, Prediction
from unclip.diffusion.forward import posterior
from unclip.diffusion.level import alpha, like, noised, sigma
from unclip.diffusion.likelihood import BoundSettings, DiscretisedGaussian, GaussianDensity, variational_bound
from unclip.diffusion.losses import VarianceTerm
from unclip.diffusion.parameterization import X0, Eps
from unclip.diffusion.process import Diffusion, DiffusionConfig
from unclip.diffusion.schedules import (
    Cosine,
    CosineBeta,
    LinearBeta,
    LogNormal,
    RectifiedFlow,
    Schedule,
    Shifted,
    Tabulated,
)
from unclip.diffusion.weighting import Simple

TABLE = LinearBeta()
DECODER = GaussianDensity()


def test_a_tables_own_levels_are_iddpms_terms():
    """T KL(q || p) / ln 2 with log Sigma = v log beta_t + (1 - v) log beta-tilde_t (Eq. 15), written out."""
    x0, wrong, t = draw(4, 6), draw(4, 6, key=1), torch.tensor([2, 17, 500, 1000])
    noisier, cleaner = TABLE.table[t - 1].float(), TABLE.table[t - 2].float()
    mix = draw(4, 6, key=2).sigmoid()
    x = noised(x0, noisier, draw(4, 6, key=3)).double()
    q, p = (posterior(x, m.double(), noisier.double(), cleaner.double()) for m in (x0, wrong))
    variance = torch.exp(mix * TABLE.betas[t - 1].log()[:, None] + (1 - mix) * q.variance.log())
    kl = (torch.log(variance / q.variance) + (q.variance + (q.mean - p.mean) ** 2) / variance - 1) / 2
    found = VarianceTerm(TABLE, DECODER)(x0, wrong, mix, noisier)
    assert torch.allclose(found.double(), 1000 * kl.mean(1) / math.log(2), rtol=2e-3, atol=1e-4)


def test_the_cleanest_level_is_the_decoders():
    x0, wrong, mix = draw(2, 6), draw(2, 6, key=1), torch.full((2, 6), 1.0)
    first = TABLE.table[0].float().expand(2)
    expected = DECODER.nats(x0, wrong, TABLE.betas[0].log()).mean(1) / math.log(2)
    assert torch.allclose(VarianceTerm(TABLE, DECODER)(x0, wrong, mix, first).double(), 1000 * expected, rtol=1e-5)


def test_its_mean_is_the_bound():
    """Over levels drawn evenly from the table, with the bound's own estimate of the same thing beside it."""
    x0 = 0.5 * draw(4000, 8)
    network = Function(lambda x, log_snr, cond: torch.cat([0.3 * x, 0.2 * torch.ones_like(x)], dim=1))
    denoiser = Denoiser(network, Eps(), learned_variance=True)
    table, levels = LinearBeta(1e-3, 0.2, T=40), LinearBeta(1e-3, 0.2, T=40).table.float()
    index = torch.arange(4000) % 40
    l, eps = levels[index], draw(4000, 8, key="eps")
    found = denoiser(noised(x0, l, eps), l, NOTHING)
    assert found.variance_mix is not None
    mean = VarianceTerm(table, DECODER)(x0, found.x0, found.variance_mix, l)
    bound = variational_bound(
        lambda x, l: denoiser(x, l, NOTHING), table.grid(40), x0, Noise.shared(0), BoundSettings("learned", DECODER)
    )
    rounds = mean.view(100, 40).mean(1)  # each holds every level once
    error = rounds.std().item() / 10
    assert rounds.mean().item() == pytest.approx((bound.steps + bound.decoder).mean().item(), abs=4 * error)
    assert error < 0.1


DRAWN = [
    TABLE,
    LinearBeta(1e-4, 0.2),
    LinearBeta(1e-2, 0.5, T=10),
    LogNormal(),
    LogNormal(0.3, 1.5),
    Cosine(),
    Tabulated(),
    CosineBeta(),
    RectifiedFlow(),
]


@pytest.mark.parametrize("schedule", DRAWN, ids=repr)
def test_its_mean_over_the_draws_of_training_is_the_bound_on_any_schedule(schedule: Schedule):
    """Data N(0, 0.09) in 8 bits with their exact denoiser, in bits a dimension; the decoder's L_0 is a part of it."""
    decoder = DiscretisedGaussian()

    def data(n: int, key: str) -> torch.Tensor:
        return torch.round((0.3 * draw(n, 4, key=key)).clamp(-1, 1) * 127.5 + 127.5) / 127.5 - 1

    def denoise(x: torch.Tensor, log_snr: torch.Tensor) -> Prediction:
        level = like(log_snr, x)
        clean = alpha(level) * 0.09 / (alpha(level) ** 2 * 0.09 + sigma(level) ** 2) * x
        return replace(Prediction.from_x0(clean, x, log_snr), variance_mix=torch.full_like(x, 0.6))

    term, rounds = VarianceTerm(schedule, decoder), []
    for key in range(12):
        x0, noise = data(20_000, f"x{key}"), Noise.shared("rounds", key)
        l = schedule.draw(len(x0), noise)
        p = denoise(noised(x0, l, noise.normal(x0.shape)), l)
        assert p.variance_mix is not None
        rounds.append(term(x0, p.x0, p.variance_mix, l).mean().item())
    how = BoundSettings("learned", decoder, at=min(schedule.length - 1, 100))
    found = variational_bound(denoise, schedule.grid(schedule.length), data(3000, "bound"), Noise.shared(1), how)
    bound = found.steps + found.decoder
    error = math.hypot(torch.tensor(rounds).std().item() / 12**0.5, bound.std().item() / 3000**0.5)
    assert sum(rounds) / 12 == pytest.approx(bound.mean().item(), abs=4 * error + 0.01)
    assert error < 0.4


class Two(nn.Module):
    """F and G with one parameter each."""

    def __init__(self) -> None:
        super().__init__()
        self.mean, self.mix = nn.Parameter(torch.tensor(0.3)), nn.Parameter(torch.tensor(0.0))

    def forward(self, x: torch.Tensor, log_snr: torch.Tensor, cond: Condition) -> torch.Tensor:
        return torch.cat([self.mean * x, self.mix * torch.ones_like(x)], dim=1)


def gradients(weight: float, network: nn.Module | None = None) -> dict[str, float]:
    network = network or Two()
    config = DiffusionConfig(TABLE, Eps(), Simple(), vlb_weight=weight, likelihood=DECODER)
    Diffusion(network, config).loss(draw(64, 3, 4, 4), NOTHING, Noise.shared(2)).mean().backward()
    return {name: 0.0 if p.grad is None else p.grad.item() for name, p in network.named_parameters()}


def test_the_bound_teaches_the_variance_and_leaves_the_mean_alone():
    small, large = gradients(0.001), gradients(1.0)
    assert small["mean"] == large["mean"] != 0
    assert large["mix"] == pytest.approx(1000 * small["mix"], rel=1e-4)
    assert small["mix"] != 0


def test_the_hybrid_is_l_simple_plus_lambda_times_the_bound():
    x0, network = draw(8, 3, 4, 4), Two()
    both, lambda_0 = (
        Diffusion(n, DiffusionConfig(TABLE, Eps(), Simple(), vlb_weight=w, likelihood=DECODER)).loss(
            x0, NOTHING, Noise.shared(2)
        )
        for n, w in ((network, 0.5), (Function(lambda x, l, c: network(x, l, c)[:, :3]), 0.0))
    )
    noise = Noise.shared(2)
    l = TABLE.draw(8, noise)
    x = noised(x0, l, noise.normal(x0.shape))
    found = Denoiser(network, Eps(), learned_variance=True)(x, l, NOTHING)
    assert found.variance_mix is not None
    assert torch.equal(found.variance_mix, torch.full_like(x, 0.5))  # G = 0: halfway
    bits = VarianceTerm(TABLE, DECODER)(x0, found.x0, found.variance_mix, l)
    assert torch.allclose(both, lambda_0 + 0.5 * bits, rtol=1e-5)


def test_channels_that_do_not_fit_are_refused():
    x, l = draw(2, 3, 4, 4), torch.zeros(2)
    with pytest.raises(ValueError, match="6 channels for 3, expected 3"):
        Denoiser(Two(), Eps())(x, l, NOTHING)
    with pytest.raises(ValueError, match="3 channels for 3, expected 6.*vlb_weight"):
        Denoiser(Function(lambda x, l, c: x), Eps(), learned_variance=True)(x, l, NOTHING)


@pytest.mark.parametrize("schedule", [TABLE, Cosine(), Shifted(LinearBeta(T=50))], ids=lambda s: type(s).__name__)
def test_finite_at_and_beyond_both_ends(schedule: Schedule):
    levels = torch.cat([torch.tensor([-20.0, 20.0]), schedule(torch.linspace(0, 1, 301))])
    x0, mix = draw(303, 4), torch.full((303, 4), 0.5, requires_grad=True)
    found = VarianceTerm(schedule, DiffusionConfig().likelihood)(x0, draw(303, 4, key=1), mix, levels)
    (gradient,) = torch.autograd.grad(found.sum(), mix)
    assert torch.isfinite(found).all()
    assert torch.isfinite(gradient).all()


def test_learning_it_finds_the_true_variance():
    """Points of no spread leave the posterior's own beta-tilde: v goes to 0; the mean's part is exact."""

    class Exact(Two):
        def forward(self, x: torch.Tensor, log_snr: torch.Tensor, cond: Condition) -> torch.Tensor:
            return torch.cat([0.5 * torch.ones_like(x) + 0 * self.mean, self.mix * torch.ones_like(x)], dim=1)

    network = Exact()
    table = LinearBeta(1e-2, 0.5, T=10)
    diffusion = Diffusion(network, DiffusionConfig(table, X0(), Simple(), vlb_weight=1.0, likelihood=DECODER))
    optimiser = torch.optim.Adam(network.parameters(), lr=0.1)
    for step in range(60):
        optimiser.zero_grad()
        diffusion.loss(torch.full((64, 1), 0.5), NOTHING, Noise.shared(step)).mean().backward()
        optimiser.step()
    assert (network.mix.item() + 1) / 2 < 0.1
