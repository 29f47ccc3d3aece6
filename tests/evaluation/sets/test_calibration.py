"""Calibration of priors that are known: the truth's own distribution, a point mass, one that is too wide."""

import pytest
import torch
import torch.nn.functional as F
from tests.fakes import draw

from unclip.evaluation.sets.calibration import OVER, UNDER, UNKNOWN, WITHIN, calibration
from unclip.figures.differences import calibration_sentence

D, N, STD = 32, 400, 0.3
MEANS = F.normalize(draw(N, D, key="of each caption"), dim=1)
CAPTIONS = [str(i) for i in range(N)]


def sampled(std: float, key: str) -> torch.Tensor:
    """A toy prior: the caption's mean and Gaussian noise, on the sphere. The truth has `STD`."""
    return F.normalize(MEANS + std * draw(N, D, key=key), dim=1)


def judged(std: float, centre: torch.Tensor | None = None, key: int = 0) -> dict:
    truth = sampled(STD, f"truth{key}")
    first, second = (sampled(std, f"{name}{key}") if centre is None else centre for name in ("first", "second"))
    return calibration((first * truth).sum(1), (first * second).sum(1), CAPTIONS, seed=0)


def test_the_truth_itself_is_calibrated():
    found = judged(STD)
    assert found["calibration"] == WITHIN and abs(found["repeat_less_cosine"]["z"]) < 3
    assert found["repeat_less_cosine"]["error"] < 0.02
    assert calibration_sentence(found).endswith("The prior is calibrated within error.")


def test_it_is_called_so_whatever_is_drawn():
    """3 of 1,000 may be called otherwise: of 60 none or one."""
    verdicts = [judged(STD, key=key)["calibration"] for key in range(60)]
    assert verdicts.count(WITHIN) >= 59


@pytest.mark.parametrize("centre", [MEANS, sampled(STD, "by heart")])
def test_a_point_mass_is_under_dispersed(centre: torch.Tensor):
    found = judged(0.0, centre)
    assert found["calibration"] == UNDER and found["repeat"]["mean"] == pytest.approx(1)
    assert "The prior is under-dispersed: its samples are more alike" in calibration_sentence(found)


def test_the_size_of_the_difference_is_known():
    """E z' . z'' = r(std)^2 and E z' . z = r(std) r(STD), r the mean cosine of a sample and its mean."""
    r = {std: (sampled(std, "r") * MEANS).sum(1).mean().item() for std in (STD, 0.1, 0.8)}
    for std, verdict in ((0.1, UNDER), (0.8, OVER)):
        found = judged(std)
        difference, expected = found["repeat_less_cosine"], r[std] ** 2 - r[std] * r[STD]
        assert found["calibration"] == verdict
        assert difference["mean"] == pytest.approx(expected, abs=4 * difference["error"])


def test_one_caption_alone_says_nothing():
    x = torch.ones(5)
    found = calibration(x, x, ["a"] * 5, seed=0)
    assert found["calibration"] == UNKNOWN and calibration_sentence(found) == ""
