"""PSNR and gain against closed forms."""

import math

import pytest
import torch
from tests.fakes import draw

from unclip.evaluation.fidelity.reconstruction import score_reconstruction


def test_psnr_of_known_errors():
    images = draw(100, 3, 8, 8).clamp(-1, 1)
    metrics = score_reconstruction(lambda x: x + 0.1, images)
    assert metrics["psnr"] == pytest.approx(10 * math.log10(4 / 0.01), abs=1e-3)
    assert metrics["roughness"] == pytest.approx(1, abs=1e-4)
    spread = (images - images.mean(0)).square().mean()
    assert metrics["gain"] == pytest.approx(10 * math.log10(spread / 0.01), abs=1e-3)


def test_the_mean_picture_gains_nothing_and_perfection_stays_a_number():
    images = draw(70, 3, 8, 8)
    mean = images.mean(0)
    dull = score_reconstruction(lambda x: mean.expand_as(x), images)
    assert dull["gain"] == pytest.approx(0, abs=1e-3) and dull["roughness"] < 0.3
    assert 50 < score_reconstruction(lambda x: x.clone(), images)["psnr"] < 200
    assert torch.isfinite(torch.tensor(list(dull.values()))).all()
