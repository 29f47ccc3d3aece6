"""Small weights beside a run, a folder a stage, as peft keeps them: what a style or a subject adds to a model.

    RUN/lora/decoder/adapter_config.json  adapter_model.safetensors

The names in the file are peft's, `base_model.model.LAYER.lora_A.weight`; the config says of which model it is.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from torch import Tensor

from unclip.core.config.ranges import quote
from unclip.core.config.tables import read_json
from unclip.core.disk.atomic import write_folder
from unclip.core.disk.store import sha256
from unclip.core.shown import printable
from unclip.core.untyped import load_tensors, save_tensors
from unclip.nn.lora import layers_of

FOLDER = "lora"
"""Below a run's root."""
HEAD, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
PREFIX = "base_model.model."
OTHERS = ("use_dora", "use_rslora", "rank_pattern", "alpha_pattern", "modules_to_save")
"""What an adapter of peft may have besides, and is not read here."""


def write_lora(place: Path, small: Mapping[str, Tensor], rank: int, start: str, model: str) -> str:
    """Writes the small weights of a stage into the folder `place`; returns the SHA-256 of the file.

    start, model: the run that they stand beside, as it was named, and its hash.
    """
    exactly = "|".join(re.escape(layer) for layer in layers_of(small))  # a list would also take names that end so
    head = {
        "peft_type": "LORA",
        "base_model_name_or_path": start,
        "revision": model,
        "r": rank,
        "lora_alpha": rank,
        "lora_dropout": 0.0,
        "bias": "none",
        "target_modules": exactly,
        "inference_mode": True,
    }
    plain = {f"{PREFIX}{name}": value.detach().contiguous().cpu() for name, value in small.items()}

    def fill(folder: Path) -> None:
        (folder / HEAD).write_text(json.dumps(head, indent=1) + "\n", encoding="utf-8")
        save_tensors(plain, folder / WEIGHTS, {"format": "pt"})
        (folder / WEIGHTS).chmod((folder / HEAD).stat().st_mode)

    write_folder(place, fill)
    return sha256(place / WEIGHTS)


@dataclass(frozen=True)
class Small:
    """The small weights of a stage. path: of their file. scale: what B A is to be multiplied by."""

    path: Path
    tensors: dict[str, Tensor]
    scale: float
    sha256: str


def read_lora(place: Path) -> Small:
    """Reads the small weights of a stage.

    Raises ValueError that names the file for one that is damaged, or not LoRA's.
    """
    head = read_json(place / HEAD, "the settings of small weights")
    rank, alpha = _above(head.get("r")), _above(head.get("lora_alpha"))
    if head.get("peft_type") != "LORA" or not rank or not alpha:
        raise ValueError(f"{place / HEAD}: peft_type, r, lora_alpha: not the settings of LoRA")
    if odd := next((name for name in OTHERS if head.get(name)), None):
        raise ValueError(f"{place / HEAD}: {odd} = {quote(head[odd])}: unclip reads plain LoRA alone")
    try:
        tensors = load_tensors(place / WEIGHTS)
    except (OSError, SafetensorError) as error:
        raise ValueError(f"{place / WEIGHTS}: no safetensors file ({printable(error, 200)}); get it again") from error
    found = {name.removeprefix(PREFIX): value for name, value in tensors.items()}
    return Small(place / WEIGHTS, found, alpha / rank, sha256(place / WEIGHTS))


def _above(value: Any) -> float:
    """A number above 0; 0.0 for anything else."""
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) and value > 0 else 0.0


@dataclass(frozen=True)
class Lora:
    """Small weights to lay beside a model that is loaded. path: a run that was trained with --lora, or its lora folder,
    which may stand alone. scale: how much of them.

    Raises ValueError where there are none.
    """

    path: Path
    scale: float = 1.0

    def __post_init__(self) -> None:
        if not self.stages:
            raise ValueError(
                f"{self.path}: holds no small weights (no STAGE/{HEAD}); name the lora folder of a run that was "
                "trained with --lora"
            )

    @property
    def root(self) -> Path:
        """The folder of the stages' folders."""
        return self.path / FOLDER if (self.path / FOLDER).is_dir() else self.path

    @property
    def name(self) -> str:
        """The name of the run, or of a folder that stands alone."""
        path = self.path.resolve()
        return path.parent.name if path.name == FOLDER else path.name

    @cached_property
    def stages(self) -> tuple[str, ...]:
        """Those that they were trained for."""
        return tuple(sorted(path.parent.name for path in self.root.glob(f"*/{HEAD}")))

    def check(self, stages: tuple[str, ...]) -> None:
        """Raises ValueError where they are for stages that a model lacks."""
        if foreign := [name for name in self.stages if name not in stages]:
            raise ValueError(f"{self.root / foreign[0]}: small weights for a {foreign[0]}, and this model has none")

    def of(self, stage: str) -> Small | None:
        """Those of a stage; None where it has none. Raises ValueError as `read_lora` does."""
        if stage not in self.stages:
            return None
        small = read_lora(self.root / stage)
        return replace(small, scale=self.scale * small.scale)
