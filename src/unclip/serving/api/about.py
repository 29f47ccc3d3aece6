"""GET /page/about.json: what a form needs to know of the models and the limits, and what one might ask for first."""

from collections.abc import Iterable
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import Any

from fastapi import APIRouter

from unclip.box.shipped import shipped_as
from unclip.data.prepare.read import read_captions
from unclip.diffusion.samplers.named import NAMES
from unclip.generation.base import ImageModel
from unclip.generation.settings import noted
from unclip.generation.text_to_image import TextToImage
from unclip.runs.folder import RunFolder
from unclip.serving.api.desk import Desk

EXAMPLES = 6
"""Captions that a person is shown as something to try."""
LONGEST = 60
"""Characters of one: it has to fit on a button."""
LOOKED = 20_000
"""Captions that are looked at; a large data set has more of them than one waits for."""


def routes(desk: Desk) -> APIRouter:
    """The route."""
    router = APIRouter()

    @router.get("/page/about.json", include_in_schema=False)
    def about() -> dict[str, Any]:
        limits = {"prompt": desk.options.prompt, "n": desk.options.n, "upload": desk.options.upload}
        settings = {name: sampler.to_dict() for name, sampler in NAMES.items()}
        models = [entry(desk, name) for name in desk.library.names]
        return {"models": models, "samplers": list(NAMES), "sampler_settings": settings, "limits": limits}

    return router


def entry(desk: Desk, name: str) -> dict[str, Any]:
    """A model. Of one that is not in memory only the name is known, and what it has learned from.

    Where a key is needed no captions of the data are told: this route answers those who have none.
    """
    model = desk.library.models.get(name)
    told = () if desk.options.api_key else examples(desk.library.folders[name])
    return {"name": name, **(described(model) if model else {}), "examples": list(told)}


def described(model: ImageModel) -> dict[str, Any]:
    """What a form begins with."""
    how = model.sampling
    sizes = [model.size, *(e.size for e in model.enlargers)] if isinstance(model, TextToImage) else [model.size]
    guidance = noted(how.guidance)
    return {
        "size": sizes[-1],
        "steps": how.steps,
        "guidance": guidance if isinstance(guidance, int | float) else None,
        "edits": isinstance(model, TextToImage),
    }


@lru_cache(maxsize=64)
def examples(folder: Path) -> tuple[str, ...]:
    """Captions of a run's data, else the prompts that a model of the box was tried with, else none."""
    try:
        if (RunFolder(folder).data / "captions.jsonl").is_file():
            return chosen(islice(read_captions(RunFolder(folder).data), LOOKED))
        shipped = shipped_as(folder)
        found = shipped.sheet.get("prompts", ()) if shipped else ()
        return chosen(map(str, found)) if isinstance(found, list) else ()
    except (OSError, ValueError, KeyError, TypeError):  # examples are not worth an error
        return ()


def chosen(captions: Iterable[str]) -> tuple[str, ...]:
    """A few from all over, each once."""
    short = list(dict.fromkeys(words for each in captions if 0 < len(words := each.strip()) <= LONGEST))
    step = max(1, len(short) / EXAMPLES)
    return tuple(short[int(number * step)] for number in range(min(EXAMPLES, len(short))))
