"""`--lora` and `--lora-scale` for every command that draws."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ParamSpec

from cyclopts import Parameter

from unclip.cli.arguments.with_option import with_option
from unclip.core.watching import during

if TYPE_CHECKING:
    from unclip.runs.lora import Lora

P = ParamSpec("P")

LORA = Annotated[
    Path | None,
    Parameter(help="Small weights of a run that was trained with --lora: the run, or its lora folder alone."),
]
SCALE = Annotated[float | None, Parameter(help="How much of them, 1 is all. Example: --lora-scale 0.7")]

_PATH: ContextVar[Path | None] = ContextVar("lora", default=None)
_SCALE: ContextVar[float | None] = ContextVar("lora_scale", default=None)


def beside(command: Callable[P, None]) -> Callable[P, None]:
    """The command with options `--lora` and `--lora-scale`; `open_model` lays those weights beside the model."""
    return with_option(with_option(command, "lora", LORA, _kept(_PATH)), "lora_scale", SCALE, _kept(_SCALE))


def _kept(where: ContextVar[Any]) -> Callable[[Any], AbstractContextManager[object]]:
    return lambda value: during(where, value)


def laid_beside() -> "Lora | None":
    """The small weights that were typed, as `unclip.load` takes them.

    Raises ValueError where there are none, or a scale alone was typed.
    """
    return small(_PATH.get(), _SCALE.get())


def small(path: Path | None, scale: float | None) -> "Lora | None":
    """Small weights and how much of them. Raises ValueError where there are none, or for a scale alone."""
    from unclip.runs.lora import Lora

    if path is None and scale is not None:
        raise ValueError(f"--lora-scale {scale}: of which small weights? Add --lora RUN")
    return None if path is None else Lora(path, 1.0 if scale is None else scale)
