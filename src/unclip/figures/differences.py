"""Differences of settings as tables and sentences, for the terminal and for pages.

Both read what `evaluation.sets.beside` writes: figure -> {"base", "best", "less": setting -> mean, error, z, clear}.
"""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

Compared = Mapping[str, Mapping[str, Any]]

PAIRED = """The settings share captions and seeds, and what those bring cancels in a difference: its error, after the ±,
is smaller than the errors of the two figures suggest. z: how many errors it is from 0, as of a normal distribution;
above 3 it counts as clear. The best setting was chosen by these very images, which favours it: 2 would be too few."""


def difference_table(compared: Compared, settings: Iterable[str]) -> list[Sequence[str]]:
    """A row a setting, a column a figure; the first row is the head. Nothing where nothing could be compared."""
    rows = [[setting, *(_cell(setting, found) for found in compared.values())] for setting in settings]
    return [["", *compared], *(row for row in rows if any(row[1:]))] if compared else []


def sentences(compared: Compared) -> Iterator[str]:
    """A line a figure: which differences are clear, and which were not shown."""
    for name, found in compared.items():
        base, less = found["base"], found["less"]
        clear = [f"{s} ({signed(d)})" for s, d in less.items() if d["clear"]]
        unclear = [f"{s} ({signed(d)})" for s, d in less.items() if not d["clear"]]
        parts = [f"{name}: best at {base}" if found["best"] else f"{name}, less that of {base}"]
        parts += [f"clear (|z| > 3) at {', '.join(clear)}"] if clear else []
        parts += [f"no difference shown between {base} and {', '.join(unclear)}"] if unclear else []
        yield "; ".join(parts) + "."


def calibration_sentence(metrics: Mapping[str, Any]) -> str:
    """What the repeat beside the cosine to the truth says of a prior; "" where it is not known."""
    if "repeat_less_cosine" not in metrics:
        return ""
    difference, verdict = metrics["repeat_less_cosine"], metrics["calibration"]
    return (
        f"Two samples for one caption have a cosine of {metrics['repeat']['mean']:.3f}; in a calibrated prior it is "
        f"that of a sample and the truth, here {metrics['repeat']['mean'] - difference['mean']:.3f}. "
        f"Repeat less cosine: {signed(difference)}, z {deviate(difference['z'])}. "
        f"The prior is {verdict}{MEANING.get(verdict, '')}."
    )


DIGITS = 5
"""The most behind the point."""
MEANING = {
    "under-dispersed": ": its samples are more alike than the truth is to them, it is surer than it may be",
    "over-dispersed": ": its samples differ more than the truth does from them, it is less sure than it could be",
}


def signed(difference: Mapping[str, Any]) -> str:
    """The difference with its sign and its error, to two digits of the error."""
    mean, error = difference["mean"], difference["error"]
    digits = min(max(1 - math.floor(math.log10(error)), 0), DIGITS) if 0 < error < math.inf else 3
    return f"{mean:+.{digits}f} ± {error:.{digits}f}"


def _cell(setting: str, found: Mapping[str, Any]) -> str:
    if setting == found["base"]:
        return "best" if found["best"] else "base"
    difference = found["less"].get(setting)
    return "" if difference is None else f"{signed(difference)} z {deviate(difference['z'])}"


def deviate(z: float | None) -> str:
    """z, to a digit below 10; a dash where it is none (nan, or infinite as JSON has it): equal values have no error."""
    if z is None or not math.isfinite(z):
        return "-"
    return f"{z:+.1f}" if abs(z) < 10 else f"{z:+.0f}"
