"""Bits/dim of a model whose denoiser is exact: the known entropy; and what the figures must keep."""

import math

import pytest
import torch
from tests.fakes import built, draw, tiny_unet

from unclip.diffusion.likelihood import summarise
from unclip.diffusion.parameterization import EDM
from unclip.diffusion.process import DiffusionConfig
from unclip.diffusion.schedules import LinearBeta, LogNormal, Schedule
from unclip.evaluation import likelihood
from unclip.generation.ddpm import DDPMPipeline
from unclip.models.classes import NO_CLASS
from unclip.models.ddpm import DDPM, DDPMConfig

STD = 0.2


def exact(schedule: Schedule) -> DDPMPipeline:
    """EDM with F = 0 is the posterior mean of N(0, sigma_data^2), whatever the network."""
    config = DiffusionConfig(schedule, EDM(STD))
    module = built(lambda: DDPM(DDPMConfig(size=8, network=tiny_unet(), diffusion=config)))
    for parameter in module.parameters():
        torch.nn.init.zeros_(parameter)
    return DDPMPipeline(module.eval().requires_grad_(False))


def data(n: int = 64) -> tuple[torch.Tensor, torch.Tensor]:
    """Values of 8 bits around 0 with this spread."""
    pixels = (draw(n, 3, 8, 8) * STD * 127.5 + 127.5).round().clamp(0, 255)
    return pixels / 127.5 - 1, torch.full((n,), NO_CLASS)


ENTROPY = math.log2(STD * 127.5 * math.sqrt(2 * math.pi * math.e))


def test_an_exact_model_needs_the_entropy():
    model = exact(LogNormal(-0.5, 1.7, 0.0025, 160.0))
    flow = likelihood.by_flow(model, *data(32))
    assert flow.mean == pytest.approx(ENTROPY, abs=0.04)  # 6,144 values: 0.7 / sqrt(6144) bits, four times
    assert 0 < flow.error < 0.02 and flow.n == 32
    bound = summarise(likelihood.bound(model, *data(64), at=20)).total
    assert ENTROPY - 0.03 < bound.mean < ENTROPY + 0.15
    assert 0 < bound.error < 0.05 and bound.n == 64


def test_the_parts_add_up_and_the_curve_ends_at_the_bound():
    scores = likelihood.bits_of_ddpm(exact(LinearBeta(1e-3, 0.2, T=40)), *data(32), flow=0)
    bound, curve, chain = scores["bound"], scores["rate_distortion"], scores["chain"]
    assert "flow" not in scores
    assert bound["total"]["mean"] == pytest.approx(sum(bound[p]["mean"] for p in ("terminal", "steps", "decoder")))
    assert (chain["steps"], chain["visited"]) == (40, 39)
    assert chain["noisy"] < 0 and chain["clean"] == pytest.approx(6.9, abs=0.1)
    assert len(curve["rate"]) == len(curve["distortion"]) == len(curve["log_snr"]) == 41
    assert all(a <= b for a, b in zip(curve["rate"], curve["rate"][1:], strict=False))
    assert curve["rate"][-1] == pytest.approx(bound["total"]["mean"], rel=1e-3)
    assert curve["distortion"][0] == pytest.approx(STD * 127.5, rel=0.1) and curve["distortion"][-1] == 0


def test_a_curve_needs_pictures_enough():
    assert "rate_distortion" not in likelihood.bits_of_ddpm(exact(LinearBeta(T=1000)), *data(4), flow=0)
    assert "rate_distortion" in likelihood.bits_of_ddpm(exact(LinearBeta(1e-3, 0.2, T=60)), *data(20), flow=0)


def test_pictures_that_do_not_fit_are_refused():
    model = exact(LinearBeta())
    with pytest.raises(ValueError, match="16 x 16 px with 3 channels: this model has 8 x 8"):
        likelihood.bits(model, torch.zeros(2, 3, 16, 16), torch.zeros(2, dtype=torch.long))
    with pytest.raises(ValueError, match="1 image: a standard error needs at least 2"):
        likelihood.bits(model, torch.zeros(1, 3, 8, 8), torch.zeros(1, dtype=torch.long))
