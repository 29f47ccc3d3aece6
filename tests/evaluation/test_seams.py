"""Figures that see a pattern, a blur, and none where there is none."""

import pytest
import torch
from tests.fakes import draw

from unclip.core.noise import Noise
from unclip.data.degradation import GaussianBlur
from unclip.evaluation.fidelity.seams import seams
from unclip.evaluation.fidelity.texture import roughness, sharpness


def test_a_pattern_is_seen_and_noise_has_none():
    x = draw(4, 3, 32, 32)
    y = draw(4, 3, 32, 32, key=1)
    assert seams(x, y, 4) == pytest.approx(1, abs=0.05)
    blocks = x[..., ::4, ::4].repeat_interleave(4, -1).repeat_interleave(4, -2)
    assert seams(blocks + 0.1 * x, y, 4) > 3
    assert seams(y, blocks + 0.1 * x, 4) < 1 / 3
    assert seams(torch.zeros(1, 3, 8, 8), y[:1, :, :8, :8], 1) == 1


def test_blur_costs_sharpness_but_an_edge_keeps_its_roughness():
    edge = torch.where(torch.arange(32) < 16, -1.0, 1.0).expand(1, 3, 32, 32)
    soft = GaussianBlur(kernel=7, sigma=1.5, share=1.0).apply(edge, torch.ones(1), Noise.shared(0))
    assert sharpness(soft) < 0.7 * sharpness(edge)
    assert roughness(soft) == pytest.approx(roughness(edge), rel=1e-3)
