"""On a device that is not the CPU and has no float64 (Apple's GPUs): the same numbers, nothing left behind."""

import pytest
import torch
from tests.fake_device import GPU, Fake, fake_gpu, moved
from tests.fakes import NOTHING, draw, family, unet

from unclip.core.noise import Noise
from unclip.core.slerp import slerp
from unclip.diffusion.guidance import ClassifierFree
from unclip.diffusion.likelihood import BoundSettings, variational_bound
from unclip.diffusion.losses import LossAware
from unclip.diffusion.parameterization import Eps
from unclip.diffusion.process import Diffusion, DiffusionConfig, Sampling
from unclip.diffusion.samplers import DDIM, Ancestral, DPMSolverPP2M, Heun, Sampler, UniPC
from unclip.diffusion.schedules import LinearBeta, LogNormal, Schedule
from unclip.diffusion.weighting import Simple, VariationalBound


def same(there: torch.Tensor, here: torch.Tensor) -> None:
    assert isinstance(there, Fake)
    assert there.dtype == here.dtype
    assert torch.allclose(there.held, here, atol=1e-5, rtol=1e-4)


def test_the_device_refuses_what_a_real_one_refuses():
    with fake_gpu():
        x = torch.ones(3, device="meta")
        assert x.device == GPU and (x + 1).device == GPU and x.cpu().device.type == "cpu"
        with pytest.raises(TypeError, match="float64"):
            x.double()
        with pytest.raises(RuntimeError, match="one device"):
            x + torch.ones(3)
        with pytest.raises(TypeError, match="float64"):
            torch.zeros(3, dtype=torch.float64, device="meta")


@pytest.mark.parametrize("schedule", [pytest.param(m(), id=m.__name__) for m in family(Schedule)])
def test_levels(schedule: Schedule):
    here = schedule.draw(8, Noise.shared(1))
    with fake_gpu():
        same(schedule.draw(8, Noise.shared(1, device="meta")), here)
        same(schedule.grid(5, "meta"), schedule.grid(5))
        same(schedule(torch.linspace(0, 1, 5, device="meta")), schedule(torch.linspace(0, 1, 5)))


CONFIGS = {
    "edm": DiffusionConfig(),
    "hybrid": DiffusionConfig(LinearBeta(), Eps(), Simple(), vlb_weight=0.001),
    "loss-aware": DiffusionConfig(LogNormal(), levels=LossAware(bins=4, keep=1), uncertainty=4),
    "bound": DiffusionConfig(LinearBeta(), Eps(), VariationalBound()),
}


def eight_bits() -> torch.Tensor:
    return ((draw(2, 3, 16, 16).clamp(-1, 1) + 1) * 127.5).round() / 127.5 - 1


def network(config: DiffusionConfig) -> torch.nn.Module:
    return unet(learned_variance=True) if config.vlb_weight else unet()


@pytest.mark.parametrize("name", CONFIGS)
def test_a_loss_and_its_gradients(name: str):
    config = CONFIGS[name]
    here, there = (Diffusion(network(config), config) for _ in range(2))
    x0 = eight_bits()
    loss = here.loss(x0, NOTHING, Noise.shared(1))
    loss.mean().backward()
    with fake_gpu():
        moved(there)
        other = there.loss(x0.to("meta"), NOTHING, Noise.shared(1, device="meta"))
        same(other.detach(), loss.detach())
        other.mean().backward()
    for mine, its in zip(here.parameters(), there.parameters(), strict=True):
        assert (mine.grad is None) == (its.grad is None)


SAMPLERS = [Ancestral(), DDIM(), DPMSolverPP2M(), Heun(), UniPC()]


@pytest.mark.parametrize("sampler", SAMPLERS, ids=lambda s: type(s).__name__)
def test_samples(sampler: Sampler):
    how = Sampling(steps=4, sampler=sampler, guidance=ClassifierFree(1.0))
    here, there = (Diffusion(unet(), DiffusionConfig()) for _ in range(2))
    *_, a = here.sample((2, 3, 16, 16), NOTHING, NOTHING, Noise.per_sample([1, 2]), how)
    with fake_gpu(), torch.no_grad():
        moved(there)
        *_, b = there.sample((2, 3, 16, 16), NOTHING, NOTHING, Noise.per_sample([1, 2], "meta"), how)
        same(b.x, a.x)


def test_the_bound():
    diffusion = Diffusion(unet(), DiffusionConfig(LinearBeta(), Eps(), Simple()))
    x0 = eight_bits()
    with fake_gpu(), torch.no_grad():
        moved(diffusion)
        found = variational_bound(
            lambda x, l: diffusion.denoiser(x, l, NOTHING),
            LinearBeta().grid(10, "meta"),
            x0.to("meta"),
            Noise.shared(0, device="meta"),
            BoundSettings(at=3),
        )
        assert torch.isfinite(found.total.cpu()).all()
        assert isinstance(found.total, Fake)


def test_slerp():
    a, b = draw(2, 8), draw(2, 8, key=1)
    with fake_gpu():
        same(slerp(a.to("meta"), b.to("meta"), 0.3), slerp(a, b, 0.3))
