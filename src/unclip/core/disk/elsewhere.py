"""Weights of a model that lie in another model's folder: what two models have alike is kept once.

In config.json, `"elsewhere": [{"prefix": "text.", "folder": "clip", "theirs": "text.", "sha256": "..."}]` says that
each tensor `text.NAME` is `text.NAME` of the model in the folder `clip` beside it.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path, PurePosixPath
from typing import Any

import unclip
from unclip.core.config.tables import is_list, is_table
from unclip.core.shown import printable
from unclip.core.typing import Tensor

KEY = "elsewhere"
INSTALLED = "unclip:"
"""Before a folder of the installed package, in the place of one beside the model."""
PACKAGE = Path(unclip.__file__).parent


@dataclass(frozen=True)
class Elsewhere:
    """Where some tensors of a model are.

    Args:
        prefix: with which their names begin in this model.
        folder: the name of the model's folder beside this one, or "unclip:PATH", one of the installed package.
        theirs: what stands there in the place of `prefix`.
        sha256: of the weights in that folder.
    """

    prefix: str
    folder: str
    theirs: str
    sha256: str

    def place(self, path: Path) -> Path:
        """The folder that is meant, from that of the model. Raises ValueError where it is neither of the two kinds."""
        inside, named = self.folder.startswith(INSTALLED), self.folder.removeprefix(INSTALLED)
        parts = PurePosixPath(named).parts
        if not parts or ".." in parts or named.startswith("/") or "\\" in named or (len(parts) > 1 and not inside):
            raise ValueError(f"elsewhere: {printable(self.folder, 60)} is no folder beside this one, nor of unclip's")
        return PACKAGE / named if inside else path.parent / named

    def taken(self, theirs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The tensors by their names in this model."""
        n = len(self.theirs)
        return {self.prefix + name[n:]: value for name, value in theirs.items() if name.startswith(self.theirs)}


def read(head: Mapping[str, Any]) -> Iterator[Elsewhere]:
    """What a config.json says of it. Raises ValueError where that is not what `written` writes."""
    names, told = {field.name for field in fields(Elsewhere)}, head.get(KEY, [])
    for one in told if is_list(told) else [told]:
        if not is_table(one) or set(one) != names or not all(isinstance(value, str) for value in one.values()):
            raise ValueError(f"{KEY}: not a list of tables with {', '.join(sorted(names))}")
        yield Elsewhere(**one)


def written(elsewhere: Iterable[Elsewhere]) -> dict[str, Any]:
    """For a config.json; nothing where all is here."""
    told = [asdict(one) for one in elsewhere]
    return {KEY: told} if told else {}


def here(tensors: Mapping[str, Tensor], elsewhere: Iterable[Elsewhere]) -> dict[str, Tensor]:
    """Those that are not elsewhere."""
    away = tuple(one.prefix for one in elsewhere)
    return {name: value for name, value in tensors.items() if not name.startswith(away)}
