"""The run that a command works with, and its model: the one place that decides which.

1. --run RUN: a run's folder, or `box:NAME`, a model that ships with unclip.
2. Without it, for a command on images: the model that ships and drew the first of them, as the image itself says.
3. Else the first model that ships (`box`).
"""

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

from cyclopts import Parameter

from unclip.cli.arguments.beside import laid_beside

if TYPE_CHECKING:
    from unclip.box.shipped import Shipped
    from unclip.generation.base import ImageModel

    M = TypeVar("M", bound=ImageModel)
else:
    M = TypeVar("M")  # torch is imported when a model is opened, not before

Run = Annotated[
    Path | None,
    Parameter(
        help="A finished run folder, or box:NAME; by default the model that ships with unclip.", show_default=False
    ),
]


def _own(_: object, run: Path | None) -> None:
    """Raises ValueError for a model that ships: it has the weights of a run, not its data and logs."""
    from unclip.box.shipped import named

    if run is not None and named(run) is not None:
        raise ValueError(
            "it ships without the images and logs of its training, which are needed here; name the folder of a run that"
            " `unclip train DATA --out RUN` made"
        )


OwnRun = Annotated[Path, Parameter(validator=_own)]
"""The folder of a run that was trained here, with its data; the argument adds its help."""


def chosen(run: Path | None, images: Sequence[Path] = ()) -> Path:
    """The folder of the run to work with; says in a line on stderr where that is one which nobody named.

    images: what the command works on. Raises ValueError where no model ships, or it is damaged.
    """
    from unclip.box.shipped import find, shipped
    from unclip.cli.screen.console import stderr

    if run is not None:
        return find(run)
    drawn, by = _drawn(images)
    model = shipped(by)
    why = f" and drew {drawn}" if drawn else ""
    stderr().print(f"using the model that ships with unclip{why} ({described(model)}); yours: --run RUN", style="dim")
    return model.folder


def described(model: "Shipped") -> str:
    """ "emoji, 64 px"."""
    return f"{model.name}, {model.size} px"


def _drawn(images: Sequence[Path]) -> tuple[Path | None, str]:
    """The first image that a model of the box drew, and the name of that; without one None and ""."""
    if not images:
        return None, ""
    from unclip.box.shipped import drew
    from unclip.images.files import read_about

    for image in images:
        with suppress(ValueError, OSError):  # no image, or not ours: the command itself will say so
            if name := drew(read_about(image).get("model")):
                return image, name
    return None, ""


def open_model(run: Path, kind: type[M]) -> M:
    """The model that a finished run folder holds, with the small weights that were typed (`beside`).

    Raises ValueError as `unclip.load` does.
    """
    from unclip.core.machine import prepare_memory
    from unclip.generation.load import load

    prepare_memory()
    return load(run, kind=kind, lora=laid_beside())
