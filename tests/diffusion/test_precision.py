"""Float32 and bf16 at both ends: whatever is chosen together stays finite and monotone from log-SNR -20 to 20."""

import itertools

import pytest
import torch
from tests.diffusion.test_schedules import WIDE
from tests.fakes import NOTHING, Function, draw, family

from unclip.core.condition import Condition
from unclip.core.noise import Noise
from unclip.diffusion.denoiser import Denoiser, within
from unclip.diffusion.grids import UniformLogSNR, ends
from unclip.diffusion.level import alpha, forgotten, noised, sigma
from unclip.diffusion.likelihood import (
    RK4,
    BoundSettings,
    FlowSettings,
    GaussianDensity,
    continuous_bound,
    flow_bits,
    variational_bound,
)
from unclip.diffusion.losses import ErrorForm, LevelSampling, Squared
from unclip.diffusion.parameterization import Parameterization
from unclip.diffusion.process import Diffusion, DiffusionConfig
from unclip.diffusion.schedules import Schedule, Tabulated
from unclip.diffusion.weighting import Weighting

SCHEDULES = [pytest.param(s, id=str(s)[:60]) for s in (*(m() for m in family(Schedule)), *WIDE)]
PARAMETERIZATIONS = [pytest.param(m(), id=m.__name__) for m in family(Parameterization)]
LEVELS = torch.linspace(-20, 20, 81)
FULL = Tabulated((20.0, -20.0))


def half(x: torch.Tensor, log_snr: torch.Tensor, cond: Condition) -> torch.Tensor:
    """A network that works in bf16 and depends on all that it is given."""
    level = log_snr.view(-1, *[1] * (x.dim() - 1))
    return torch.sin(2 * x.bfloat16() + level.bfloat16() / 10)


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_every_schedule_falls_and_so_does_what_is_made_of_it(schedule: Schedule):
    levels = schedule(torch.linspace(0, 1, 1001))
    grid = UniformLogSNR()(schedule, 6)
    c = forgotten(grid[:-1], grid[1:])
    assert levels.dtype == torch.float32
    for falling in (levels, alpha(levels), -sigma(levels)):
        assert torch.isfinite(falling).all()
        assert (falling.diff() <= 0).all()
    assert (c > 0).all()
    assert (c <= 1).all()


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
@pytest.mark.parametrize("member", family(Weighting), ids=lambda m: m.__name__)
def test_every_weighting_is_finite_and_positive(member: type[Weighting], dtype: torch.dtype):
    weights = member()(LEVELS.to(dtype))
    assert torch.isfinite(weights).all()
    assert (weights > 0).all()
    assert (weights.diff() <= 0).all()  # none counts an error of eps more where there is less noise
    drawn = member().weight_of_sample(LEVELS, FULL)
    assert torch.isfinite(drawn).all()
    assert (drawn[1:-1] > 0).all()


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
@pytest.mark.parametrize("p", PARAMETERIZATIONS)
def test_every_denoiser_is_finite(p: Parameterization, dtype: torch.dtype):
    x0, eps = draw(81, 6), draw(81, 6, key="eps")
    x = noised(x0, LEVELS, eps).to(dtype)
    denoiser = Denoiser(Function(half), p)
    found = within(lambda x, l: denoiser(x, l, NOTHING), 1.0)(x, LEVELS)
    for value in (found.x0, found.eps):
        assert value.dtype == torch.float32
        assert torch.isfinite(value).all()


@pytest.mark.parametrize("p", PARAMETERIZATIONS)
def test_every_scaling_is_monotone(p: Parameterization):
    """c_skip may rise and fall once (EDM's does not for std below 1); c_out keeps its sign and c_in its order."""
    c_skip, c_out = p.scalings(LEVELS)
    assert torch.isfinite(torch.stack([c_skip, c_out, p.input_scale(LEVELS)])).all()
    assert (c_out.sign() == c_out[0].sign()).all()
    assert (c_out.abs().diff() <= 1e-6 * c_out.abs()[1:]).all()  # the cleaner, the less the network has to say


LOSSES = list(itertools.product(family(Weighting), family(Parameterization)))


@pytest.mark.parametrize("weighting, p", LOSSES, ids=lambda m: m.__name__)
def test_every_loss_and_its_gradient_are_finite(weighting: type[Weighting], p: type[Parameterization]):
    scale = torch.ones((), requires_grad=True)
    network = Function(lambda x, log_snr, cond: half(x, log_snr, cond) * scale)
    x0 = draw(32, 6).clamp(-1, 1)
    loss = Diffusion(network, DiffusionConfig(FULL, p(), weighting())).loss(x0, NOTHING, Noise.shared(0))
    (gradient,) = torch.autograd.grad(loss.mean(), scale)
    assert loss.dtype == torch.float32
    assert torch.isfinite(loss).all()
    assert torch.isfinite(gradient)


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_every_schedule_trains_and_is_judged(schedule: Schedule):
    x0 = (draw(16, 6).clamp(-1, 1) * 127.5 + 127.5).round() / 127.5 - 1
    loss = Diffusion(Function(half), DiffusionConfig(schedule)).loss(x0, NOTHING, Noise.shared(0))
    denoiser = Denoiser(Function(half), DiffusionConfig().parameterization)
    denoise = within(lambda x, l: denoiser(x, l, NOTHING), 1.0)
    discrete = variational_bound(denoise, UniformLogSNR()(schedule, 6), x0, Noise.shared(0))
    flowing = continuous_bound(denoise, ends(schedule), x0, Noise.shared(0), n=6)
    for bound in (discrete, flowing):
        for part in (bound.terminal, bound.kl, bound.decoder, bound.mse):
            assert torch.isfinite(part).all()
        assert (bound.kl >= 0).all()
        assert (bound.decoder >= 0).all()
    assert torch.isfinite(loss).all()


@pytest.mark.parametrize("p", PARAMETERIZATIONS)
def test_every_parameterization_has_a_likelihood(p: Parameterization):
    x0 = draw(4, 6)
    smooth = Denoiser(Function(lambda x, l, cond: torch.tanh(x)), p)
    denoise = lambda x, l: smooth(x, l, NOTHING)  # noqa: E731
    flow = flow_bits(denoise, (-20.0, 20.0), x0, Noise.shared(0), FlowSettings(RK4(40)))
    bound = variational_bound(denoise, FULL.grid(8), x0, Noise.shared(0), BoundSettings(decoder=GaussianDensity()))
    assert torch.isfinite(flow.bits).all()
    assert torch.isfinite(bound.total).all()


@pytest.mark.parametrize("sampling", family(LevelSampling), ids=lambda m: m.__name__)
@pytest.mark.parametrize("form", family(ErrorForm), ids=lambda m: m.__name__)
def test_every_form_and_sampling_of_the_loss(form: type[ErrorForm], sampling: type[LevelSampling]):
    config = DiffusionConfig(FULL, error=form(), levels=sampling(), uncertainty=8)
    loss = Diffusion(Function(half), config).loss(draw(16, 6), NOTHING, Noise.shared(0))
    assert torch.isfinite(loss).all()


def test_settings_survive_a_file():
    for form, sampling, weighting in itertools.product(family(ErrorForm), family(LevelSampling), family(Weighting)):
        config = DiffusionConfig(
            weighting=weighting(), error=form(), levels=sampling(), uncertainty=3, vlb_weight=0.001
        )
        assert DiffusionConfig.from_dict(config.to_dict()) == config
    assert DiffusionConfig.from_dict({}) == DiffusionConfig(error=Squared())


@pytest.mark.parametrize("name, value", [("uncertainty", -1), ("vlb_weight", -0.5)])
def test_impossible_settings_are_refused(name: str, value: float):
    with pytest.raises(ValueError, match=f"{name} = {value}"):
        DiffusionConfig(**{name: value})  # pyright: ignore[reportArgumentType]
