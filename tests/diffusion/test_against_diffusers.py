"""Step by step the same states as the schedulers of `diffusers`, given the same outputs and the same noise.

Run as `python -m tests.diffusion.test_against_diffusers`, it prints the table of the documentation: the worst
difference of any element at any step.
"""

import pytest
import torch
from diffusers import DDIMScheduler, DDPMScheduler, DPMSolverMultistepScheduler
from tests.fakes import draw

from unclip.core.noise import Noise
from unclip.diffusion.denoiser import Prediction
from unclip.diffusion.level import alpha, sigma
from unclip.diffusion.samplers import DDIM, Ancestral, DPMSolverPP2M, Sampler
from unclip.diffusion.schedules import LinearBeta

TABLE = LinearBeta()
WORST = 1e-4
LINEAR = {"beta_start": 1e-4, "beta_end": 0.02, "beta_schedule": "linear", "timestep_spacing": "trailing"}
CLIP = {"clip_sample": False}


def output(x: torch.Tensor, log_snr: torch.Tensor) -> torch.Tensor:
    """A made-up network: the exact eps of unit Gaussian data, bent a little."""
    return sigma(log_snr) * x + 0.1 * torch.sin(3 * x + log_snr)


def denoise(x: torch.Tensor, log_snr: torch.Tensor) -> Prediction:
    eps = output(x, log_snr)
    return Prediction((x - sigma(log_snr) * eps) / alpha(log_snr), eps)


def worst(sampler: Sampler, scheduler, steps: int, last: bool = True, **how: object) -> float:
    """The largest difference between the two paths, each walked with its own states."""
    noise, start = Noise.shared("path"), draw(4, 3, 8, 8, key="start")
    twin = {k: torch.Generator().manual_seed(noise.seeds[0]) for k in ("generator",) if how.pop("noisy", False)}
    scheduler.set_timesteps(steps)
    x, found = start, 0.0
    ours = list(sampler(denoise, start, TABLE.grid(steps), noise))
    for t, step in zip(scheduler.timesteps, ours, strict=True):
        x = scheduler.step(output(x, TABLE.table[t].float()), t, x, **twin, **how).prev_sample
        if last or step is not ours[-1]:
            found = max(found, (x - step.x).abs().max().item())
    return found


def ddpm(ours: str, theirs: str, steps: int, precise: bool) -> float:
    scheduler = DDPMScheduler(1000, variance_type=theirs, **LINEAR, **CLIP)  # pyright: ignore
    if precise:
        scheduler.betas, scheduler.alphas_cumprod = TABLE.betas, torch.cumprod(1 - TABLE.betas, 0)
    noisy_end = theirs == "fixed_large" and steps < 1000
    return worst(Ancestral(ours), scheduler, steps, last=not noisy_end, noisy=True)  # pyright: ignore


@pytest.mark.parametrize("steps", [1000, 250, 50, 10])
@pytest.mark.parametrize("ours, theirs", [("beta_tilde", "fixed_small"), ("beta", "fixed_large")])
def test_ddpm(ours: str, theirs: str, steps: int):
    """At fewer than T steps diffusers adds noise of variance 1 - alpha-bar after fixed_large's last step; we do not.

    At 1000 steps diffusers' float32 table shows: its 1 - alpha-bar of the first steps is rounded by 6e-4 of itself.
    """
    assert ddpm(ours, theirs, steps, precise=True) <= WORST
    assert ddpm(ours, theirs, steps, precise=False) <= (3e-4 if steps == 1000 else WORST)


@pytest.mark.parametrize("steps", [1000, 100, 50, 10])
def test_ddim(steps: int):
    scheduler = DDIMScheduler(1000, set_alpha_to_one=True, **LINEAR, **CLIP)  # pyright: ignore
    assert worst(DDIM(), scheduler, steps, eta=0.0) <= WORST


@pytest.mark.parametrize("steps", [100, 50, 10])
def test_ddim_with_noise(steps: int):
    scheduler = DDIMScheduler(1000, set_alpha_to_one=True, **LINEAR, **CLIP)  # pyright: ignore
    assert worst(DDIM(eta=0.7), scheduler, steps, eta=0.7, noisy=True) <= WORST


@pytest.mark.parametrize("steps", [100, 50, 20, 10])
def test_dpm_solver(steps: int):
    scheduler = DPMSolverMultistepScheduler(  # pyright: ignore
        1000, algorithm_type="dpmsolver++", solver_order=2, solver_type="midpoint", lower_order_final=True, **LINEAR
    )
    assert worst(DPMSolverPP2M(), scheduler, steps) <= WORST


def test_the_comparison_can_fail():
    scheduler = DDIMScheduler(1000, set_alpha_to_one=True, **LINEAR, **CLIP)  # pyright: ignore
    assert worst(DPMSolverPP2M(), scheduler, 10) > 10 * WORST


@pytest.mark.parametrize("steps", [3, 7, 30, 50, 999])
def test_timesteps_are_the_trailing_ones(steps: int):
    scheduler = DDPMScheduler(1000, **LINEAR)  # pyright: ignore
    scheduler.set_timesteps(steps)
    assert torch.equal(TABLE.grid(steps)[:-1], TABLE.table[scheduler.timesteps].float())


if __name__ == "__main__":  # the figures of the documentation: python -m tests.diffusion.test_against_diffusers
    SMALL, LARGE = (DDPMScheduler(1000, variance_type=v, **LINEAR, **CLIP) for v in ("fixed_small", "fixed_large"))
    DETERMINISTIC, SOLVER = DDIMScheduler(1000, **LINEAR, **CLIP), DPMSolverMultistepScheduler(1000, **LINEAR)
    for count in (1000, 50):
        print(f"DDPM fixed_small  {count:5} steps: {worst(Ancestral('beta_tilde'), SMALL, count, noisy=True):.1e}")
    print(f"DDPM fixed_large   1000 steps: {worst(Ancestral('beta'), LARGE, 1000, noisy=True):.1e}")
    print(f"DDPM fixed_large     50 steps: {worst(Ancestral('beta'), LARGE, 50, last=False, noisy=True):.1e}")
    for count in (1000, 50, 10):
        print(f"DDIM eta 0        {count:5} steps: {worst(DDIM(), DETERMINISTIC, count, eta=0.0):.1e}")
    print(f"DDIM eta 0.7         50 steps: {worst(DDIM(0.7), DETERMINISTIC, 50, eta=0.7, noisy=True):.1e}")
    for count in (50, 20, 10):
        print(f"DPM-Solver++ 2M   {count:5} steps: {worst(DPMSolverPP2M(), SOLVER, count):.1e}")
