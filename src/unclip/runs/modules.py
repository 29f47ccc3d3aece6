"""The stages of a run as they lie on disk: their modules, and the hashes that name them and the whole model."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar, cast, get_type_hints

import torch

from unclip.clip.model import CLIP
from unclip.core.disk import store
from unclip.core.disk.sizes import Bounded, TooLarge
from unclip.core.noise import initial_weights
from unclip.core.plugins.noted import provide
from unclip.core.shown import printable
from unclip.core.versions import by_another
from unclip.nn.lora import merged
from unclip.runs.exported import take_graph
from unclip.runs.folder import RunFolder
from unclip.runs.lora import Lora, Small
from unclip.runs.records import records_before
from unclip.text.tokenizer import Tokenizer

M = TypeVar("M", bound=torch.nn.Module)

UNBUILT = (RuntimeError, AssertionError, ArithmeticError, TypeError, LookupError)
"""What building a network raises where its settings do not go together and no check of theirs has told so."""
SLACK, SMALL = 3, 2**22
"""A network makes at most SLACK times as many numbers as it keeps, and SMALL more."""
DIGITS = 12
"""Of a SHA-256, as many as name a model or a stage."""
UNSAVED = "unsaved"
"""The hash of what does not lie on a disk."""


def model_hash(folder: RunFolder) -> str:
    """Twelve hex digits over settings and weights of the stages that every run of this model has, and over its
    tokenizer; they name the run.

    What `unclip add` trained is not in it: an image names each stage that drew it besides (`Stages.hashes`).
    """
    words = [store.sha256(folder.tokenizer)] if "tokenizer" in folder.state() else []
    return _together([*words, *(store.identity(folder.root / name) for name in folder.stages)])


def _together(shas: Iterable[str]) -> str:
    return hashlib.sha256("".join(shas).encode()).hexdigest()[:DIGITS]


def read_tokenizer(folder: RunFolder, context: int, promised: str | None) -> tuple[Tokenizer, str]:
    """The tokenizer of a run, and the SHA-256 of its file, which must be the one that was promised.

    Raises Damaged (a ValueError) that names the file where it is another one, or gone: its numbers would mean other
    words than those that the stages have learned.
    """
    if not folder.tokenizer.is_file():
        raise store.Damaged(f"{folder.tokenizer}: not found; {store.MEND}")
    found = store.sha256(folder.tokenizer)
    if promised is not None and found != promised:
        raise store.Damaged(
            f"{folder.tokenizer}: damaged, or of another run (SHA-256 {found[:12]}..., expected {promised[:12]}...); "
            f"{store.MEND}"
        )
    return Tokenizer.load(folder.tokenizer, context), found


def note_tokenizer(folder: RunFolder, made: Tokenizer, more: str = "") -> None:
    """Notes as finished the tokenizer that was saved in a run. more: where it is from."""
    metrics = {"tokens": made.size, "context": made.context}
    record = {"passed": True, "why": f"{made.size} tokens{more}", "metrics": metrics}
    folder.finish("tokenizer", {**record, "sha256": store.sha256(folder.tokenizer)})


def load_stage(run: RunFolder | str | Path, name: str, kind: type[M], device: str = "cpu") -> M:
    """Reads a finished stage of a run, frozen, in evaluation mode.

    Args:
        run: the run's folder.
        name: of the stage; "early/decoder": the decoder as it was early in its training.
        kind: the class of its module.
        device: where it shall be, as "cpu" or "cuda".

    Raises ValueError that names the file.
    """
    folder = run if isinstance(run, RunFolder) else RunFolder(Path(run))
    return cast(M, _read(folder, name, kind, device).module)


@dataclass(frozen=True)
class _Read:
    """identity: over settings and weights; tokenizer: the SHA-256 of the one that it learned with."""

    module: torch.nn.Module
    sha256: str
    identity: str = ""
    tokenizer: str | None = None


def _read(folder: RunFolder, name: str, kind: type[torch.nn.Module], device: str, small: Small | None = None) -> _Read:
    provide(folder.settings)
    stage = name.rpartition("/")[2]
    stored = store.load(folder.root / name, stage)
    stored = _with(stored, small) if small else stored
    check_finite(folder.root / name, stored.tensors)
    with initial_weights("read", name):  # what is built to be filled must not draw from what others draw from
        module = built(kind, stored, folder.root / name / "config.json")
    try:
        module.load_state_dict(stored.tensors)
    except RuntimeError as error:
        raise ValueError(
            f"{folder.root / name}: made by another version of unclip, its weights do not fit this {stage} "
            f"({str(error).splitlines()[0]}); use that version or train again"
        ) from error
    words = records_before(stored.extra).get("tokenizer", {}).get("sha256")
    return _Read(module.to(device).eval().requires_grad_(False), stored.sha256, stored.identity, words)


def _with(stored: store.Stored, small: Small) -> store.Stored:
    """A stage with small weights merged into its own, and hashes that say so.

    Raises ValueError where they do not fit.
    """
    try:
        tensors = merged(stored.tensors, small.tensors, small.scale)
    except ValueError as error:
        raise ValueError(f"{small.path}: made for another model ({error})") from error
    about = f" {small.sha256} {small.scale}"
    marked = {
        name: hashlib.sha256((getattr(stored, name) + about).encode()).hexdigest() for name in ("sha256", "identity")
    }
    return replace(stored, tensors=tensors, **marked)


def built(kind: type[M], stored: store.Stored, file: Path) -> M:
    """The module of this class that settings on disk mean, with first weights; its `config` says which they are.

    Raises ValueError that names the file where they are none, or mean a network that is far larger than its weights.
    """
    held = sum(tensor.numel() for tensor in stored.tensors.values())
    try:
        with Bounded(SLACK * held + SMALL):
            return kind(get_type_hints(kind.__init__)["config"].from_dict(stored.config, ""))
    except TooLarge as error:
        raise ValueError(
            f"{file}: these settings mean a network of {error}, and {store.WEIGHTS} holds {held:,}; restore the file, "
            "or train this stage again"
        ) from error
    except ValueError as error:
        raise ValueError(f"{file}: {error}{by_another(stored.written_by)}; restore it, or train again") from error
    except UNBUILT as error:
        raise ValueError(
            f"{file}: no network can be built of these settings ({printable(error, 200)}); restore it, or train again"
        ) from error


def check_finite(place: Path, tensors: Mapping[str, torch.Tensor]) -> None:
    """Raises ValueError where a weight is not a number: all that such a model draws is void."""
    for name, value in tensors.items():
        if value.is_floating_point() and not bool(torch.isfinite(value).all()):
            raise ValueError(
                f"{place / store.WEIGHTS}: the weights {printable(name)} are not finite, for the training diverged; "
                "train it again with a lower learning rate and another --out"
            )


@dataclass
class Stages:
    """The stages of a run, each read when it is first asked for, and only once; what was read is named by its hash.

    folder: None for a model that does not lie on a disk (yet); `Stages.of` holds modules of such a one.
    lora: small weights that are merged into the stages that they are for.
    fast: whether ONNX graphs that lie in the run compute in the place of the networks that they are of.
    """

    folder: RunFolder | None = None
    device: str = "cpu"
    lora: Lora | None = None
    fast: bool = False
    _kept: dict[str, _Read] = field(default_factory=dict)
    _words: list[str] = field(default_factory=list)
    graphs: list[str] = field(default_factory=list)
    """The stages whose graphs compute."""

    @classmethod
    def of(cls, **modules: torch.nn.Module | None) -> "Stages":
        """Stages in memory, as those still in training are."""
        return cls(_kept={name: _Read(module, UNSAVED) for name, module in modules.items() if module is not None})

    def __call__(self, name: str, kind: type[M]) -> M:
        """A stage, as `load_stage` reads it. Raises ValueError that names the missing or damaged file."""
        if name not in self._kept:
            if self.folder is None:
                raise ValueError(f"{name}: this model was not loaded from a run folder, which alone may hold it")
            small = self.lora.of(name) if self.lora else None
            self._kept[name] = read = _read(self.folder, name, kind, self.device, small)
            if self.fast and self.device == "cpu" and take_graph(self.folder.root, name, read.identity, read.module):
                self.graphs.append(name)
        module = self._kept[name].module
        assert isinstance(module, kind), f"{name} is a {type(module).__name__}"
        return module

    def read(self) -> Iterator[torch.nn.Module]:
        """The modules that were read so far."""
        return (kept.module for kept in self._kept.values())

    def named(self) -> dict[str, tuple[torch.nn.Module, str]]:
        """Stage -> (its module, the SHA-256 over its settings and weights), of those that were read so far."""
        return {name: (kept.module, kept.identity) for name, kept in self._kept.items()}

    def added(self, name: str, kind: type[M]) -> M | None:
        """A stage that `unclip add` trained, or None where the run has none (yet)."""
        there = name in self._kept or (self.folder is not None and name in self.folder.state())
        return self(name, kind) if there else None

    def tokenizer(self) -> Tokenizer:
        """The tokenizer that the run's CLIP learned with. Raises ValueError where it is damaged, or another."""
        assert self.folder is not None
        clip = self("clip", CLIP)
        words, sha = read_tokenizer(self.folder, clip.config.text.context, self._kept["clip"].tokenizer)
        self._words[:] = [sha]
        return words

    def early(self, kind: type[M]) -> M:
        """The stage that draws, as it was after 1/16 of its training: the worse model of autoguidance.

        Raises ValueError that names the folder where the run kept none.
        """
        held = [name for name in self._kept if name.startswith("early/")]
        if self.folder is None and not held:
            raise ValueError("early weights: this model was not loaded from a run folder, which alone may hold them")
        name = held[0] if self.folder is None else f"early/{self.folder.drawing}"
        if self.folder is not None and not (self.folder.root / name).exists():
            raise ValueError(
                f"{self.folder.root / name}: not there, and guidance form 'auto' leads away from these early weights; "
                "an older unclip, which kept none, trained this run: take --guidance-form cfg, or train it again with "
                "`unclip train DATA --out ANOTHER`"
            )
        return self(name, kind)

    def hashes(self, names: Iterable[str]) -> dict[str, str]:
        """Stage -> twelve digits of the SHA-256 of its weights as they were read; "unsaved" for what was not."""
        return {name: self._kept[name].sha256[:DIGITS] if name in self._kept else UNSAVED for name in names}

    @property
    def model_hash(self) -> str:
        """`model_hash` of the stages and the tokenizer as they were read."""
        assert self.folder is not None
        return _together([*self._words, *(self._kept[name].identity for name in self.folder.stages)])
