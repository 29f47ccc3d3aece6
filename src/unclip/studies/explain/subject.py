"""What `unclip explain` looks at: the diffusion of images of a finished run, and the data it was trained on."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from unclip.data.prepare.write import Prepared, load_prepared
from unclip.data.shapes.world import World
from unclip.generation.base import ImageModel
from unclip.generation.ddpm import DDPMPipeline
from unclip.generation.latent_diffusion import LatentPipeline
from unclip.generation.load import called, load
from unclip.generation.text_to_image import TextToImage
from unclip.recipes.context import Context
from unclip.recipes.gates import judged_rows
from unclip.recipes.settings.run import stored_config
from unclip.runs.drawn import drawn_world
from unclip.runs.embeddings import data_folder
from unclip.runs.folder import RunFolder
from unclip.studies.explain.subjects import DDPMSubject, LatentSubject, Subject, UnclipSubject


@dataclass(frozen=True)
class OpenedRun:
    """A run, opened. rows: held-out ones (a note says where they are not). root: its folder. world: of a run of drawn
    shapes."""

    subject: Subject
    prepared: Prepared
    rows: np.ndarray
    note: str
    device: str
    root: Path
    world: World | None = None


def open_run(root: Path) -> OpenedRun:
    """A finished run with its data.

    Raises ValueError for one that is unfinished, damaged, without its data, or draws in one pass.
    """
    model, run = load(root), RunFolder(root)
    subject_of = SUBJECTS.get(type(model))
    if subject_of is None:
        raise ValueError(
            f"{root}: a {called(model)}, which draws in one pass, and this looks at diffusions; take a run of --model "
            "unclip, latent or ddpm"
        )
    prepared, rows, note = held_out_of(model, run)
    return OpenedRun(
        subject_of(model, prepared), prepared, rows, note, model.device, root, drawn_world(run, prepared.size)
    )


SUBJECTS: dict[type[ImageModel], Callable[[Any, Prepared], Subject]] = {
    TextToImage: UnclipSubject,
    DDPMPipeline: DDPMSubject,
    LatentPipeline: LatentSubject,
}
"""The class of a finished model -> how it is looked at."""


def held_out_of(model: ImageModel, run: RunFolder) -> tuple[Prepared, np.ndarray, str]:
    """The data of a loaded run, its held-out rows, and a note where they are not held out.

    Raises ValueError where the data are gone.
    """
    config, prepared = stored_config(run.settings), load_prepared(data_folder(run).data)
    rows, note = judged_rows(Context(run, config, prepared, model.device, model.precision).splits)
    return prepared, rows, note
