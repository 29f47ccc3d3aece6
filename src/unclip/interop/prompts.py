"""What is drawn to show or to check a model: captions that it was not trained on, or its classes."""

from collections.abc import Sequence

import numpy as np

from unclip.data.prepare.read import load_prepared
from unclip.data.prepare.splits_file import read_splits
from unclip.generation.base import ImageModel
from unclip.generation.captioned import CaptionedModel
from unclip.generation.classed import ClassModel

PROMPTS = 6


def prompts_of(model: ImageModel, otherwise: Sequence[str] = ()) -> list[str]:
    """Captions that it was not trained on, or the names of its classes; none for a model without words.

    otherwise: what stands in where the captions are gone. Raises ValueError where they are and nothing does.
    """
    if isinstance(model, ClassModel):
        return list(model.classes[:PROMPTS])
    run = model.folder
    assert run is not None and isinstance(model, CaptionedModel)
    if not (run.data / "captions.jsonl").exists():
        if otherwise:
            return list(otherwise)
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
