"""Step by step the same states as the schedulers of `diffusers`, given the same outputs and the same noise.

`python benchmarks/tables.py samplers` prints the table of docs/samplers.md: the worst
difference of any element at any step, over networks that predict eps, x0 and v and 50, 20 and 10 steps.
"""

import itertools
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from unittest import mock

import diffusers
import pytest
import torch
from tests.fakes import draw

from unclip.core.noise import Noise, seeded
from unclip.diffusion.denoiser import Prediction
from unclip.diffusion.level import alpha, sigma
from unclip.diffusion.parameterization import X0, Eps, Parameterization, V
from unclip.diffusion.samplers import (
    DDIM,
    DEIS,
    IPNDM,
    LMS,
    Ancestral,
    DPMSolverPP2M,
    DPMSolverPP2S,
    DPMSolverPP3M,
    Euler,
    Heun,
    Sampler,
    UniPC,
)
from unclip.diffusion.schedules import CosineBeta, LinearBeta, ScaledLinearBeta
from unclip.diffusion.schedules.tables import BetaTable

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of numpy, about diffusers
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
    exact: float = 1e-8  # what a comparison in float64 allows: more where they round a state, x or x/alpha, to float32
    float32: float = 1e-4  # what one in float32 allows, on the tables whose alpha-bar float32 can tell

    def scheduler(self, table: str, kind: str, steps: int, exact: bool):
        """Set up for so many steps. exact: with our table and levels in the place of its own in float32."""
        levels, options = TABLES[table]
        if isinstance(self.sampler, IPNDM):
            return without_table(levels, steps)
        spacing = {} if isinstance(self.sampler, DPMSolverPP2S) else TRAILING  # that one has its own
        made = getattr(diffusers, self.theirs)(1000, prediction_type=kind, **spacing, **options, **self.options)
        if exact:
            made.betas, made.alphas_cumprod = levels.betas, levels.log_alpha_bar.exp()
        made.set_timesteps(steps)
        if exact and hasattr(made, "sigmas"):
            made.sigmas = made.sigmas.double()
            made.sigmas[: len(made.timesteps)] = torch.exp(-levels.table[made.timesteps.long()] / 2)
        return made


def without_table(levels: BetaTable, steps: int):
    """iPNDM of diffusers knows no tables; it is given ours."""
    made = diffusers.IPNDMScheduler(1000)
    made.set_timesteps(steps)
    made.timesteps = torch.round(1000 * torch.arange(steps, 0, -1) / steps).long() - 1
    grid = torch.cat([levels.table[made.timesteps], torch.tensor([torch.inf])])
    made.alphas, made.betas = alpha(grid), sigma(grid)
    return made


TRAILING = {"timestep_spacing": "trailing"}
UPCAST = {"exact": 1e-5}
CLIP = {"clip_sample": False}
SDE = {"algorithm_type": "sde-dpmsolver++"}
THIRD = {"solver_order": 3, "lower_order_final": False}
SMALL, LARGE, RANGE = ({"variance_type": v, **CLIP} for v in ("fixed_small", "fixed_large", "learned_range"))
BH1 = {"solver_type": "bh1"}
EPS_AND_V = ("epsilon", "v_prediction")
TWO = {"solver_order": 2, "lower_order_final": False}
PAIRS = {"solver_order": 2, "lower_order_final": True}
MULTI, SINGLE = "DPMSolverMultistepScheduler", "DPMSolverSinglestepScheduler"
UNIPC, DEIS_THEIRS, ANCESTRAL = "UniPCMultistepScheduler", "DEISMultistepScheduler", "EulerAncestralDiscreteScheduler"
PEERS = [
    Peer("`Ancestral(\"beta_tilde\")`", Ancestral("beta_tilde"), "DDPMScheduler", SMALL, noisy=True),
    # below T steps theirs adds noise of variance 1 - alpha-bar after the last step, where ours adds none
    Peer("`Ancestral(\"beta\")`", Ancestral("beta"), "DDPMScheduler", LARGE, noisy=True, last=False),
    Peer("`Ancestral(\"learned\")`", Ancestral("learned"), "DDPMScheduler", RANGE, noisy=True, last=False),
    Peer("`DDIM()`", DDIM(), "DDIMScheduler", CLIP, {"eta": 0.0}),
    Peer("`DDIM(0.7)`", DDIM(0.7), "DDIMScheduler", CLIP, {"eta": 0.7}, noisy=True),
    Peer("`DDIM(1.0)`", DDIM(1.0), ANCESTRAL, kinds=EPS_AND_V, noisy=True, exploding=True, exact=1e-3),
    Peer("`Euler()`", Euler(), "EulerDiscreteScheduler", exploding=True, exact=1e-3),
    Peer("`Heun()`", Heun(), "HeunDiscreteScheduler", exploding=True),
    Peer("`DPMSolverPP2M()`", DPMSolverPP2M(), MULTI, **UPCAST),
    Peer("`DPMSolverPP2M(1.0)`", DPMSolverPP2M(1.0), MULTI, SDE, noisy=True, **UPCAST),
    Peer("`DPMSolverPP3M(halved=True)`", DPMSolverPP3M(halved=True), MULTI, THIRD, **UPCAST),
    Peer("`DPMSolverPP2S()`", DPMSolverPP2S(), SINGLE, PAIRS),
    Peer("`UniPC(1, \"bh1\")`", UniPC(1, "bh1"), UNIPC, {"solver_order": 1, **BH1}),
    Peer("`UniPC(2, \"bh1\")`", UniPC(2, "bh1"), UNIPC, {"solver_order": 2, **BH1}),
    Peer("`UniPC()`", UniPC(), UNIPC, {"solver_order": 2}),
    Peer("`UniPC(3)`", UniPC(3), UNIPC, {"solver_order": 3}),
    Peer("`LMS()`", LMS(), "LMSDiscreteScheduler", exploding=True),
    Peer("`DEIS(2)`", DEIS(2), DEIS_THEIRS, TWO),
    Peer("`DEIS()`", DEIS(), DEIS_THEIRS, THIRD, float32=1e-3),
    Peer("`IPNDM()`", IPNDM(), "IPNDMScheduler", kinds=("v_prediction",)),
]  # fmt: skip


def grid_of(peer: Peer, table: BetaTable, scheduler) -> torch.Tensor:
    """The levels that theirs walks; its DEIS ends at the table's first entry in the place of +inf."""
    entries = table.table[torch.unique_consecutive(scheduler.timesteps.long())]
    end = table.table[:1] if isinstance(peer.sampler, DEIS) else entries.new_tensor([torch.inf])
    return torch.cat([entries, end])


def same_normals(shape, generator=None, device=None, dtype=None):
    """Drawn in float32 whatever the dtype, as `Noise` does."""
    return torch.randn(shape, generator=generator).to(dtype)


def their_path(peer: Peer, scheduler, table: BetaTable, start: torch.Tensor, noise: Noise) -> list[torch.Tensor]:
    """Their states, scaled as ours, after every step."""
    twin = {"generator": seeded(torch.Generator(), noise.seeds[0])} if peer.noisy else {}
    grid = grid_of(peer, table, scheduler)
    x, states = start / alpha(grid[0]) if peer.exploding else start, []
    for t in scheduler.timesteps:
        seen = scheduler.scale_model_input(x, t)
        found = output(seen, table.table[int(t)].to(x.dtype), scheduler.config.get("prediction_type", "v_prediction"))
        if peer.options.get("variance_type") == "learned_range":
            found = torch.cat([found, 2 * mix(seen) - 1], 1)
        x = scheduler.step(found, t, x, **twin, **peer.step).prev_sample
        states.append(x)
    states = [*states[1::2], states[-1]] if len(states) >= len(grid) else states  # without Heun's first stages
    return [x * alpha(s) for x, s in zip(states, grid[1:], strict=True)] if peer.exploding else states


def worst(peer: Peer, table: str, kind: str, steps: int, exact: bool) -> float:
    """The largest difference between the two paths, each walked with its own states."""
    noise, levels = Noise.shared("path"), TABLES[table][0]
    start = draw(2, 3, 8, 8, key="start").to(torch.float64 if exact else torch.float32)
    scheduler = peer.scheduler(table, kind, steps, exact)
    grid = grid_of(peer, levels, scheduler).to(start.dtype)
    with mock.patch.object(sys.modules[type(scheduler).__module__], "randn_tensor", same_normals, create=True):
        theirs = their_path(peer, scheduler, levels, start, noise)
    ours = [step.x for step in peer.sampler(Ours(kind), start, grid, noise)]
    pairs = list(zip(ours, theirs, strict=True))[: None if peer.last else -1]
    return max((a - b).abs().max().item() for a, b in pairs)


def worst_of_all(peer: Peer, table: str, exact: bool, counts: Sequence[int] = COUNTS) -> float:
    """Over networks of every kind and numbers of steps."""
    return max(worst(peer, table, kind, steps, exact) for kind in peer.kinds for steps in counts)


EVERY = [pytest.param(peer, id=peer.name.strip("`")) for peer in PEERS]


@pytest.mark.parametrize("peer", EVERY)
def test_same_states_in_float64(peer: Peer):
    """Given our table: theirs is a product in float32, so its alpha-bar is off by up to 6e-5 of itself (cosine)."""
    for table, steps in zip(TABLES, COUNTS, strict=True):
        assert worst_of_all(peer, table, exact=True, counts=[steps]) <= peer.exact, table


@pytest.mark.parametrize("peer", EVERY)
@pytest.mark.parametrize("table", ["linear", "scaled_linear"])
def test_same_states_in_float32(peer: Peer, table: str):
    """With everything as diffusers has it. DEIS has its coefficients in float32, by differences of large numbers."""
    assert worst_of_all(peer, table, exact=False, counts=[20]) <= peer.float32


@pytest.mark.parametrize("peer", [PEERS[0], PEERS[3]], ids=["DDPM", "DDIM"])
def test_all_thousand_steps(peer: Peer):
    assert worst(peer, "linear", "epsilon", 1000, exact=True) <= peer.exact


def test_the_comparison_can_fail():
    """Our settings of one, their settings of another."""
    same = [peers for peers in itertools.permutations(PEERS, 2) if peers[0].theirs == peers[1].theirs]
    assert len(same) > 10
    for ours, theirs in same:
        mixed = replace(theirs, sampler=ours.sampler)
        assert worst(mixed, "linear", "v_prediction", 10, exact=True) > 1e-3, (ours.name, theirs.name)


@pytest.mark.parametrize("steps", [3, 7, 30, 50, 999])
def test_timesteps_are_the_trailing_ones(steps: int):
    table = LinearBeta()
    scheduler = diffusers.DDPMScheduler(1000, timestep_spacing="trailing")
    scheduler.set_timesteps(steps)
    assert torch.equal(table.grid(steps)[:-1], table.table[scheduler.timesteps].float())


def test_the_third_order_sde_of_diffusers_has_a_wrong_sign():
    """Its coefficient of D2 is (..)/(2h)^2 - 1/2 where the integral, and k-diffusion, has + 1/2.

    So no scheduler there equals our 3M SDE; but corrected by just that, the third step does.
    """
    peer = Peer("", DPMSolverPP3M(1.0, halved=True), "DPMSolverMultistepScheduler", {**THIRD, **SDE}, noisy=True)
    table, noise, start = TABLES["linear"][0], Noise.shared("path"), draw(2, 3, 8, 8)
    scheduler = peer.scheduler("linear", "epsilon", 10, exact=True)
    grid = grid_of(peer, table, scheduler)
    ours = list(peer.sampler(Ours("epsilon"), start, grid.float(), noise))[:3]
    theirs = their_path(peer, scheduler, table, start, noise)
    half = grid[:4] / 2
    first, second = ((ours[i + 1].x0 - ours[i].x0) / (half[i + 1] - half[i]) for i in (0, 1))
    d2 = (second - first) / (half[2] - half[0]) * (half[3] - half[2]) ** 2
    assert (theirs[2] - ours[2].x).abs().max() > 1e-3
    for found, step, missing in zip(theirs, ours, (0, 0, d2), strict=False):
        assert torch.allclose(found + alpha(step.log_snr) * missing, step.x, atol=1e-5)


def rows() -> Iterator[str]:
    """The table of docs/samplers.md."""
    yield "| ours | theirs | float64 | linear | scaled_linear | cosine |"
    yield "|---|---|---|---|---|---|"
    for peer in PEERS:
        found = [max(worst_of_all(peer, table, exact=True) for table in TABLES)]
        found += [worst_of_all(peer, table, exact=False) for table in TABLES]
        yield f"| {peer.name} | `{peer.theirs}` | " + " | ".join(f"{x:.0e}" for x in found) + " |"
