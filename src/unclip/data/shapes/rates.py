"""Scores of many images of the drawn world as fractions with their errors: by category, and GenEval's six.

Images of one unseen pair resemble each other far more than images of two: what is right of 50 red triangles says little
of blue circles. So a figure of unseen pairs is the mean over pairs, and its error comes from their spread (pairs as
clusters):

    p = mean_g p_g        error = sqrt( sum_g (p_g - p)^2 / (G (G - 1)) )        (G pairs; p_g: of pair g's images)

With G = 4 this error has three degrees of freedom: an interval of 95 % is p +- 3.2 errors.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from unclip.data.shapes.captions import Prompt
from unclip.data.shapes.pairs import named
from unclip.data.shapes.score import Score


@dataclass(frozen=True)
class Rate:
    """A fraction of `n` images and its standard error, the binomial one (both nan where n is 0)."""

    fraction: float
    error: float
    n: int


@dataclass(frozen=True)
class RateOverPairs(Rate):
    """A fraction whose `error` is that over pairs (nan for a single one); binomial: as if all images were alike.

    by_pair: "red triangle" -> the fraction of that pair's images, with its binomial error.
    """

    binomial: float
    by_pair: dict[str, Rate]


Scored = tuple[Prompt, Score]
Value = Callable[[Score], float | bool | None]
"""What a figure takes of a score; None: the score does not count."""

FIGURES: dict[str, Value] = {
    "whole": lambda s: s.whole,
    # A mean of fractions: the binomial error is an upper bound for it.
    "objects": lambda s: s.objects_right / s.wanted,
    "colours": lambda s: s.colours_right,
    "shapes": lambda s: s.shapes_right,
    "sizes": lambda s: s.sizes_right,
    "count": lambda s: s.count_right,
    "relation": lambda s: s.relation_right,
    # Among images that have both objects a model that ignores the word is right one time in four.
    "relation_given_objects": lambda s: s.relation_right if s.objects_right == s.wanted else None,
}
"""What is taken of each category."""
GENEVAL: dict[str, tuple[tuple[str, ...], Callable[[Score], bool]]] = {
    "single object": (("one_seen",), lambda s: s.shapes_there),
    "two objects": (("two_seen",), lambda s: s.shapes_there),
    "counting": (("one_seen", "two_seen", "three_seen"), lambda s: s.count_right),
    "colours": (("one_seen",), lambda s: s.bindings_there),
    "position": (("relation",), lambda s: s.relation_right is True),
    "colour attribution": (("two_seen",), lambda s: s.bindings_there),
}
"""GenEval's six (Ghosh et al. 2023): the categories whose images each is taken over, and when an image is right."""


def rates(prompts: Sequence[Prompt], scores: Sequence[Score]) -> dict[str, dict[str, Rate]]:
    """Category -> figure -> `Rate` over images, by the prompts they answer (`score_each`); of unseen pairs
    `RateOverPairs`.

    Figures: "whole", "objects", "colours", "shapes", "sizes", "count", "relation", and "relation_given_objects".
    """
    grouped: defaultdict[str, list[Scored]] = defaultdict(list)
    for prompt, scored in zip(prompts, scores, strict=True):
        grouped[prompt.category].append((prompt, scored))
    return {c: {name: _rate(some, value) for name, value in FIGURES.items()} for c, some in grouped.items()}


def geneval(prompts: Sequence[Prompt], scores: Sequence[Score]) -> dict[str, Rate]:
    """GenEval's six, and "overall", their mean; nan where a category is missing.

    The six share images. The error of their mean is that of the sum over images of what each adds to it,

        u_i = sum_k right_k(i) / (6 n_k)        error^2 = sum_c n_c Var_{i in c}(u_i)        (categories c of prompts)

    and n is the number of images.
    """
    found, parts = dict[str, Rate](), dict[str, np.ndarray]()
    of = {c: [s for p, s in zip(prompts, scores, strict=True) if p.category == c] for c in _categories()}
    for name, (categories, right) in GENEVAL.items():
        values = {c: np.asarray([right(s) for s in of[c]], dtype=float) for c in categories}
        found[name] = _binomial(np.concatenate(list(values.values())).tolist())
        for c, value in values.items():
            parts[c] = parts.get(c, 0.0) + value / (len(GENEVAL) * max(1, found[name].n))
    mean = sum(rate.fraction for rate in found.values()) / len(found)
    variance = sum(len(part) * float(part.var()) for part in parts.values() if len(part))
    images = sum(len(part) for part in parts.values())
    return {**found, "overall": Rate(mean, math.sqrt(variance) if math.isfinite(mean) else math.nan, images)}


def _categories() -> list[str]:
    """Those that GenEval's six are taken over."""
    return list(dict.fromkeys(c for categories, _ in GENEVAL.values() for c in categories))


def _rate(scored: Sequence[Scored], value: Value) -> Rate:
    found = [(prompt.unseen, float(figure)) for prompt, s in scored if (figure := value(s)) is not None]
    whole = _binomial([figure for _, figure in found])
    by_pair = {
        named(pair): _binomial([figure for other, figure in found if other == pair])
        for pair in dict.fromkeys(pair for pair, _ in found)
        if pair is not None
    }
    return over_pairs(whole, by_pair) if by_pair else whole


def over_pairs(whole: Rate, by_pair: Mapping[str, Rate]) -> RateOverPairs:
    """The mean over pairs, with the error that their spread gives."""
    fractions = np.asarray([rate.fraction for rate in by_pair.values()])
    count = len(fractions)
    error = float(fractions.std(ddof=1)) / math.sqrt(count) if count > 1 else math.nan
    return RateOverPairs(float(fractions.mean()), error, whole.n, whole.error, dict(by_pair))


def _binomial(values: Sequence[float]) -> Rate:
    n = len(values)
    p = sum(values) / n if n else math.nan
    return Rate(p, math.sqrt(p * (1 - p) / n) if n else math.nan, n)
