"""Step by step the same states as the schedulers of `diffusers`, given the same outputs and the same noise.

Run as `python -m tests.diffusion.test_against_diffusers`, it prints the table of docs/samplers.md: the worst
difference of any element at any step, over networks that predict eps, x0 and v.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import diffusers
import numpy as np
import pytest
import torch
from tests.fakes import draw

from unclip.core.noise import Noise
from unclip.diffusion.denoiser import Prediction
from unclip.diffusion.level import alpha, sigma
from unclip.diffusion.parameterization import X0, Eps, Parameterization, V
from unclip.diffusion.samplers import (
    DDIM,
    DEIS,
    IPNDM,
    LMS,
    Ancestral,
    DDIMInversion,
    DPMSolverPP2M,
    DPMSolverPP2S,
    DPMSolverPP3M,
    Euler,
    Heun,
    RePaint,
    Sampler,
    UniPC,
)
from unclip.diffusion.schedules import CosineBeta, LinearBeta, ScaledLinearBeta
from unclip.diffusion.schedules.tables import BetaTable

WORST = 1e-4
TABLES: dict[str, tuple[BetaTable, dict]] = {
    "linear": (LinearBeta(), {"beta_start": 1e-4, "beta_end": 0.02, "beta_schedule": "linear"}),
    "scaled_linear": (ScaledLinearBeta(), {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear"}),
    "cosine": (CosineBeta(), {"beta_schedule": "squaredcos_cap_v2"}),
}
KINDS: dict[str, Parameterization] = {"epsilon": Eps(), "sample": X0(), "v_prediction": V()}
COUNTS = (50, 20, 10)


def bent(x: torch.Tensor, log_snr: torch.Tensor) -> Prediction:
    """A made-up network: the exact answer for unit Gaussian data, bent a little where it can be told."""
    bend = 0.1 * torch.sin(3 * x + log_snr)
    return Prediction(alpha(log_snr) * x - sigma(log_snr) * bend, sigma(log_snr) * x + alpha(log_snr) * bend)


def mix(x: torch.Tensor) -> torch.Tensor:
    """What it says about the variance."""
    return torch.sigmoid(2 * x)


def output(x: torch.Tensor, log_snr: torch.Tensor, kind: str) -> torch.Tensor:
    """The same network as one that predicts eps, x0 or v."""
    p = bent(x, log_snr)
    v = alpha(log_snr) * p.eps - sigma(log_snr) * p.x0
    return {"epsilon": p.eps, "sample": p.x0, "v_prediction": v}[kind]


@dataclass
class Ours:
    """The denoiser of a network of some kind, through our parameterisation."""

    kind: str

    def __call__(self, x: torch.Tensor, log_snr: torch.Tensor) -> Prediction:
        c_skip, c_out = KINDS[self.kind].scalings(log_snr)
        p = Prediction.from_x0(c_skip * x + c_out * output(x, log_snr, self.kind), x, log_snr)
        return Prediction(p.x0, p.eps, mix(x))


@dataclass(frozen=True)
class Peer:
    """Our sampler, the scheduler of diffusers that it should equal, and how that one is called."""

    name: str
    sampler: Sampler
    theirs: str
    options: dict = field(default_factory=dict)
    step: dict = field(default_factory=dict)
    kinds: Sequence[str] = tuple(KINDS)
    noisy: bool = False
    exploding: bool = False  # their state is x/alpha
    last: bool = True  # whether the step to +inf is the same

    def scheduler(self, table: str, kind: str, steps: int, exact: bool):
        """Set up for so many steps. exact: with our table and levels in the place of its own in float32."""
        levels, options = TABLES[table]
        options = {"prediction_type": kind, **({} if self.theirs in FIXED_SPACING else TRAILING), **options, **self.options}
        made = getattr(diffusers, self.theirs)(1000, **options)
        if exact and hasattr(made, "alphas_cumprod"):
            made.betas, made.alphas_cumprod = levels.betas, levels.log_alpha_bar.exp()
        made.set_timesteps(steps)
        if isinstance(self.sampler, IPNDM):  # that class knows no tables; it is given ours
            made.timesteps = torch.from_numpy((1000 - 1000 / steps * np.arange(steps)).round()).long() - 1
            made.alphas, made.betas = alpha(grid_of(self, levels, made)), sigma(grid_of(self, levels, made))
        elif exact and hasattr(made, "sigmas"):
            made.sigmas = made.sigmas.double()
            made.sigmas[: len(made.timesteps)] = torch.exp(-levels.table[made.timesteps.long()] / 2)
        return made


TRAILING = {"timestep_spacing": "trailing"}
FIXED_SPACING = ("DPMSolverSinglestepScheduler", "IPNDMScheduler")
CLIP = {"clip_sample": False}
SDE = {"algorithm_type": "sde-dpmsolver++"}
THIRD = {"solver_order": 3, "lower_order_final": False}
PEERS = [
    Peer("DDPM, beta-tilde", Ancestral("beta_tilde"), "DDPMScheduler", {"variance_type": "fixed_small", **CLIP}, noisy=True),
    # below T steps theirs adds noise of variance 1 - alpha-bar after the last step, where nothing is left to add
    Peer("DDPM, beta", Ancestral("beta"), "DDPMScheduler", {"variance_type": "fixed_large", **CLIP}, noisy=True, last=False),
    Peer("DDPM, learned", Ancestral("learned"), "DDPMScheduler", {"variance_type": "learned_range", **CLIP}, noisy=True, last=False),
    Peer("DDIM, eta 0", DDIM(), "DDIMScheduler", CLIP, {"eta": 0.0}),
    Peer("DDIM, eta 0.7", DDIM(0.7), "DDIMScheduler", CLIP, {"eta": 0.7}, noisy=True),
    Peer("DDIM, eta 1", DDIM(1.0), "EulerAncestralDiscreteScheduler", kinds=("epsilon", "v_prediction"), noisy=True, exploding=True),
    Peer("Euler", Euler(), "EulerDiscreteScheduler", exploding=True),
    Peer("Heun", Heun(), "HeunDiscreteScheduler", exploding=True),
    Peer("DPM-Solver++ 2M", DPMSolverPP2M(), "DPMSolverMultistepScheduler"),
    Peer("DPM-Solver++ 2M SDE", DPMSolverPP2M(1.0), "DPMSolverMultistepScheduler", SDE, noisy=True),
    Peer("DPM-Solver++ 3M, halved", DPMSolverPP3M(halved=True), "DPMSolverMultistepScheduler", THIRD),
    Peer("DPM-Solver++ 2S", DPMSolverPP2S(), "DPMSolverSinglestepScheduler", {"solver_order": 2}),
    Peer("UniPC-1, bh1", UniPC(1, "bh1"), "UniPCMultistepScheduler", {"solver_order": 1, "solver_type": "bh1"}),
    Peer("UniPC-2, bh1", UniPC(2, "bh1"), "UniPCMultistepScheduler", {"solver_order": 2, "solver_type": "bh1"}),
    Peer("UniPC-2, bh2", UniPC(2), "UniPCMultistepScheduler", {"solver_order": 2}),
    Peer("UniPC-3, bh2", UniPC(3), "UniPCMultistepScheduler", {"solver_order": 3}),
    Peer("LMS-4", LMS(), "LMSDiscreteScheduler", exploding=True),
    Peer("DEIS-2", DEIS(2), "DEISMultistepScheduler", {"solver_order": 2, "lower_order_final": False}),
    Peer("DEIS-3", DEIS(3), "DEISMultistepScheduler", THIRD),
    Peer("iPNDM-4", IPNDM(), "IPNDMScheduler", kinds=("v_prediction",)),
]  # fmt: skip


def grid_of(peer: Peer, table: BetaTable, scheduler) -> torch.Tensor:
    """The levels that theirs walks; its DEIS ends at the table's first entry in the place of +inf."""
    entries = table.table[torch.unique_consecutive(scheduler.timesteps.long())]
    end = table.table[:1] if isinstance(peer.sampler, DEIS) else entries.new_tensor([torch.inf])
    return torch.cat([entries, end]).float()


def their_path(peer: Peer, scheduler, table: BetaTable, start: torch.Tensor, noise: Noise) -> list[torch.Tensor]:
    """Their states, scaled as ours, after every step."""
    twin = {"generator": torch.Generator().manual_seed(noise.seeds[0])} if peer.noisy else {}
    x, states, grid = start, [], grid_of(peer, table, scheduler)
    x = x / alpha(grid[0]) if peer.exploding else x
    for t in scheduler.timesteps:
        seen = scheduler.scale_model_input(x, t)
        found = output(seen, table.table[int(t)].to(x.dtype), scheduler.config.get("prediction_type", "v_prediction"))
        if peer.options.get("variance_type") == "learned_range":
            found = torch.cat([found, 2 * mix(seen) - 1], 1)
        x = scheduler.step(found, t, x, **twin, **peer.step).prev_sample
        states.append(x)
    states = [*states[1::2], states[-1]] if len(states) >= len(grid) else states  # Heun's first stages are no states
    return [x * alpha(s) for x, s in zip(states, grid[1:], strict=True)] if peer.exploding else states


def worst(peer: Peer, table: str, kind: str, steps: int, exact: bool) -> float:
    """The largest difference between the two paths, each walked with its own states."""
    noise, start = Noise.shared("path"), draw(2, 3, 8, 8, key="start")
    start = start.double() if exact and not peer.noisy else start
    scheduler = peer.scheduler(table, kind, steps, exact)
    grid = grid_of(peer, TABLES[table][0], scheduler).to(start.dtype)
    ours = [step.x for step in peer.sampler(Ours(kind), start, grid, noise)]
    theirs = their_path(peer, scheduler, TABLES[table][0], start, noise)
    pairs = list(zip(ours, theirs, strict=True))[: None if peer.last else -1]
    return max((a - b).abs().max().item() for a, b in pairs)


if __name__ == "__main__":
    import sys
    for peer in PEERS:
        for table in TABLES:
            print(f"{peer.name:30} {table:15}", *(f"{kind} " + " ".join(f"{worst(peer, table, kind, n, len(sys.argv)>1):.1e}" for n in COUNTS) for kind in peer.kinds))
