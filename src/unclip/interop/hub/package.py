"""The folder that is uploaded: a packed run, its card, its samples. `unclip.load` takes it as it takes any run."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image

from unclip.core.disk.new import check_new
from unclip.data.prepare.read import load_prepared
from unclip.data.prepare.splits_file import read_splits
from unclip.generation.base import ImageModel
from unclip.generation.captioned import CaptionedModel
from unclip.generation.classed import ClassModel
from unclip.images.files import grid, save_picture
from unclip.interop.hub.card import SAMPLES, About, card
from unclip.runs.folder import RunFolder
from unclip.runs.pack import pack_run

README = "README.md"
PROMPTS, EACH = 6, 4
"""Rows and columns of the samples."""


def package(model: ImageModel, about: About, out: Path) -> None:
    """Writes everything that is uploaded into the new folder `out`.

    Raises ValueError for an unfinished run, for one whose captions are gone where no prompts are named, and where
    `out` is there already.
    """
    run = model.folder
    assert run is not None
    check_new(out)
    about = replace(about, prompts=tuple(about.prompts or _prompts(model, run)))
    sheet = samples(model, about.prompts)
    pack_run(run.root, out)
    save_picture(sheet, out / SAMPLES)
    (out / README).write_text(card(run, about), encoding="utf-8")


def samples(model: ImageModel, prompts: Sequence[str]) -> Image.Image:
    """A row a prompt, as `unclip generate` draws them."""
    zoom = max(1, 96 // model.size)
    if prompts:
        drawn = model.generate(prompts, n=EACH)
    else:
        drawn = model.generate(n=PROMPTS * EACH)
    lines = [drawn[i : i + EACH] for i in range(0, len(drawn), EACH)]
    return grid(lines, list(prompts) or None, zoom)


def _prompts(model: ImageModel, run: RunFolder) -> list[str]:
    """Captions that it was not trained on, or the names of its classes; none for a model without words."""
    if isinstance(model, ClassModel):
        return list(model.classes[:PROMPTS])
    assert isinstance(model, CaptionedModel)
    if not (run.data / "captions.jsonl").exists():
        raise ValueError(
            f"{run.data}: gone, and with it the captions that the samples would be drawn for; name some: --prompt 'a "
            "red heart' --prompt 'two blue circles'"
        )
    prepared = load_prepared(run.data)
    kept = read_splits(run.splits, len(prepared)) if run.splits.exists() else None
    held = np.arange(len(prepared)) if kept is None or not len(kept.test) else kept.test
    captions = list(dict.fromkeys(prepared.captions[row][0] for row in held.tolist()))
    places = np.unique(np.linspace(0, len(captions) - 1, min(PROMPTS, len(captions))).round().astype(int))
    return [captions[place] for place in places.tolist()]
