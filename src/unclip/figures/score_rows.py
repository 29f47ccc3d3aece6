"""Scores as rows of text, for the terminal and for pages."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

DRAWN = ("octaves", "rate_distortion")
"""Figures that are drawn instead of printed."""


def rows(scores: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """(group, name, value) of every figure; the group is named in its first row only."""
    for group, metrics in scores.items():
        if group in DRAWN:
            continue
        inner = metrics if isinstance(metrics, Mapping) and "mean" not in metrics else {"": metrics}
        for i, (name, value) in enumerate(_flat(inner)):
            yield (group if i == 0 else "", name, value)


def side_by_side(groups: Mapping[str, Mapping[str, Any]]) -> list[Sequence[str]]:
    """Figures of the same names in columns, a group each; the first row is the head."""
    columns = {group: dict(_flat(metrics)) for group, metrics in groups.items()}
    names = list(dict.fromkeys(name for column in columns.values() for name in column))
    return [["", *columns], *([name, *(column.get(name, "") for column in columns.values())] for name in names)]


def said(value: object) -> str:
    """One figure, with its standard error where it has one."""
    if isinstance(value, Mapping):
        return f"{value['mean']:.4g} ± {value['error']:.2g}"
    return f"{value:,.4g}" if isinstance(value, float) else f"{value}"


def _flat(metrics: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for name, value in metrics.items():
        if name in DRAWN:
            continue
        if isinstance(value, Mapping) and "mean" not in value:
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield prefix + name, said(value)
