"""The models that a server has: found by name, read when they are first asked for, given up where memory is short."""

import re
from collections import OrderedDict
from collections.abc import Callable, Sequence
from pathlib import Path

from torch import nn

from unclip.box.shipped import find, shipped_as
from unclip.diffusion.denoiser import Denoiser
from unclip.generation.base import ImageModel
from unclip.generation.distilled import usable
from unclip.generation.load import load
from unclip.generation.text_to_image import TextToImage
from unclip.models.autoencoder.space import CodeSpace
from unclip.runs.folder import RunFolder
from unclip.runs.lora import Lora

ALIASES = re.compile(r"dall-e-[23]|(chatgpt|gpt)-image-[\w.-]+")
"""Names of OpenAI's models that clients have written into them."""


class UnknownModel(ValueError):
    """No model of this name is served."""


class Library:
    """Name -> model.

    Args:
        runs: what is served; none: what ships with unclip.
        share: is called with each module whose evaluations may be joined, and the name of the method.
        memory: bytes of weights that are held at once.
        strict: whether the names of OpenAI's models are unknown.
        beside: small weights; the first run with each of them is a further model, called as their folder.

    `folders` has the run of each model, `beside` the small weights of those that have some.

    Raises ValueError where a run is missing, two have one name, or small weights are for another kind of run.
    """

    def __init__(
        self,
        runs: Sequence[str | Path],
        share: Callable[[nn.Module, str], None],
        memory: int,
        strict: bool = False,
        beside: Sequence[Lora] = (),
    ) -> None:
        self._share, self._memory, self._strict = share, memory, strict
        self.models: OrderedDict[str, ImageModel] = OrderedDict()
        self.folders: dict[str, Path] = {}
        for run in runs or (None,):
            folder = find(run)
            RunFolder(folder).require()
            name = shipped.name if (shipped := shipped_as(folder)) else folder.resolve().name
            self._add(name, folder)
        self.beside: dict[str, Lora] = {}
        for lora in beside:
            base = self.folders[self.names[0]]
            lora.check(RunFolder(base).stages)
            self._add(lora.name, base)
            self.beside[lora.name] = lora

    def _add(self, name: str, folder: Path) -> None:
        if name in self.folders:
            raise ValueError(f"two models are called {name}; rename one of the folders")
        self.folders[name] = folder

    @property
    def runs(self) -> dict[str, Path]:
        """The runs alone, each once."""
        return {name: folder for name, folder in self.folders.items() if name not in self.beside}

    @property
    def names(self) -> list[str]:
        """Of the models, the default first."""
        return list(self.folders)

    def name_of(self, asked: str | None) -> str:
        """The model that is meant. Raises UnknownModel."""
        if not asked:
            return self.names[0]
        if asked in self.folders:
            return asked
        if not self._strict and ALIASES.fullmatch(asked):
            return self.names[0]
        raise UnknownModel(f"The model '{asked[:100]}' does not exist here; served: {', '.join(self.names)}")

    def model(self, name: str) -> ImageModel:
        """The model, read if it is not there. Only for one thread at a time: the engine's jobs."""
        if name not in self.models:
            self.models[name] = self._read(self.folders[name], self.beside.get(name))
        self.models.move_to_end(name)
        while len(self.models) > 1 and sum(map(weight, self.models.values())) > self._memory:
            self.models.popitem(last=False)
        return self.models[name]

    @property
    def held(self) -> list[str]:
        """The names of those that are in memory."""
        return list(self.models)

    def _read(self, folder: Path, lora: Lora | None) -> ImageModel:
        model = load(folder, lora=lora)
        if isinstance(model, TextToImage):
            _ = model.enlargers, model.inpainter, usable(model.stages, "decoder")
        for module in model.stages.read():
            for part in module.modules():
                if isinstance(part, Denoiser):
                    self._share(part.network, "forward")
                if isinstance(part, CodeSpace):
                    self._share(part.autoencoder, "decode")
        return model


def weight(model: ImageModel) -> int:
    """Bytes of the weights that it holds."""
    tensors = (t for module in model.stages.read() for t in (*module.parameters(), *module.buffers()))
    return sum(t.numel() * t.element_size() for t in tensors)
