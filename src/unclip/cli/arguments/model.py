"""The run that a command works with, and its model: the one place that decides which.

1. --run RUN: a run's folder, or `box:NAME`, a model that ships with unclip.
2. Without it, for a command on images: the model that ships and drew the first of them, as the image itself says.
3. Else the first model that ships (`box`).
"""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

from cyclopts import Parameter

if TYPE_CHECKING:
    from unclip.box.shipped import Shipped
    from unclip.generation.base import ImageModel
    from unclip.runs.lora import Lora

    M = TypeVar("M", bound=ImageModel)
else:
    M = TypeVar("M")  # torch is imported when a model is opened, not before

Run = Annotated[
    Path | None,
    Parameter(
        help="A finished run folder, or box:NAME; by default the model that ships with unclip.", show_default=False
    ),
]


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


@Parameter(name="*")
@dataclass(frozen=True)
class Beside:
    """Small weights to lay beside a model, as they are typed."""

    lora: Annotated[
        Path | None,
        Parameter(help="Small weights of a run that was trained with --lora: the run, or its lora folder alone."),
    ] = None
    lora_scale: Annotated[float | None, Parameter(help="How much of them, 1 is all. Example: --lora-scale 0.7")] = None

    @property
    def small(self) -> "Lora | None":
        """As `unclip.load` takes them. Raises ValueError where there are none."""
        from unclip.runs.lora import Lora

        if self.lora is None and self.lora_scale is not None:
            raise ValueError(f"--lora-scale {self.lora_scale}: of which small weights? Add --lora RUN")
        return None if self.lora is None else Lora(self.lora, 1.0 if self.lora_scale is None else self.lora_scale)


def open_model(run: Path, kind: type[M], beside: Beside = Beside()) -> M:
    """The model that a finished run folder holds. Raises ValueError as `unclip.load` does."""
    from unclip.core.machine import prepare_memory
    from unclip.generation.load import load

    prepare_memory()
    return load(run, kind=kind, lora=beside.small)
