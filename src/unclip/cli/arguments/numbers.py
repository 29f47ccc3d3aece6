"""Numbers on the command line mean what they say: 2.5 is not a whole number (cyclopts would round it), nan is none."""

import math
import re
from collections.abc import Sequence
from typing import Any

import cyclopts
from cyclopts import Token

from unclip.core.config.ranges import quote


def strict_number(kind: Any, tokens: Sequence[Token]) -> Any:
    """As cyclopts reads an option, but for numbers that are not of its kind. Raises ValueError that says so."""
    if kind in (int, int | None, float, float | None):
        whole = kind in (int, int | None)
        for token in tokens:
            if not (re.fullmatch(r"[+-]?\d{1,30}", token.value) if whole else is_number(token.value)):
                raise ValueError(
                    f"{quote(token.value)} is not a {'whole number, as 4 is' if whole else 'number, as 1.5 is'}"
                )
    return cyclopts.convert(kind, tokens)


def is_number(text: str) -> bool:
    """Whether a word is a number, and not nan."""
    try:
        return not math.isnan(float(text))
    except ValueError:
        return False
