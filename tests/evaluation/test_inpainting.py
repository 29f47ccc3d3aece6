"""Scores of filled holes: exact on cases that can be counted, and a trained inpainter beats its decoder."""

import pytest
import torch
from tests.enlarging import drawn, seeing, trained
from tests.half import COLOURS, SIZE, flat, model

from unclip.evaluation.fidelity.inpainting import hole_error, score_inpainting, score_upsampled, seam
from unclip.generation.upsampling import Enlarger
from unclip.models.upsampler import Upsampler


def test_the_error_counts_the_hole_alone():
    mask = (torch.arange(SIZE) < 4).float().expand(1, 1, SIZE, SIZE)
    images = flat([0, 1])
    changed = images.clone()
    changed[1, :, :, 4:] += 0.5
    changed[0, :, :, :4] += 3.0  # known: not looked at
    assert hole_error(changed, images, mask).tolist() == pytest.approx([0.0, 0.5], abs=1e-6)


def test_the_seam_is_the_step_over_the_border():
    mask = torch.ones(1, 1, 4, 4)
    mask[..., 1:3, 1:3] = 0  # eight neighbours
    x = torch.zeros(1, 3, 4, 4)
    x[..., 1:3, 1:3] = 0.25
    assert seam(x, mask) == pytest.approx(0.25)
    x[:, :, 1, 1] = 0  # it has two of the eight
    assert seam(x, mask) == pytest.approx(0.25 * 6 / 8)
    assert seam(torch.zeros(2, 3, 4, 4), mask.repeat(2, 1, 1, 1)) == 0


def test_who_sees_the_rest_is_nearer_to_the_truth():
    rows = [0, 1, 2, 3] * 4
    scores = score_inpainting(model(), flat(rows), [""] * len(rows), seed=3)
    assert scores["kept"] < 1e-6
    assert scores["mean"] < 1e-6 and scores["seam_real"] < 1e-6  # one colour each
    assert scores["gap"] > 3 * scores["error"] and scores["model"] < 0.65 * scores["base"]
    assert scores["seam"] < 0.4
    named = score_inpainting(model(), flat(rows), list(COLOURS) * 4, seed=3)
    assert named["base"] < scores["base"]  # captions help the one that does not see


def test_an_upsampler_that_sees_the_rest_is_nearer_and_seamless():
    real, plain = drawn(32, 99), Enlarger(trained())
    scores = score_upsampled(Enlarger(seeing()), plain, real)
    assert scores["kept"] == 0 and scores["pictures"] == 32
    assert scores["gap"] > 3 * scores["error"]
    assert abs(scores["seam"] - scores["seam_real"]) < abs(scores["seam_base"] - scores["seam_real"])
    newborn = score_upsampled(Enlarger(Upsampler.start(trained()).eval()), plain, real)
    assert abs(newborn["gap"]) < 1e-5 and newborn["seam"] == pytest.approx(newborn["seam_base"], abs=1e-5)
