"""The table of what a decoder can be given: for `compare-priors` and `evaluate --trace`."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.table import Table

Figures = Mapping[str, Any]

NOTES = """\
cosine, other: of the embedding to the true one, and to that of another caption, both less the mean; repeat: of two
seeds. CLIP, other: CLIP score of the pictures with their caption, and another. KID: x 1000, by the run's CLIP. Errors
are standard errors."""


def ways_table(ways: Mapping[str, Figures]) -> "Table":
    """A row a way; columns that no way has are left out."""
    from rich.table import Table

    wanted = {head: read for head, read in COLUMNS.items() if any(read(figures) for figures in ways.values())}
    exact = list(dict.fromkeys(category for figures in ways.values() for category in figures.get("exact", {})))
    sheet = Table(
        "", *wanted, *exact, box=None, pad_edge=False, header_style="dim", caption=NOTES, caption_justify="left"
    )
    for column in sheet.columns[1:]:
        column.justify, column.no_wrap = "right", True
    for name, figures in ways.items():
        cells = [read(figures) for read in wanted.values()]
        sheet.add_row(name, *cells, *(_rate(figures["exact"][category]) for category in exact))
    return sheet


def _rate(rate: Figures) -> str:
    return f"{rate['fraction']:.0%} ± {rate['error']:.0%}"


def _trained(figures: Figures) -> str:
    failed = "" if figures.get("passed", True) else " (gate failed)"
    return f"{figures['trained']:,.0f} s{failed}" if "trained" in figures else ""


def _mean(group: str, name: str, error: str, scale: float = 1.0, digits: int = 3) -> Callable[[Figures], str]:
    def read(figures: Figures) -> str:
        found = figures.get(group, {})
        return f"{scale * found[name]:.{digits}f} ± {scale * found[error]:.{digits}f}" if name in found else ""

    return read


def _plain(group: str, name: str) -> Callable[[Figures], str]:
    return lambda figures: f"{figures[group][name]:.3f}" if group in figures else ""


COLUMNS: dict[str, Callable[[Figures], str]] = {
    "trained": _trained,
    "cosine": _mean("embedding", "matched", "matched_error"),
    "other": _plain("embedding", "shuffled"),
    "repeat": _mean("repeat", "mean", "error", digits=2),
    "CLIP": _mean("clip_score", "matched", "matched_error"),
    "other ": _plain("clip_score", "shuffled"),
    "KID": _mean("kid", "mean", "error", 1000.0, 1),
    "ms": lambda figures: f"{figures['ms']:.1f}" if "ms" in figures else "",
}
"""Head -> what stands below it for a way's figures, "" where it has none."""
