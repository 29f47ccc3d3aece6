"""Weights of other libraries: safetensors alone, and names that are turned into ours and back without a remainder.

A `Match` says that one tensor of ours is theirs, laid below each other: queries, keys and values are one matrix here
and three there.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from safetensors import SafetensorError

from unclip.core.config.tables import is_table, read_json
from unclip.core.shown import printable
from unclip.core.typing import Tensor
from unclip.core.untyped import load_tensors, save_tensors

PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl")
"""Endings of files that run code of their author's when they are read."""
PYTORCH = {"format": "pt"}
"""What diffusers and transformers want a safetensors file to say of itself."""


@dataclass(frozen=True)
class Match:
    """ours: the name of a tensor of ours; theirs: the names of those that it is made of, in order.

    form: of theirs beside ours; "row": theirs [n] is ours [1, n].
    """

    ours: str
    theirs: tuple[str, ...]
    form: Literal["alike", "transposed", "row"] = "alike"

    def split(self, tensor: Tensor) -> Iterable[Tensor]:
        """Theirs, of ours."""
        if self.form == "row":
            return [tensor[0]]
        tensor = tensor.T if self.form == "transposed" else tensor
        return [tensor] if len(self.theirs) == 1 else tensor.chunk(len(self.theirs))

    def joined(self, tensors: list[Tensor]) -> Tensor:
        """Ours, of theirs."""
        if self.form == "row":
            return tensors[0][None]
        whole = tensors[0] if len(tensors) == 1 else torch.cat(tensors)
        return whole.T if self.form == "transposed" else whole


def matches(ours: str, *theirs: str) -> Iterator[Match]:
    """Those of a layer with weight and bias."""
    for end in ("weight", "bias"):
        yield Match(f"{ours}.{end}", tuple(f"{name}.{end}" for name in theirs))


def to_theirs(state: Mapping[str, Tensor], pairs: Iterable[Match]) -> dict[str, Tensor]:
    """Our weights under their names. Raises KeyError where one of ours is not there."""
    found: dict[str, Tensor] = {}
    for pair in pairs:
        found |= dict(zip(pair.theirs, pair.split(state[pair.ours]), strict=True))
    return found


def to_ours(state: Mapping[str, Tensor], pairs: Iterable[Match], where: Path) -> dict[str, Tensor]:
    """Their weights under our names, in float32.

    Raises ValueError that names the first one that is missing, or that has no place here.
    """
    found, left = dict[str, Tensor](), set(state)
    for pair in pairs:
        for name in pair.theirs:
            if name not in state:
                raise ValueError(f"{where}: holds no {name}; it is of another architecture than its config says")
        left.difference_update(pair.theirs)
        found[pair.ours] = pair.joined([state[name].float() for name in pair.theirs])
    if left:
        raise ValueError(
            f"{where}: {printable(min(left))} has no place in unclip's network (nor have {len(left) - 1} others); it "
            "is of another architecture than its config says"
        )
    return found


def check_shapes(state: Mapping[str, Tensor], module: torch.nn.Module, where: Path) -> None:
    """Raises ValueError for the first weight, by our names, whose shape is not the module's."""
    for name, wanted in module.state_dict().items():
        if name in state and state[name].shape != wanted.shape:
            raise ValueError(
                f"{where}: the weights for {name} are {tuple(state[name].shape)}, and its config means "
                f"{tuple(wanted.shape)}"
            )


def write(tensors: Mapping[str, Tensor], path: Path) -> None:
    """Writes a safetensors file that says it is PyTorch's."""
    path.parent.mkdir(parents=True, exist_ok=True)
    save_tensors({name: t.detach().contiguous().cpu().clone() for name, t in tensors.items()}, path, PYTORCH)
    path.chmod(0o644)


def write_settings(table: Mapping[str, Any], path: Path) -> None:
    """Writes a table as these libraries write their settings."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(table, indent=2) + "\n", encoding="utf-8")


def find(folder: Path, names: Iterable[str]) -> Path:
    """The first of these safetensors files that lies in the folder.

    Raises ValueError that says what is looked for; where there are only pickles, how to convert them.
    """
    names = tuple(names)
    for name in names:
        if (folder / name).is_file():
            return folder / name
        if (folder / f"{name}.index.json").is_file():
            return folder / f"{name}.index.json"
    pickles = sorted(p for p in folder.glob("*") if p.suffix in PICKLES) if folder.is_dir() else []
    if pickles:
        raise ValueError(refusal(pickles[0]))
    raise ValueError(f"{folder}: holds no weights; looked for {', '.join(names)}")


def refusal(path: Path) -> str:
    """Why a pickle is not read, and what to do."""
    return (
        f"{path}: a pickle, which can run code when it is read, so unclip reads none; where you trust its author, "
        "convert it in the library that wrote it: load it there, save it as safetensors (transformers and diffusers: "
        "model.save_pretrained(DIR, safe_serialization=True); otherwise safetensors.torch.save_file(state_dict, FILE))"
    )


def read(path: Path) -> dict[str, Tensor]:
    """The tensors of a safetensors file, or of those that an index names.

    Raises ValueError that names the file where it is damaged.
    """
    if path.suffix in PICKLES:
        raise ValueError(refusal(path))
    if path.name.endswith(".index.json"):
        table = read_json(path, "an index of weights").get("weight_map")
        files = sorted(set(map(str, table.values()))) if is_table(table) else []
        if not files or any(Path(name).name != name for name in files):
            raise ValueError(f"{path}: not an index of weights (its weight_map names no files beside it)")
        return {name: tensor for file in files for name, tensor in read(path.parent / file).items()}
    try:
        return load_tensors(path)
    except (OSError, SafetensorError) as error:
        raise ValueError(f"{path}: not a whole safetensors file ({printable(error, 200)}); get it again") from error
