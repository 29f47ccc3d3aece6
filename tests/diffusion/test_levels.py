"""Identities of the noise levels, at both ends and in both precisions."""

import pytest
import torch
from tests.fakes import draw, family

from unclip.diffusion.level import alpha, forgotten, noised, sigma
from unclip.diffusion.parameterization import Parameterization

LEVELS = torch.linspace(-20, 20, 81)


def test_variance_preserving():
    assert torch.allclose(alpha(LEVELS) ** 2 + sigma(LEVELS) ** 2, torch.ones(81), atol=1e-6)


def test_log_snr_is_the_log_of_the_ratio():
    wide = LEVELS.double()
    assert torch.allclose(2 * torch.log(alpha(wide) / sigma(wide)), wide, atol=1e-9)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_both_ends_stay_finite_and_above_zero(dtype: torch.dtype):
    ends = torch.tensor([-20.0, 20.0], dtype=dtype)
    for values in (alpha(ends), sigma(ends)):
        assert values.dtype == dtype
        assert torch.isfinite(values).all()
        assert (values > 0).all()


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
@pytest.mark.parametrize("member", family(Parameterization), ids=lambda m: m.__name__)
def test_scalings_stay_finite(member: type[Parameterization], dtype: torch.dtype):
    ends = torch.tensor([-20.0, 20.0], dtype=dtype)
    c_skip, c_out = member().scalings(ends)
    assert torch.isfinite(torch.stack([c_skip, c_out, member().input_scale(ends)])).all()
    assert (c_out != 0).all()


def test_the_clean_end():
    clean = torch.tensor(torch.inf)
    assert (alpha(clean), sigma(clean), forgotten(torch.tensor(3.0), clean)) == (1, 0, 1)


def test_noised_is_one_line_per_sample():
    x0, eps, levels = draw(3, 2, 4, 4), draw(3, 2, 4, 4, key=1), torch.tensor([-3.0, 0.0, 5.0])
    x = noised(x0, levels, eps)
    for i, level in enumerate(levels):
        assert torch.allclose(x[i], level.sigmoid().sqrt() * x0[i] + (1 - level.sigmoid()).sqrt() * eps[i], atol=1e-6)
        assert torch.equal(noised(x0, level, eps)[i], x[i])


def test_forgotten_composes():
    """1 - c is the share of SNR kept, so it multiplies along a path."""
    a, b, c = torch.tensor([-3.0, -1.0, 2.0], dtype=torch.float64)
    assert torch.allclose(1 - forgotten(a, c), (1 - forgotten(a, b)) * (1 - forgotten(b, c)))
