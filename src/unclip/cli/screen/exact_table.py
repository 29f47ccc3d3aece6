"""The tables of the exact score: for `evaluate --data shapes`."""

import math
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Group
    from rich.table import Table

Rate = Mapping[str, Any]
Scores = Mapping[str, Mapping[str, Any]]

PARTS = ("objects", "count", "colours", "shapes", "sizes")
"""What is said of each category beside whole scenes."""
NOTES = """\
± is a standard error: over the pairs where pairs were never seen (n images, equally many of
each pair; binomial: as if all images were alike), else binomial. --json has all of them.
geneval: GenEval's categories in this closed world, read by an exact parser; overall is their mean."""


def is_exact(scores: Mapping[str, Any]) -> bool:
    """Whether these are scores of drawn shapes."""
    return "geneval" in scores


def exact_table(scores: Scores) -> "Group":
    """A row a category; the unseen ones also by pair; the relation beside chance; GenEval's six."""
    from rich.console import Group

    categories = {name: metrics for name, metrics in scores.items() if "whole" in metrics}
    about = f"pairs never seen: {_pool(scores['unseen_pairs'])}"
    by_pair = _by_pair(categories)
    parts = [_categories(categories), about, *([by_pair] if by_pair else ()), *_relation(categories)]
    return Group(*_spaced([*parts, _geneval(scores["geneval"]), NOTES]))


def _spaced(parts: list[Any]) -> Iterator[Any]:
    for i, part in enumerate(parts):
        yield from ("", part) if i else (part,)


def _sheet(first: str, *heads: str) -> "Table":
    from rich.table import Table

    sheet = Table(first, box=None, pad_edge=False, header_style="dim")
    for head in heads:
        sheet.add_column(head, justify="right", no_wrap=True)
    return sheet


def _categories(categories: Scores) -> "Table":
    sheet = _sheet("", "n", "whole scene right", "binomial", *PARTS)
    for name, metrics in categories.items():
        whole = metrics["whole"]
        binomial = f"± {whole['binomial']:.1%}" if "by_pair" in whole else ""
        parts = (f"{metrics[part]['fraction']:.0%}" for part in PARTS)
        sheet.add_row(name, str(whole["n"]), percent(whole), binomial, *parts)
    return sheet


def _by_pair(categories: Scores) -> "Table | None":
    """Whole scenes right, a column a pair; None where nothing was asked of unseen pairs."""
    found = {name: m["whole"]["by_pair"] for name, m in categories.items() if "by_pair" in m["whole"]}
    if not found:
        return None
    pairs = list(dict.fromkeys(pair for rates in found.values() for pair in rates))
    sheet = _sheet("whole scene right", *pairs)
    for name, rates in found.items():
        sheet.add_row(name, *(f"{rates[pair]['fraction']:.0%}" for pair in pairs))
    return sheet


def _relation(categories: Scores) -> Iterator[str]:
    if (rate := categories.get("relation", {}).get("relation_given_objects")) is not None:
        right = f"right in {percent(rate)} of {rate['n']}" if rate["n"] else "unknown: there are none"
        yield f"relation, of the images that have both objects right: {right} (chance 25%)"


def _geneval(metrics: Mapping[str, Rate]) -> "Table":
    sheet = _sheet("geneval", "right", "n")
    for name, rate in metrics.items():
        sheet.add_row(name, percent(rate), str(rate["n"]))
    return sheet


def percent(rate: Rate) -> str:
    """A fraction with its error, as "50.0% ± 10.0%"."""
    error = f" ± {rate['error']:.1%}" if math.isfinite(rate["error"]) else ""  # of a single pair it cannot be known
    return f"{rate['fraction']:.1%}{error}"


def _pool(about: Mapping[str, Any]) -> str:
    if about["pool"] is None:
        return ", ".join(about["pairs"])
    return f"set {about['set']} of 0 to 5, {about['pool']} pool"
