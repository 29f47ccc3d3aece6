"""Diffusion.sample: what it yields and what it leaves alone."""

import math

import pytest
import torch
from tests.fakes import NOTHING, Function, GaussianData, Recorded, draw, samplers
from torch import nn

from unclip.core.condition import Condition
from unclip.core.noise import Noise
from unclip.diffusion.guidance import ClassifierFree, Unguided
from unclip.diffusion.parameterization import X0, Eps, V
from unclip.diffusion.process import Diffusion, DiffusionConfig, Sampling
from unclip.diffusion.samplers import DDIM, Sampler
from unclip.diffusion.schedules import Cosine, LinearBeta, LogNormal, ZeroTerminalSNR


class Exact(nn.Module):
    """The posterior mean of Gaussian data, as an x0-network."""

    def __init__(self) -> None:
        super().__init__()
        self.unused = nn.Parameter(torch.ones(1))

    def forward(self, x: torch.Tensor, log_snr: torch.Tensor, cond: Condition) -> torch.Tensor:
        return GaussianData().denoise(x, log_snr[:1]).x0 * self.unused


def process(network: nn.Module | None = None) -> Diffusion:
    return Diffusion(network or Exact(), DiffusionConfig(Cosine(), X0()))


HOW = Sampling(steps=40, sampler=DDIM(), guidance=Unguided())


def test_samples_follow_the_data():
    steps = list(process().sample((20_000, 1), NOTHING, NOTHING, Noise.shared(0), HOW))
    assert len(steps) == 40
    assert steps[-1].log_snr == math.inf
    assert steps[-1].x.mean().item() == pytest.approx(0.7, abs=0.02)
    assert steps[-1].x.std().item() == pytest.approx(0.5, abs=0.03)


def test_the_grid_is_the_processes_own_unless_another_is_asked_for():
    def levels(how: Sampling) -> torch.Tensor:
        return torch.stack([s.log_snr for s in process().sample((1, 2), NOTHING, NOTHING, Noise.shared(0), how)])

    assert torch.equal(levels(HOW), Cosine().grid(40)[1:])
    assert torch.equal(levels(Sampling(5, DDIM(), Unguided(), LogNormal())), LogNormal().grid(5)[1:])


def test_no_gradients_inside_and_the_callers_mode_outside():
    """A generator must not leave its `no_grad` on while it waits."""
    steps = process().sample((1, 2), NOTHING, NOTHING, Noise.shared(0), HOW)
    first = next(steps)
    assert torch.is_grad_enabled()
    assert not first.x.requires_grad
    steps.close()
    assert torch.is_grad_enabled()


@pytest.mark.parametrize("sampler", samplers(), ids=lambda s: type(s).__name__)
def test_same_seed_same_sample_alone_and_in_a_batch(sampler: Sampler):
    cond = Condition(vector=draw(3, 1))

    def run(index: list[int]) -> torch.Tensor:
        part = cond.map(lambda t: t[index])
        null = part.map(torch.zeros_like)
        noise, how = Noise.per_sample([100 + i for i in index]), Sampling(8, sampler, ClassifierFree(2.0))
        *_, end = process(Recorded()).sample((len(index), 3, 4, 4), part, null, noise, how)
        return end.x

    assert torch.allclose(run([0, 1, 2])[2], run([2])[0], atol=1e-5)


def test_eps_and_zero_terminal_snr_are_refused():
    with pytest.raises(ValueError, match=r"Eps\(\): at log-SNR -29.*take V, X0 or EDM"):
        DiffusionConfig(ZeroTerminalSNR(), Eps())
    DiffusionConfig(ZeroTerminalSNR(), V())
    model = Diffusion(Recorded(), DiffusionConfig(LinearBeta(), Eps()))
    how = Sampling(5, DDIM(), Unguided(), schedule=ZeroTerminalSNR())
    with pytest.raises(ValueError, match="times the network's error"):
        next(model.sample((1, 2), NOTHING, NOTHING, Noise.shared(0), how))


@pytest.mark.parametrize(
    "told, null, scale, guided", [(0.8, 1.6, 2.0, 0.0), (1.4, 1.2, 2.0, 1.0), (1.4, 1.2, 1.0, 1.0)]
)
def test_the_limit_comes_after_guidance(told: float, null: float, scale: float, guided: float):
    """n + w (c - n) of what the network says, also where it leaves the range, and only then the clamp (GLIDE)."""
    network = Function(lambda x, log_snr, cond: cond.vector[:, :1].expand_as(x))  # pyright: ignore
    model = Diffusion(network, DiffusionConfig(Cosine(), X0(), limit=1.0))
    cond, none = (Condition(vector=torch.full((3, 1), v)) for v in (told, null))
    how = Sampling(4, DDIM(), ClassifierFree(scale))
    for step in model.sample((3, 2), cond, none, Noise.shared(0), how):
        assert torch.allclose(step.x0, torch.full((3, 2), guided), atol=1e-6)


def test_only_what_counts_is_in_the_loss():
    x0 = draw(4, 3, 8, 8)
    hidden = (torch.arange(8) >= 4).float().expand(4, 1, 8, 8)
    plain, half, none, all_ = (
        process(Zero()).loss(x0, NOTHING, Noise.shared(0), counts)
        for counts in (None, hidden, torch.zeros(4, 1, 8, 8), torch.ones(4, 1, 8, 8))
    )
    other = process(Zero()).loss(torch.where(hidden == 1, x0, 9.0), NOTHING, Noise.shared(0), hidden)
    assert torch.equal(plain, all_) and not none.any()
    assert torch.equal(half, other), "an error where nothing counts was counted"
    rest = process(Zero()).loss(x0, NOTHING, Noise.shared(0), 1 - hidden)
    torch.testing.assert_close(half + rest, plain)


class Zero(nn.Module):
    """Says that the clean data are zero."""

    def __init__(self) -> None:
        super().__init__()
        self.unused = nn.Parameter(torch.zeros(1))

    def forward(self, x: torch.Tensor, log_snr: torch.Tensor, cond: Condition) -> torch.Tensor:
        return x * self.unused
