"""The images of `unclip explain`: what they are computed from."""

import math

import pytest
import torch
from tests.fakes import draw, family

from unclip.diffusion.schedules import BetaTable, LinearBeta, RectifiedFlow, Schedule, ZeroTerminalSNR
from unclip.figures import schedule_plot
from unclip.figures.schedule_plot import STANDARDS, curve
from unclip.images.files import tile, to_pictures

IMAGES = torch.full((2, 3, 4, 4), 0.5)


@pytest.mark.parametrize("name", STANDARDS)
def test_alpha_bar_is_the_product_of_the_betas(name: str):
    line = curve(name, STANDARDS[name], IMAGES)
    product = torch.log1p(-line.beta).cumsum(0).exp()
    assert torch.allclose(line.alpha_bar.double(), product.double(), atol=2e-5)
    assert line.t[-1] == 1


@pytest.mark.parametrize("schedule", [pytest.param(m(), id=m.__name__) for m in family(Schedule)])
def test_every_schedule_has_curves(schedule: Schedule):
    line = curve("any", schedule, IMAGES)
    assert (line.log_snr.diff() <= 0).all()
    assert line.left >= 0


def test_tables_are_exact_beyond_what_networks_see():
    line = curve("lectures", LinearBeta(beta_T=0.2), IMAGES)
    assert line.log_snr[-1].item() == pytest.approx(LinearBeta(beta_T=0.2).log_alpha_bar[-1].item(), rel=1e-6)
    assert curve("zero", ZeroTerminalSNR(), IMAGES).log_snr[-1] == -math.inf
    assert isinstance(ZeroTerminalSNR(), BetaTable)
    assert len(curve("short", LinearBeta(1e-3, 0.2, T=100), IMAGES).t) == 100


def test_what_is_left_counts_the_pictures():
    """The first two moments of x_T: with SNR s it is about s E[x0^2] / (2 ln 2) for small s."""
    flow = RectifiedFlow(limit=10.0)
    dim, bright = (curve("x", flow, torch.full((1, 1, 2, 2), v)).left for v in (0.1, 1.0))
    snr = math.exp(-10)
    assert bright - dim == pytest.approx(snr / (1 + snr) * 0.99 / (2 * math.log(2)), rel=1e-3)


@pytest.mark.parametrize("value, words", [(2.7e-5, "2.7·10⁻⁵"), (0.31, "3.1·10⁻¹"), (0.0, "below 10⁻⁴⁰")])
def test_small_numbers(value: float, words: str):
    assert schedule_plot._small(value) == words


@pytest.mark.parametrize("count, size", [(1, (4, 4)), (2, (9, 4)), (3, (9, 9)), (5, (14, 9))])
def test_tiles(count: int, size: tuple[int, int]):
    sheet = tile(to_pictures(draw(count, 3, 4, 4).clamp(-1, 1)))
    assert sheet.size == size
