"""Step by step the same states as the schedulers of `diffusers`, given the same outputs and the same noise.

The figures in WORST are those of the table in the documentation: the worst difference of any element at any step.
"""

from collections.abc import Callable

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


@pytest.mark.parametrize("steps", [1000, 250, 50, 10])
@pytest.mark.parametrize("ours, theirs", [("beta_tilde", "fixed_small"), ("beta", "fixed_large")])
def test_ddpm(ours: str, theirs: str, steps: int):
    """At fewer than T steps diffusers adds noise of variance 1 - alpha-bar after fixed_large's last step; we do not."""
    scheduler = DDPMScheduler(1000, variance_type=theirs, **LINEAR, **CLIP)  # pyright: ignore
    noisy_end = theirs == "fixed_large" and steps < 1000
    difference = worst(Ancestral(ours), scheduler, steps, last=not noisy_end, noisy=True)  # pyright: ignore
    assert difference <= WORST


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
    ROWS: dict[str, tuple[Sampler, Callable, dict, list[int]]] = {
        "DDPM fixed_small": (Ancestral("beta_tilde"), lambda: DDPMScheduler(1000, variance_type="fixed_small", **LINEAR, **CLIP), {"noisy": True}, [1000, 50]),  # noqa: E501
        "DDPM fixed_large": (Ancestral("beta"), lambda: DDPMScheduler(1000, variance_type="fixed_large", **LINEAR, **CLIP), {"noisy": True}, [1000]),  # noqa: E501
        "DDIM eta 0": (DDIM(), lambda: DDIMScheduler(1000, **LINEAR, **CLIP), {"eta": 0.0}, [1000, 50, 10]),
        "DDIM eta 0.7": (DDIM(0.7), lambda: DDIMScheduler(1000, **LINEAR, **CLIP), {"eta": 0.7, "noisy": True}, [50]),
        "DPM-Solver++ 2M": (DPMSolverPP2M(), lambda: DPMSolverMultistepScheduler(1000, **LINEAR), {}, [50, 20, 10]),
    }
    for name, (sampler, make, how, counts) in ROWS.items():
        for count in counts:
            print(f"{name:18} {count:5} steps: {worst(sampler, make(), count, **how):.1e}")
