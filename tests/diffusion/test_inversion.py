"""From an image to its noise and back."""

import diffusers
import pytest
import torch
from tests.diffusion.test_against_diffusers import CLIP, TABLES, TRAILING, Ours, output
from tests.fakes import GaussianData, MixtureData, draw

from unclip.core.noise import Noise
from unclip.diffusion.samplers import DDIM, DDIMInversion
from unclip.diffusion.schedules import Cosine, LinearBeta

GAUSS, MIXTURE = GaussianData(mean=0.7, std=0.5), MixtureData()


def end(steps) -> torch.Tensor:
    *_, last = steps
    return last.x


@pytest.mark.parametrize("data, steps", [(GAUSS, 10), (GAUSS, 20), (MIXTURE, 20), (MIXTURE, 40)])
def test_there_and_back(data: GaussianData | MixtureData, steps: int):
    """One evaluation a step nearly returns; iterated to the end, DDIM returns what was put in, if steps are small."""
    grid = torch.cat([torch.linspace(-8, 8, steps), torch.tensor([torch.inf])]).double()
    x0, errors = torch.linspace(-1.5, 1.5, 13, dtype=torch.float64), []
    for iterations in (1, 3, 60):
        x = end(DDIMInversion(iterations)(data.denoise, x0, grid))
        errors.append((end(DDIM()(data.denoise, x, grid, Noise.shared(0))) - x0).abs().max().item())
    assert errors[2] < 1e-8
    assert errors[1] < 0.7 * errors[0]
    assert errors[0] < 0.9


@pytest.mark.parametrize("data", [GAUSS, MIXTURE], ids=["Gaussian", "mixture"])
def test_it_is_the_flow_backwards(data: GaussianData | MixtureData):
    """Of first order, to the exact map from data to noise."""
    x0, errors = torch.linspace(-1.2, 1.2, 9, dtype=torch.float64), []
    for steps in (200, 400, 800):
        grid = torch.linspace(-12, 12, steps + 1, dtype=torch.float64)
        errors.append((end(DDIMInversion()(data.denoise, x0, grid)) - data.flow(x0, grid[-1], grid[0])).abs().max())
    assert errors[0] / errors[1] == pytest.approx(2, abs=0.2)
    assert errors[1] / errors[2] == pytest.approx(2, abs=0.2)


def test_samples_of_the_data_become_standard_normal():
    x0 = GAUSS.mean + GAUSS.std * draw(20_000)
    x = end(DDIMInversion()(GAUSS.denoise, x0, Cosine().grid(200)))
    assert x.mean().item() == pytest.approx(0, abs=0.03)
    assert x.std().item() == pytest.approx(1, rel=0.03)


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("steps", [50, 20, 10])
def test_same_states_as_diffusers(table: str, steps: int):
    """One evaluation, eps: their other kinds turn the output into eps at the cleaner level, where it was not made."""
    levels, options = TABLES[table]
    scheduler = diffusers.DDIMInverseScheduler(1000, **TRAILING, **CLIP, **options)
    scheduler.alphas_cumprod = levels.log_alpha_bar.exp()
    scheduler.set_timesteps(steps)
    entries = levels.table[scheduler.timesteps]
    grid = torch.cat([entries.flip(0), torch.tensor([torch.inf])])
    x = draw(2, 3, 8, 8).double() / 2
    for t, ours in zip(scheduler.timesteps, DDIMInversion()(Ours("epsilon"), x, grid), strict=True):
        x = scheduler.step(output(x, levels.table[t], "epsilon"), t, x).prev_sample
        assert torch.allclose(ours.x, x, atol=1e-6)


def test_every_step_is_told():
    grid = LinearBeta().grid(6)
    found = list(DDIMInversion()(GAUSS.denoise, draw(2, 3), grid))
    assert torch.equal(torch.stack([s.log_snr for s in found]), grid[:-1].flip(0))
    assert {s.x.dtype for s in found} == {torch.float32}


def test_bad_settings_and_grids_are_refused():
    with pytest.raises(ValueError, match="iterations = 0"):
        DDIMInversion(0)
    with pytest.raises(ValueError, match="must rise"):
        DDIMInversion()(GAUSS.denoise, draw(2, 3), Cosine().grid(5).flip(0))
