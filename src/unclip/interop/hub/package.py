"""The folder that is uploaded: a packed run, its card, its samples. `unclip.load` takes it as it takes any run."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from PIL import Image

from unclip.core.disk.new import check_new
from unclip.generation.base import ImageModel
from unclip.images.files import grid, save_picture
from unclip.interop.hub.card import SAMPLES, About, card
from unclip.interop.prompts import PROMPTS, prompts_of
from unclip.runs.pack import pack_run

README = "README.md"
EACH = 4
"""Columns of the samples."""


def package(model: ImageModel, about: About, out: Path) -> None:
    """Writes everything that is uploaded into the new folder `out`.

    Raises ValueError for an unfinished run, for one whose captions are gone where no prompts are named, and where
    `out` is there already.
    """
    run = model.folder
    assert run is not None
    check_new(out)
    about = replace(about, prompts=tuple(about.prompts or prompts_of(model)))
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
