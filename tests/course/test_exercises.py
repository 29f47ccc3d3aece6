"""Every exercise: its own solution is right, what a reader may get wrong is told, and no answer is no answer."""

import re
from collections.abc import Callable
from typing import Any

import pytest
import torch

from unclip.course import check, solution
from unclip.course.catalog import units
from unclip.course.checking import exercises

NUMBERS = [(number, exercise) for unit in units() for number, exercise in exercises(str(unit.number)).items()]


def changed(function: Callable[..., Any], by: Callable[[Any], Any]) -> Callable[..., Any]:
    """The function, its result changed."""
    return lambda *given: by(function(*given))


def off(value: Any) -> Any:
    """A value that is near and wrong: the first of several numbers, a number or a tensor is moved, a truth turned."""
    if isinstance(value, tuple):
        return (off(value[0]), *value[1:])
    if isinstance(value, bool):
        return not value
    if isinstance(value, str):
        return f"not {value}"
    if isinstance(value, torch.Tensor) and value.dtype == torch.bool:
        return ~value
    if isinstance(value, list):
        return value[::-1] if value != value[::-1] else value[1:]
    return value + 1 if isinstance(value, int) else value * 1.02 + 0.003


def wrong(exercise: Any) -> Any:
    return off(exercise.answer) if exercise.value else changed(exercise.solution, off)


@pytest.mark.parametrize("number, exercise", NUMBERS, ids=[number for number, _ in NUMBERS])
def test_the_solution_is_right_and_what_is_nearly_right_is_not(number: str, exercise: Any) -> None:
    assert check(number, exercise.answer).right, check(number, exercise.answer)
    told = check(number, wrong(exercise))
    assert not told.right and "not yet" in str(told), told


@pytest.mark.parametrize("number, exercise", NUMBERS, ids=[number for number, _ in NUMBERS])
def test_no_answer_is_told(number: str, exercise: Any) -> None:
    given: Any = ... if exercise.value else (lambda *_: ...)
    assert "still yours" in str(check(number, given))
    assert not check(number, "rubbish" if exercise.value else (lambda *_: None)).right
    assert not check(number, None).right


@pytest.mark.parametrize("number, exercise", NUMBERS, ids=[number for number, _ in NUMBERS])
def test_the_solution_can_be_read(number: str, exercise: Any) -> None:
    shown = solution(number)
    assert shown.startswith("def ") and '"""' in shown
    compile(shown, number, "exec")


def test_an_exercise_that_raises_is_told() -> None:
    told = check("1.1", lambda x0, alpha_bar, eps: x0 / 0 + {}["a"])
    assert not told.right and "it raised KeyError" in str(told)


@pytest.mark.parametrize("number", ["1.9", "9.1", "x", "", "1"])
def test_an_exercise_that_is_not_there(number: str) -> None:
    with pytest.raises(ValueError, match="there is none of this number"):
        check(number, 1)


@pytest.mark.parametrize("unit", units(), ids=lambda unit: unit.stem)
def test_the_text_asks_for_every_exercise_once(unit: Any) -> None:
    known = list(exercises(str(unit.number)))
    assert re.findall(r"\*\*Exercise (\d\.\d+)\.\*\*", unit.text) == known
    assert re.findall(r'check\("(\d\.\d+)"', unit.text) == known
