"""Clean figures for the files that draw with matplotlib, which is imported when something is drawn."""

import importlib.util
import io
from pathlib import Path
from typing import TYPE_CHECKING

from unclip.core.disk.atomic import write_atomic
from unclip.core.imports.missing import install

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

DPI = 110
INK, FAINT, RULE = "#1c2024", "#9aa4af", "#edeff2"
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
"""Okabe and Ito's colours, told apart with any eyes."""
HEAD, BODY, SMALL = 15, 13, 11
"""Sizes of letters on a slide, in points, at a figure's width of about 12 inches."""


def available() -> bool:
    """Whether matplotlib is here."""
    return importlib.util.find_spec("matplotlib") is not None


def canvas(rows: int, columns: int, width: float, height: float) -> "tuple[Figure, list[list[Axes]]]":
    """A figure of rows x columns panels, sizes in inches, without pyplot and so without any window or global state.

    Raises ValueError that names the extra where matplotlib is missing.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ValueError(install("plots need", "matplotlib")) from error
    figure = Figure(figsize=(width, height), dpi=DPI, layout="constrained")
    return figure, [list(row) for row in figure.subplots(rows, columns, squeeze=False)]


def tidy(ax: "Axes", letters: int = BODY) -> None:
    """Two spines, a faint grid behind the data, letters of one size."""
    ax.spines[["top", "right"]].set_visible(False)
    ax.tick_params(labelsize=letters - 1, colors=INK)
    ax.grid(color=RULE, linewidth=0.8)
    ax.set_axisbelow(True)


def bare(ax: "Axes") -> None:
    """No axes at all: only what is drawn, equally scaled in both directions."""
    ax.set_aspect("equal")
    ax.set_xticks([])
    ax.set_yticks([])
    ax.spines[:].set_color(RULE)


def save(figure: "Figure", out: Path) -> None:
    """Writes the figure in one step; its folder is made."""
    write_atomic(out, drawn(figure, out.suffix))


def drawn(figure: "Figure", suffix: str) -> bytes:
    """The bytes of the figure's file; suffix: ".png", ".pdf", ..."""
    data = io.BytesIO()
    figure.savefig(data, format=suffix[1:])
    return data.getvalue()
