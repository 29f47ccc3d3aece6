"""Forms of the error by hand and against torch's own."""

import math

import pytest
import torch
from tests.fakes import draw, family

from unclip.diffusion.losses import ErrorForm, Huber, PseudoHuber, Squared

MEMBERS = [pytest.param(m(), id=m.__name__) for m in family(ErrorForm)]


def test_huber_is_twice_torchs():
    error = 3 * draw(4, 5, 6)
    for delta in (0.3, 1.0, 2.0):
        theirs = torch.nn.functional.huber_loss(error, torch.zeros_like(error), delta=delta, reduction="none")
        assert torch.allclose(Huber(delta)(error), 2 * theirs.mean((1, 2)), rtol=1e-6)


def test_pseudo_huber_is_song_and_dhariwals_over_the_root_of_the_dimensions():
    error, c = draw(4, 5, 6).double(), 0.00054
    theirs = (error.flatten(1).square().sum(1) + c**2 * 30).sqrt() - c * math.sqrt(30)  # their c is 0.00054 sqrt(d)
    assert torch.allclose(PseudoHuber(c)(error), theirs / math.sqrt(30), rtol=1e-9)


@pytest.mark.parametrize("form", MEMBERS)
def test_every_form_grows_with_the_error_and_is_smooth_at_none(form: ErrorForm):
    sizes = torch.linspace(0, 5, 51)[:, None].expand(51, 7).clone().requires_grad_()
    cost = form(sizes)
    (gradient,) = torch.autograd.grad(cost.sum(), sizes)
    assert cost[0] == 0
    assert (cost.diff() > 0).all()
    assert torch.equal(form(-sizes), cost)
    assert torch.isfinite(gradient).all()
    assert (gradient[0] == 0).all()


def test_small_errors_cost_what_the_squared_error_says():
    error = 1e-3 * draw(3, 4)
    assert torch.allclose(Huber()(error), Squared()(error), rtol=1e-6)
    assert torch.allclose(2 * 5.0 * PseudoHuber(5.0)(error), Squared()(error), rtol=1e-5)


@pytest.mark.parametrize("make, value", [(lambda: Huber(0.0), "delta = 0.0"), (lambda: PseudoHuber(-1.0), "c = -1.0")])
def test_impossible_settings_are_refused(make, value: str):
    with pytest.raises(ValueError, match=value):
        make()
