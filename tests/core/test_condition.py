"""Operations on conditions touch every part, in the right place."""

from dataclasses import replace

import pytest
import torch
from tests.fakes import draw

from unclip.core.condition import Condition


def condition(key: str, n: int = 3) -> Condition:
    return Condition(
        vector=draw(n, 4, key=key),
        tokens=draw(n, 5, 6, key=key),
        mask=draw(n, 5, key=key + "mask") > 0,
        image=draw(n, 3, 4, 4, key=key),
    )


def rows(c: Condition, index: list[int]) -> Condition:
    return c.map(lambda t: t[index])


def assert_same(a: Condition, b: Condition) -> None:
    for name, value in vars(a).items():
        other = getattr(b, name)
        assert (value is None and other is None) or torch.equal(value, other), name


def test_where_takes_whole_samples():
    a, b = condition("a"), condition("b")
    mixed = Condition.where(torch.tensor([True, False, True]), a, b)
    assert_same(rows(mixed, [0, 2]), rows(a, [0, 2]))
    assert_same(rows(mixed, [1]), rows(b, [1]))


def test_cat_joins_along_the_batch():
    a, b = condition("a"), condition("b")
    assert_same(rows(Condition.cat([a, b]), [0, 1, 2]), a)
    assert_same(rows(Condition.cat([a, b]), [3, 4, 5]), b)


@pytest.mark.parametrize("masked", [True, False])
def test_cat_fills_up_fewer_tokens_with_masked_ones(masked: bool):
    long, short = (Condition(tokens=draw(2, n, 6, key=n), mask=torch.ones(2, n).bool()) for n in (5, 3))
    joined = Condition.cat([long, short] if masked else [replace(c, mask=None) for c in (long, short)])
    assert_same(rows(joined, [0, 1]), long)
    assert torch.equal(joined.tokens[2:, :3], short.tokens) and not joined.tokens[2:, 3:].any()  # pyright: ignore
    assert torch.equal(joined.mask[2:], torch.tensor([[True] * 3 + [False] * 2] * 2))  # pyright: ignore


def test_repeat_keeps_copies_together():
    a = condition("a", 2)
    assert_same(a.repeat(3), rows(a, [0, 0, 0, 1, 1, 1]))


def test_absent_parts_stay_absent():
    only = Condition(vector=draw(2, 4))
    for made in (only.repeat(2), Condition.cat([only, only]), Condition.where(torch.tensor([True, False]), only, only)):
        assert made.tokens is made.mask is None
        assert made.vector is not None


def test_unlike_conditions_do_not_mix():
    with pytest.raises(AssertionError, match="vector"):
        Condition.cat([Condition(vector=draw(2, 4)), Condition()])
