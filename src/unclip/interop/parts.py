"""The parts of a pipeline of diffusers: settings and weights, each in a folder of its own."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from unclip.core.config.ranges import quote
from unclip.core.config.tables import read_json
from unclip.core.typing import Tensor
from unclip.interop import weights

CONFIG, SCHEDULER_CONFIG = "config.json", "scheduler_config.json"
NAMES = ("diffusion_pytorch_model", "model")
"""Of files of weights, without their ending: of diffusers, of transformers."""


def settings(folder: Path, kind: str, defaults: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of a part. defaults: of its class, where the file says nothing.

    Raises ValueError that names the file where it is of another class.
    """
    path = folder / CONFIG
    table = {**defaults, **read_json(path, f"the settings of a {kind}")}
    if table.get("_class_name", kind) != kind:
        raise ValueError(f"{path}: a {quote(table['_class_name'])}, and this part of the pipeline is a {kind}")
    return table


def check_fixed(table: Mapping[str, Any], fixed: Mapping[str, tuple[Any, ...]], path: Path) -> None:
    """Raises ValueError for a setting whose value unclip's network does not know. fixed: those that it does."""
    for name, known in fixed.items():
        value = table.get(name, known[0])
        value = tuple(value) if isinstance(value, list) else value
        if value not in known:
            raise ValueError(f"{path}: {name} = {quote(value)}: unclip's network has {' or '.join(map(str, known))}")


def tensors(folder: Path) -> tuple[dict[str, Tensor], Path]:
    """The weights of a part, and their file. Raises ValueError as `weights.find` and `weights.read` do."""
    file = weights.find(folder, tuple(f"{name}{half}.safetensors" for half in ("", ".fp16") for name in NAMES))
    return weights.read(file), file
