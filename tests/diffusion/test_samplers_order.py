"""The error falls at the solver's order: halving every step divides it by 2^order.

Against the exact flow of Gaussian data and of a mixture, in float64. `python benchmarks/tables.py orders`
prints the table of docs/samplers.md.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
import torch
from tests.fakes import GaussianData, MixtureData

from unclip.core.noise import Noise
from unclip.diffusion.denoiser import Prediction
from unclip.diffusion.samplers import (
    DDIM,
    DEIS,
    IPNDM,
    LMS,
    DPMSolverPP2M,
    DPMSolverPP2S,
    DPMSolverPP3M,
    Euler,
    Heun,
    Sampler,
    UniPC,
)
from unclip.diffusion.schedules import LogNormal

DATA = {"Gaussian": GaussianData(mean=0.7, std=0.3), "mixture": MixtureData()}
POINTS = torch.linspace(-1.7, 1.9, 10, dtype=torch.float64)


def log_snr(steps: int) -> torch.Tensor:
    """Even in log-SNR from -20, where the first steps, of lower order, cost nothing: x0 stands still there."""
    return torch.linspace(-20, 2, steps + 1, dtype=torch.float64)


def spread(steps: int) -> torch.Tensor:
    """Even in sigma/alpha, from 20 to 0.4."""
    return -2 * torch.linspace(20, 0.4, steps + 1, dtype=torch.float64).log()


@dataclass(frozen=True)
class Case:
    sampler: Sampler
    order: int
    steps: int = 160
    grid: str = "log-SNR"


CASES = [
    Case(DDIM(), 1),
    Case(Euler(), 1),
    Case(Heun(), 2),
    Case(DPMSolverPP2M(), 2),
    Case(DPMSolverPP2S(), 2),
    Case(DPMSolverPP3M(), 3),
    Case(DPMSolverPP3M(halved=True), 2),
    Case(UniPC(1), 2),  # the corrector adds one
    Case(UniPC(2), 3, 320),
    Case(UniPC(2, "bh1"), 3),
    Case(UniPC(3), 4, 320),
    Case(LMS(2), 2),
    Case(LMS(3), 3),
    Case(LMS(), 4, 320),
    Case(DEIS(2), 2),
    Case(DEIS(), 3, 320),
    Case(IPNDM(), 2),
    Case(IPNDM(2), 2, 320, "sigma/alpha"),
]


def both(x: torch.Tensor, level: torch.Tensor) -> Prediction:
    """The exact denoisers of both, one a row: one walk for two."""
    p, q = (data.denoise(row, level) for data, row in zip(DATA.values(), x, strict=True))
    return Prediction(torch.stack([p.x0, q.x0]), torch.stack([p.eps, q.eps]))


def errors(case: Case, steps: int) -> list[float]:
    """The largest at any point, for each kind of data."""
    grid = log_snr(steps) if case.grid == "log-SNR" else spread(steps)
    *_, end = case.sampler(both, POINTS.expand(2, -1), grid, Noise.shared(0))
    exact = [data.flow(POINTS, grid[0], grid[-1]) for data in DATA.values()]
    return [(x - y).abs().max().item() for x, y in zip(end.x, exact, strict=True)]


def measured(case: Case) -> tuple[list[float], list[float]]:
    """The errors of twice the steps, and the order that the two errors tell."""
    coarse, fine = errors(case, case.steps), errors(case, 2 * case.steps)
    return fine, [math.log2(a / b) for a, b in zip(coarse, fine, strict=True)]


@pytest.mark.parametrize("case", CASES, ids=lambda c: f"{c.sampler} on even {c.grid}")
def test_order_of_convergence(case: Case):
    fine, order = measured(case)
    assert order == pytest.approx([case.order] * len(DATA), abs=0.25), fine
    assert max(fine) < 0.03


def test_second_order_beats_first_at_few_steps():
    data, x, grid = GaussianData(), torch.linspace(-2, 2, 9), LogNormal().grid(24)
    exact = data.flow(x, grid[0], torch.tensor(30.0))
    first, second = (
        (list(s(data.denoise, x, grid, Noise.shared(0)))[-1].x - exact).abs().max() for s in (DDIM(), DPMSolverPP2M())
    )
    assert second < first / 3


def name(sampler: Sampler) -> str:
    """As one would write it."""
    changed = {k: v for k, v in sampler.to_dict().items() if v != getattr(type(sampler)(), k, None)}
    return changed.pop("kind") + "(" + ", ".join(f"{k}={v!r}" for k, v in changed.items()) + ")"


def rows() -> Iterator[str]:
    """The table of docs/samplers.md."""
    yield "| sampler | even steps of | steps | " + " | ".join(f"{name}: error | order" for name in DATA) + " |"
    yield "|---|---|---|" + "---|---|" * len(DATA)
    for case in CASES:
        cells = [f"{error:.1e} | {order:.2f}" for error, order in zip(*measured(case), strict=True)]
        yield f"| `{name(case.sampler)}` | {case.grid} | {2 * case.steps} | " + " | ".join(cells) + " |"


FEW = [DDIM(), Heun(), DPMSolverPP2M(), DPMSolverPP2S(), DPMSolverPP3M(), UniPC(), UniPC(3), LMS(), DEIS(), IPNDM()]


def few() -> Iterator[str]:
    """Root mean square error on the mixture by evaluations of the network, on the grid of the default schedule."""
    counts, data = (6, 10, 20, 40), MixtureData()
    yield "| sampler | " + " | ".join(f"{n}" for n in counts) + " |"
    yield "|---|" + "---|" * len(counts)
    x = Noise.shared("few").normal((4000,)).double()
    for sampler in FEW:
        found = []
        for n in counts:
            grid = LogNormal().grid(n // 2 if isinstance(sampler, Heun) else n).double()
            *_, end = sampler(data.denoise, x, grid, Noise.shared(0))
            exact = data.flow(x, grid[0], torch.tensor(40.0).double())
            found.append((end.x - exact).square().mean().sqrt().item())
        yield f"| `{name(sampler)}` | " + " | ".join(f"{error:.4f}" for error in found) + " |"
