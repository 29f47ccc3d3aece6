"""The tables of what a decoder can be given: for `compare-priors` and `evaluate --trace`."""

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from unclip.figures.differences import deviate, difference_table, sentences

if TYPE_CHECKING:
    from rich.console import Group
    from rich.table import Table

Figures = Mapping[str, Any]
Read = Callable[[Figures], str]

NOTES = """\
Embeddings: cosine to the true image's, and to that of another caption's, less the mean;
ms: for each. Calibration: in a calibrated prior the cosine between two seeds
of a caption (repeat) equals the cosine to the truth; where it is larger,
samples are more alike than the truth is to them. z: errors away from 0.
Pictures: CLIP score with their caption, and with another; KID x 1000, by the run's CLIP.
± is a standard error."""
ABREAST = 2
"""Figures of which the differences stand side by side."""
OVER_PAIRS = "That of one_unseen is over its pairs of colour and shape, which training never shows."


def ways_table(ways: Mapping[str, Figures], paired: Figures) -> "Group":
    """Tables of the embeddings, of the priors' calibration, of the images and of the differences, a row a way; columns
    that no way has are left out."""
    from rich.console import Group

    exact = dict.fromkeys(category for metrics in ways.values() for category in metrics.get("exact", {}))
    scenes = {category.replace("_", "\n"): _rate(category) for category in exact}
    notes = f"{NOTES}\n{OVER_PAIRS}" if "one_unseen" in exact else NOTES
    tables = {"embeddings": EMBEDDINGS, "calibration": CALIBRATION, "images": PICTURES | scenes}
    parts: list[Table | str] = [
        part for title, columns in tables.items() for part in (_table(title, ways, columns), "")
    ]
    less = {"KID x 1000" if name == "KID" else name: _scaled(name, found) for name, found in paired.items()}
    for i in range(0, len(less), ABREAST):
        parts += [_differences(dict(list(less.items())[i : i + ABREAST]), ways), ""]
    return Group(*parts, *sentences(less), "", notes)


def _scaled(name: str, found: Figures) -> Figures:
    """A figure's differences in the unit of its column."""
    unit = 1000.0 if name == "KID" else 1.0
    less = {s: {**d, "mean": unit * d["mean"], "error": unit * d["error"]} for s, d in found["less"].items()}
    return {**found, "less": less}


def _differences(paired: Figures, ways: Iterable[str]) -> "Table":
    from rich.table import Table

    head, *body = difference_table(paired, ways)
    sheet = Table("differences", box=None, pad_edge=False, header_style="dim")
    for name in head[1:]:
        sheet.add_column(name, justify="right", no_wrap=True)
    for row in body:
        sheet.add_row(*row)
    return sheet


def _table(title: str, ways: Mapping[str, Figures], columns: Mapping[str, Read]) -> "Table":
    from rich.table import Table

    wanted = {head: read for head, read in columns.items() if any(read(metrics) for metrics in ways.values())}
    sheet = Table(title, box=None, pad_edge=False, header_style="dim")
    for head in wanted:
        sheet.add_column(head, justify="right", no_wrap=True)
    for name, metrics in ways.items():
        cells = [read(metrics) for read in wanted.values()]
        if any(cells):
            sheet.add_row(name, *cells)
    return sheet


def _rate(category: str) -> Read:
    def read(metrics: Figures) -> str:
        rate = metrics["exact"][category]
        return f"{rate['fraction']:.0%} ± {rate['error']:.0%}"

    return read


def _trained(metrics: Figures) -> str:
    failed = "" if metrics.get("passed", True) else "\ngate failed"
    return f"{metrics['trained']:,.0f} s{failed}" if "trained" in metrics else ""


def _mean(group: str, name: str, error: str, scale: float = 1.0, digits: int = 3) -> Read:
    def read(metrics: Figures) -> str:
        found = metrics.get(group, {})
        return f"{scale * found[name]:.{digits}f} ± {scale * found[error]:.{digits}f}" if name in found else ""

    return read


def _plain(group: str, name: str) -> Read:
    return lambda metrics: f"{metrics[group][name]:.3f}" if group in metrics else ""


EMBEDDINGS: dict[str, Read] = {
    "trained": _trained,
    "cosine": _mean("embedding", "matched", "matched_error"),
    "other": _plain("embedding", "shuffled"),
    "ms": lambda metrics: f"{metrics['ms']:.1f}" if "ms" in metrics else "",
}
"""Head -> what stands below it for a way's figures, "" where it has none."""
CALIBRATION: dict[str, Read] = {
    "repeat": _plain("repeat", "mean"),
    "cosine": lambda metrics: f"{metrics['embedding']['matched']:.3f}" if "repeat" in metrics else "",
    "repeat\nless cosine": _mean("repeat_less_cosine", "mean", "error"),
    "z": lambda metrics: deviate(found["z"]) if (found := metrics.get("repeat_less_cosine")) else "",
    "": lambda metrics: metrics.get("calibration", "").split(":")[0].replace(" within", "\nwithin"),
}
"""Whether a prior samples as widely as the truth does."""
PICTURES: dict[str, Read] = {
    "CLIP": _mean("clip_score", "matched", "matched_error"),
    "other": _plain("clip_score", "shuffled"),
    "KID": _mean("kid", "mean", "error", 1000.0, 1),
}
