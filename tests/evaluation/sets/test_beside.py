"""Settings beside each other: differences of known size and error, the best, what cannot be compared."""

import math

import pytest
import torch
from scipy.stats import norm, t
from tests.fakes import draw

from unclip.evaluation.sets.beside import KernelDistance, Values, beside
from unclip.evaluation.sets.estimate import Estimate
from unclip.evaluation.sets.kernel import kid
from unclip.figures.differences import difference_table, sentences

CAPTIONS = [str(i) for i in range(100)]
SHARED = 10 * draw(100, key="how hard each caption is")
SWING = torch.tensor([1.0, -1.0]).repeat(50)


def setting(shift: float, swing: float) -> dict[str, Values]:
    """Its difference to `SHARED` has exactly the mean `shift` and the deviation `swing`, up to (n - 1)/n."""
    return {"score": Values(SHARED + shift + swing * SWING, CAPTIONS)}


def test_a_difference_has_the_error_of_what_is_not_shared():
    found = beside({"a": setting(0, 0), "b": setting(0.5, 1.0), "c": setting(0.1, 1.0)}, 0, base="a")["score"]
    error = 1 / math.sqrt(99)  # deviation 1 of 100: sqrt(100/99)/10; that of the figures themselves is 1
    b, c = found["less"]["b"], found["less"]["c"]
    assert (b["mean"], b["error"]) == (pytest.approx(0.5, abs=1e-5), pytest.approx(error, rel=1e-4))
    assert b["z"] == pytest.approx(norm.isf(t.sf(0.5 / error, 99)), rel=1e-3) and b["clear"]
    assert c["mean"] == pytest.approx(0.1, abs=1e-5) and c["error"] == pytest.approx(error, rel=1e-4)
    assert not c["clear"] and c["low"] < 0 < c["high"]
    assert (found["base"], found["best"]) == ("a", False)


def test_the_best_is_the_largest_score_and_the_smallest_distance():
    real = draw(60, 6, key="real")
    sets = {name: draw(40, 6, key=name) + shift for name, shift in (("near", 0.0), ("far", 2.0))}
    distances = {n: {"KID": KernelDistance(kid(x, real), x, real, CAPTIONS[:40])} for n, x in sets.items()}
    compared = beside(distances, 0)["KID"]
    assert (compared["base"], compared["best"], [*compared["less"]]) == ("near", True, ["far"])
    assert compared["less"]["far"]["mean"] == pytest.approx(kid(sets["far"], real) - kid(sets["near"], real))
    assert compared["less"]["far"]["clear"]
    scores = {"a": setting(0, 0), "b": setting(0.5, 1)}
    assert beside(scores, 0)["score"]["base"] == "b"
    worse = {n: {"error": Values(s["score"].values, CAPTIONS, "smaller")} for n, s in scores.items()}
    assert beside(worse, 0)["error"]["base"] == "a"


def test_what_has_no_difference_is_left_out():
    alike = {name: {"score": Values(SHARED, ["same"] * 100)} for name in "ab"}
    broken = {"a": setting(0, 0), "b": {"score": Values(SHARED * math.nan, CAPTIONS)}}
    assert beside(alike, 0) == beside(broken, 0) == beside({"a": setting(0, 0)}, 0) == {}
    some = beside({"a": setting(0, 0), "b": {}, "c": setting(1, 1)}, 0, base="a")["score"]["less"]
    assert [*some] == ["c"]
    assert beside({"a": {}, "b": setting(0, 0), "c": setting(1, 1)}, 0, base="a") == {}


def test_the_sentence_tells_what_is_clear_from_what_is_not():
    compared = beside({"1": setting(-0.5, 1.0), "2": setting(0, 0), "3": setting(-0.1, 1.0)}, 0)
    (line,) = sentences(compared)
    assert line == (
        "score: best at 2; clear (|z| > 3) at 1 (-0.50 ± 0.10); no difference shown between 2 and 3 (-0.10 ± 0.10)."
    )
    assert difference_table(compared, ["1", "2", "3", "4"]) == [
        ["", "score"], ["1", "-0.50 ± 0.10 z -4.7"], ["2", "best"], ["3", "-0.10 ± 0.10 z -1.0"],
    ]  # fmt: skip
    assert difference_table({}, ["1"]) == []
    (line,) = sentences(beside({"a": setting(0, 0), "b": setting(1, 0)}, 0, base="a"))
    assert line.startswith("score, less that of a; clear (|z| > 3) at b (+1.00000 ± 0.00000)")


@pytest.mark.parametrize("degrees", [1, 3, 7, 30, 200])
def test_few_groups_make_fewer_deviates(degrees: int):
    for value in (0.5, 2.0, 3.0, 5.0):
        z = Estimate.normal(value, 1.0, float(degrees)).z
        assert z == pytest.approx(norm.isf(t.sf(value, degrees)), rel=0.05 if degrees == 1 else 0.012)
        assert Estimate.normal(-value, 1.0, float(degrees)).z == -z
    assert Estimate.normal(2.0, 1.0).z == 2.0 and Estimate.normal(1.0, 0.0).z == math.inf
    assert math.isnan(Estimate.normal(0.0, 0.0).z) and math.isnan(Estimate.normal(math.nan, math.nan).z)
