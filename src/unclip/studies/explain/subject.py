"""What `unclip explain` looks at: the diffusion of images of a finished run, and the data it was trained on."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
import torch

from unclip.core.condition import Condition
from unclip.core.typing import Images
from unclip.data.loader import select_rows, to_tensor
from unclip.data.prepare.write import Prepared, load_prepared
from unclip.data.shapes.world import World
from unclip.diffusion.process import Diffusion, Sampling
from unclip.diffusion.samplers import Step
from unclip.generation.base import ImageModel
from unclip.generation.ddpm import DDPMPipeline
from unclip.generation.load import called, load
from unclip.generation.one_pass import OnePassModel
from unclip.generation.require import require
from unclip.generation.settings import Settings
from unclip.generation.text_to_image import TextToImage
from unclip.models.autoencoder.space import PixelSpace
from unclip.recipes.context import Context
from unclip.recipes.gates import judged_rows
from unclip.recipes.settings.run import stored_config
from unclip.runs.drawn import drawn_world
from unclip.runs.embeddings import data_folder
from unclip.runs.folder import RunFolder


@runtime_checkable
class Subject(Protocol):
    """A trained diffusion of images, whatever it is conditioned on. Rows are those of the run's prepared data."""

    @property
    def diffusion(self) -> Diffusion:
        """The network with its schedule."""
        ...

    @property
    def sampling(self) -> Sampling:
        """How it samples unless told otherwise."""
        ...

    @property
    def space(self) -> PixelSpace:
        """What it denoises: pixels, or codes of images."""
        ...

    def images(self, rows: Sequence[int]) -> Images:
        """The images of these rows in [-1, 1], as training shows them."""
        ...

    def prompts(self, rows: Sequence[int]) -> list[str]:
        """What one would ask for to get images like these: captions, or classes."""
        ...

    def condition(self, rows: Sequence[int]) -> Condition:
        """What training shows of these rows, nothing dropped."""
        ...

    def steps(self, prompts: Sequence[str], seeds: Sequence[int], settings: Settings) -> Iterator[Step]:
        """A new image a prompt, as `unclip generate` makes it."""
        ...


@dataclass(frozen=True)
class UnclipSubject:
    """The decoder of an unCLIP run."""

    model: TextToImage
    prepared: Prepared

    @property
    def diffusion(self) -> Diffusion:
        """The decoder's."""
        return require(self.model.decoder, "decoder").diffusion

    @property
    def sampling(self) -> Sampling:
        """As the decoder was stored."""
        return require(self.model.decoder, "decoder").config.sampling

    @property
    def space(self) -> PixelSpace:
        """The decoder's."""
        return require(self.model.decoder, "decoder").space

    def images(self, rows: Sequence[int]) -> Images:
        """As they are."""
        return to_tensor(self.prepared.images[np.asarray(rows)])

    def prompts(self, rows: Sequence[int]) -> list[str]:
        """Their first captions."""
        return [self.prepared.captions[row][0] for row in rows]

    @torch.no_grad()
    def condition(self, rows: Sequence[int]) -> Condition:
        """The images' own CLIP embeddings and their first captions."""
        ids, mask = (t.to(self.model.device) for t in self.model.tokenizer(self.prompts(rows)))
        z = self.model.embed_images(self.images(rows)).float()
        keep = torch.ones(len(rows), dtype=torch.bool, device=z.device)
        return require(self.model.decoder, "decoder").condition(z, keep, ids, mask)

    def steps(self, prompts: Sequence[str], seeds: Sequence[int], settings: Settings) -> Iterator[Step]:
        """The prior's embeddings of the captions, then the decoder."""
        return self.model.steps(prompts, seeds, settings)


@dataclass(frozen=True)
class DDPMSubject:
    """A plain DDPM, with or without classes."""

    model: DDPMPipeline
    prepared: Prepared

    @property
    def diffusion(self) -> Diffusion:
        """The model's one."""
        return self.model.model.diffusion

    @property
    def sampling(self) -> Sampling:
        """As the model was stored."""
        return self.model.sampling

    @property
    def space(self) -> PixelSpace:
        """Pixels."""
        return PixelSpace(self.model.model.shape[0])

    def images(self, rows: Sequence[int]) -> Images:
        """Of as many channels as the model's."""
        return to_tensor(select_rows(self.prepared.images, np.asarray(rows), self.model.model.shape[0]))

    def prompts(self, rows: Sequence[int]) -> list[str]:
        """Their classes; nothing where the model has none."""
        return [self.prepared.captions[row][0] if self.model.classes else "" for row in rows]

    def condition(self, rows: Sequence[int]) -> Condition:
        """Their classes."""
        return self.model.model.condition(self.model.labels(self.prompts(rows)))

    def steps(self, prompts: Sequence[str], seeds: Sequence[int], settings: Settings) -> Iterator[Step]:
        """An image a class."""
        return self.model.steps(prompts, seeds, settings)


@dataclass(frozen=True)
class OpenedRun:
    """A run, opened. rows: held-out ones (a note says where they are not). world: of a run of drawn shapes."""

    subject: Subject
    prepared: Prepared
    rows: np.ndarray
    note: str
    device: str
    world: World | None = None


def open_run(root: Path) -> OpenedRun:
    """A finished run with its data.

    Raises ValueError for one that is unfinished, damaged, without its data, or of `--model latent`.
    """
    model, run = load(root), RunFolder(root)
    if isinstance(model, OnePassModel):
        raise ValueError(
            f"{root}: a {called(model)}, which draws in one pass, and this looks at diffusions; take a run of --model "
            "unclip or ddpm"
        )
    if not isinstance(model, TextToImage | DDPMPipeline):
        raise ValueError(f"{root}: a run of --model latent; this looks at one of --model unclip or ddpm")
    prepared, rows, note = held_out_of(model, run)
    subject = UnclipSubject(model, prepared) if isinstance(model, TextToImage) else DDPMSubject(model, prepared)
    return OpenedRun(subject, prepared, rows, note, model.device, drawn_world(run, prepared.size))


def held_out_of(model: ImageModel, run: RunFolder) -> tuple[Prepared, np.ndarray, str]:
    """The data of a loaded run, its held-out rows, and a note where they are not held out.

    Raises ValueError where the data are gone.
    """
    config, prepared = stored_config(run.settings), load_prepared(data_folder(run).data)
    rows, note = judged_rows(Context(run, config, prepared, model.device, model.precision).splits)
    return prepared, rows, note
