"""Fractions of drawn images that are right: their errors, over pairs too, and GenEval's categories."""

import math
from dataclasses import asdict, replace

import numpy as np
import pytest

from unclip.data.shapes.captions import CATEGORIES, Prompt, scored_prompts
from unclip.data.shapes.draw import Object, draw
from unclip.data.shapes.rates import GENEVAL, Rate, RateOverPairs, geneval, over_pairs, rates
from unclip.data.shapes.score import Score, score, score_each
from unclip.data.shapes.world import World

A, B = Object("circle", "red", "small", 7.0, 16.0), Object("square", "blue", "large", 22.0, 17.0)
SWAPPED = (replace(A, x=25.0), replace(B, x=10.0))
WANT = Prompt("a small red circle left of a large blue square", (A.kind, B.kind), "left of", "relation")
TWO = Prompt("a small red circle and a large blue square", (A.kind, B.kind), None, "two_seen")
ONE = Prompt("a small red circle", (A.kind,), None, "one_seen")


def test_rates_are_fractions_with_their_errors() -> None:
    images = [draw([A, B]), draw(SWAPPED), draw([A]), draw([A, B]), draw([A]), draw([B])]
    found = rates([WANT] * 4 + [ONE] * 2, score_each(images, [WANT] * 4 + [ONE] * 2))
    assert set(found) == {"relation", "one_seen"}
    of = found["relation"]
    assert of["whole"].fraction == of["relation"].fraction == 0.5
    assert of["whole"].n == 4
    assert of["whole"].error == pytest.approx(math.sqrt(0.5 * 0.5 / 4))
    assert of["objects"].fraction == pytest.approx(3.5 / 4)
    assert (of["relation_given_objects"].fraction, of["relation_given_objects"].n) == (pytest.approx(2 / 3), 3)
    assert asdict(found["one_seen"]["whole"]) == {"fraction": 0.5, "error": pytest.approx(0.5 / math.sqrt(2)), "n": 2}
    assert found["one_seen"]["relation"].n == 0
    assert math.isnan(found["one_seen"]["relation"].fraction)
    with pytest.raises(ValueError, match="6 images for 1 prompts"):
        rates([ONE], score_each(images, [ONE]))


def test_figures_of_unseen_pairs_carry_the_spread_over_pairs() -> None:
    world = World(seed=3)
    asked = scored_prompts(world, 8, categories=("one_unseen",))
    # All of the first two pairs are right, one of two of the third, none of the fourth.
    blank = np.full((32, 32, 3), 255, np.uint8)
    right = [i % 4 < 2 or (i % 4 == 2 and i < 4) for i in range(8)]
    images = [world.draw(scene) if good else blank for good, (_, scene) in zip(right, asked, strict=True)]
    prompts = [prompt for prompt, _ in asked]
    whole = rates(prompts, score_each(images, prompts))["one_unseen"]["whole"]
    assert isinstance(whole, RateOverPairs)
    names = [" ".join(prompt.unseen or ()) for prompt in prompts[:4]]
    assert {name: rate.fraction for name, rate in whole.by_pair.items()} == dict(
        zip(names, (1, 1, 0.5, 0), strict=True)
    )
    assert (whole.n, whole.fraction) == (8, 0.625)
    assert whole.error == pytest.approx(np.std([1, 1, 0.5, 0], ddof=1) / 2)
    assert whole.binomial == pytest.approx(math.sqrt(0.625 * 0.375 / 8))
    assert set(asdict(whole)["by_pair"][names[0]]) == {"fraction", "error", "n"}


def test_a_single_pair_has_no_spread() -> None:
    alone = over_pairs(Rate(0.5, 0.1, 25), {"red circle": Rate(0.5, 0.1, 25)})
    assert (alone.fraction, alone.binomial) == (0.5, 0.1) and math.isnan(alone.error)


def test_the_error_over_pairs_is_the_scatter_of_the_mean_where_the_binomial_one_is_not() -> None:
    draws, means, errors, binomials = np.random.default_rng(0), [], [], []
    for _ in range(1000):
        p = draws.beta(0.8, 1.2, size=4)  # pairs that differ as those of the demo do
        found = [Rate(float(draws.binomial(50, q)) / 50, 0.0, 50) for q in p]
        mean = sum(rate.fraction for rate in found) / 4
        rate = over_pairs(Rate(mean, math.sqrt(mean * (1 - mean) / 200), 200), dict(zip("abcd", found, strict=True)))
        means.append(rate.fraction)
        errors.append(rate.error)
        binomials.append(rate.binomial)
    scatter = np.std(means)
    assert np.sqrt(np.mean(np.square(errors))) == pytest.approx(scatter, rel=0.05)
    assert np.mean(binomials) < scatter / 4


@pytest.mark.parametrize(
    ("prompt", "objects", "right"),
    [
        (ONE, [A], {"single object", "colours", "counting"}),
        (ONE, [replace(A, size="large")], {"single object", "colours", "counting"}),  # GenEval asks for no size
        (ONE, [replace(A, colour="green")], {"single object", "counting"}),
        (ONE, [replace(A, shape="square")], {"counting"}),
        (ONE, [A, B], {"single object", "colours"}),  # surplus objects are right for all but counting
        (TWO, [A, B], {"two objects", "colour attribution", "counting"}),
        (TWO, [replace(A, colour="blue"), replace(B, colour="red")], {"two objects", "counting"}),
        (TWO, [A], set[str]()),
        (WANT, [A, B], {"position"}),
        (WANT, SWAPPED, set[str]()),
        (WANT, [A], set[str]()),
        (replace(ONE, category="three_seen"), [A], {"counting"}),
        (replace(ONE, category="one_unseen"), [A], set[str]()),
    ],
)
def test_what_is_right_in_genevals_sense(prompt: Prompt, objects: list[Object], right: set[str]) -> None:
    found = geneval([prompt], [score(draw(objects), prompt)])
    assert {name for name, rate in found.items() if name in GENEVAL and rate.fraction == 1} == right
    assert math.isnan(found["overall"].fraction) and math.isnan(found["overall"].error)


def test_two_of_one_shape_have_to_be_there_twice() -> None:
    twice = replace(TWO, objects=(A.kind, replace(B, shape="circle").kind))
    assert not score(draw([A, B]), twice).shapes_there
    assert score(draw([A, replace(B, shape="circle")]), twice).bindings_there


def test_a_perfect_model_is_right_in_everything() -> None:
    world = World(seed=1)
    asked = scored_prompts(world, 10)
    prompts = [prompt for prompt, _ in asked]
    scores = score_each([world.draw(scene) for _, scene in asked], prompts)
    found = geneval(prompts, scores)
    assert list(found) == [*GENEVAL, "overall"]
    assert [rate.fraction for rate in found.values()] == [1.0] * 7
    assert [rate.error for rate in found.values()] == pytest.approx([0.0] * 7, abs=1e-12)
    assert [rate.n for rate in found.values()] == [10, 10, 30, 10, 10, 10, 40]
    assert {metrics["whole"].fraction for metrics in rates(prompts, scores).values()} == {1.0}


def test_the_error_of_the_overall_figure_knows_that_the_six_share_images() -> None:
    draws, n = np.random.default_rng(1), 30
    prompts = [replace(ONE, category=category) for category in CATEGORIES for _ in range(n)]
    overall = []
    for _ in range(300):
        thrown = (draws.random((len(prompts), 4)) < (0.5, 0.6, 0.7, 0.3)).tolist()
        scores = [
            Score(False, 0, 1, False, False, False, count, related, there or bound, bound)
            for bound, there, count, related in thrown
        ]
        overall.append(geneval(prompts, scores)["overall"])
    scatter = np.std([rate.fraction for rate in overall])
    assert np.mean([rate.error for rate in overall]) == pytest.approx(scatter, rel=0.12)
