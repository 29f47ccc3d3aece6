"""Pictures on the page: inline in a notebook; in a script as files, whose names are said."""

import base64
import itertools
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PIL import Image

from unclip.core.disk.atomic import write_atomic
from unclip.core.typing import Images
from unclip.figures import style
from unclip.images.files import encoded, grid, to_pictures

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FOLDER, WIDE = Path("course-pictures"), 720
"""Where a script's pictures go; how wide a strip of images is shown at most, px."""
_numbers = itertools.count(1)


def rows(x: Images, columns: int = 8, zoom: int = 0) -> Image.Image:
    """Images as a sheet.

    Args:
        x: [n, c, h, w] in [-1, 1]; what lies outside is clamped.
        columns: images in a row.
        zoom: how many pixels a side of one becomes; 0: as many as fit the width of a page.
    """
    made = [each.convert("RGB") for each in to_pictures(x)]
    across = min(columns, len(made))
    return grid(
        [made[first : first + columns] for first in range(0, len(made), columns)],
        zoom=zoom or max(1, WIDE // (max(across, 4) * x.shape[-1])),
    )


def show(what: "Image.Image | Images | Figure | Sequence[Image.Image]", labels: Sequence[str] = ()) -> None:
    """Shows a picture: images as a tensor [n, c, h, w] or a list, one image, or a figure of matplotlib.

    In a notebook it stands on the page; a script writes it into the folder `course-pictures` and says where.

    Args:
        what: the picture.
        labels: of a list: what to write above each.
    """
    data = _drawn(what, labels)
    if (shell := _notebook()) is not None:
        shell.display_pub.publish({"image/png": base64.b64encode(data).decode(), "text/plain": "a picture"})
        return
    path = FOLDER / f"{next(_numbers)}.png"
    path.parent.mkdir(exist_ok=True)
    write_atomic(path, data)
    sys.stdout.write(f"drew {path}\n")


def _drawn(what: Any, labels: Sequence[str]) -> bytes:
    """The bytes of a PNG."""
    if isinstance(what, list | tuple):
        what = _strip([each.convert("RGB") for each in what], labels)
    if hasattr(what, "savefig"):
        return style.drawn(what, ".png")
    return encoded(what if isinstance(what, Image.Image) else rows(what), ".png", optimize=True)


def _strip(made: Sequence[Image.Image], labels: Sequence[str]) -> Image.Image:
    """A row of images, each below its label; in rows of eight where there is none."""
    zoom = max(1, WIDE // (max(min(len(made), 8), 4) * made[0].width))
    if labels:
        return grid([made], zoom=zoom, heads=labels)
    return grid([made[first : first + 8] for first in range(0, len(made), 8)], zoom=zoom)


def _notebook() -> Any:
    """The shell of the kernel that runs this, which can show a picture on its page; None in a script."""
    found = sys.modules.get("IPython")
    shell = found.get_ipython() if found is not None else None
    return shell if getattr(shell, "kernel", None) is not None else None


def plots(n: int, width: float = 4.2, height: float = 3.2) -> "tuple[Figure, list[Any]]":
    """A figure with n panels side by side, and the panels (axes of matplotlib).

    Raises ValueError that names the package where matplotlib is missing.
    """
    figure, [panels] = style.canvas(1, n, n * width, height)
    for panel in panels:
        style.tidy(panel, style.SMALL)
    return figure, panels
