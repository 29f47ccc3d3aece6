"""The settings of a whole run, from folder to model: what `run.toml` holds."""

import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import tomli_w

from unclip.core.config import Config
from unclip.core.store import write_atomic
from unclip.train.optim import OptimConfig
from unclip.train.trainer import TrainConfig


@dataclass(frozen=True)
class CLIPRecipe(Config):
    """Sizes of both towers; share: of the time budget."""

    width: int = 128
    form: Literal["softmax", "sigmoid"] = "sigmoid"
    text_width: int = 128
    text_layers: int = 3
    vision_stem: tuple[int, ...] = (32, 64, 128)
    vision_width: int = 192
    vision_layers: int = 3
    share: float = 0.17
    train: TrainConfig = field(default_factory=lambda: TrainConfig(64, OptimConfig(lr=1e-3, muon_lr=1e-3, decay=0.05)))


@dataclass(frozen=True)
class PriorRecipe(Config):
    """Sizes of the prior's transformer."""

    width: int = 192
    layers: int = 4
    drop_text: float = 0.1
    candidates: int = 2
    steps: int = 32
    share: float = 0.08
    train: TrainConfig = field(default_factory=lambda: TrainConfig(64, OptimConfig(lr=1e-3, muon_lr=1e-3)))


@dataclass(frozen=True)
class DecoderRecipe(Config):
    """The decoder's U-Net (see `UNetConfig`) and how it is trained and sampled."""

    patch: int = 2
    widths: tuple[int, ...] = (32, 64)
    blocks: tuple[int, ...] = (1, 4)
    attention: tuple[bool, ...] = (False, True)
    fine: int = 16
    level_mean: float = 0.8
    level_std: float = 1.2
    drop_embedding: float = 0.1
    drop_caption: float = 0.5
    steps: int = 24
    guidance: float = 2.0
    share: float = 0.75
    train: TrainConfig = field(default_factory=lambda: TrainConfig(32, OptimConfig(lr=2e-3, muon_lr=3e-3)))


@dataclass(frozen=True)
class RunConfig(Config):
    """budget: seconds for the whole run (stages with `train.steps` ignore it); size: picture side in px.

    precision `auto` measures the machine once. workers: on a CPU, threads that each take a share of a batch (1: the
    threads share each operation instead; slower for small networks). held_out: share of the pairs kept for the scores.
    """

    size: int = 64
    budget: float = 1800.0
    seed: int = 0
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    workers: int = 2
    vocabulary: int = 4096
    longest_caption: int = 77
    held_out: float = 0.05
    max_bad: float = 0.01
    checkpoint_seconds: float = 60.0
    clip: CLIPRecipe = field(default_factory=CLIPRecipe)
    prior: PriorRecipe = field(default_factory=PriorRecipe)
    decoder: DecoderRecipe = field(default_factory=DecoderRecipe)

    def __post_init__(self) -> None:
        if self.size not in (32, 64):
            raise ValueError(f"size = {self.size}: the decoder draws 32 or 64 px")
        if self.budget <= 0:
            raise ValueError(f"budget = {self.budget} s: must be above 0")


def write_settings(path: Path, config: RunConfig) -> None:
    """Writes `run.toml`, which `--config` reads back."""
    write_atomic(path, tomli_w.dumps(config.to_dict()))


def read_settings(path: Path) -> dict[str, Any]:
    """The table of a settings file. Raises ValueError that names the file where it is missing or not TOML."""
    try:
        return tomllib.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise ValueError(f"{path}: not a settings file ({error}); a run's run.toml shows the form") from error


def merge(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    """`base` with `over` laid on top, table by table."""
    both = dict(base)
    for key, value in over.items():
        deeper = isinstance(value, dict) and isinstance(both.get(key), dict)
        both[key] = merge(both[key], value) if deeper else value
    return both
