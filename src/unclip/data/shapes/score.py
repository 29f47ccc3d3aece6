"""How well an image of the drawn world answers a prompt."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from unclip.data.shapes.captions import Prompt, relation
from unclip.data.shapes.parse import ParsedObject, parse

Image = NDArray[np.uint8]


@dataclass(frozen=True)
class Score:
    """How well an image answers a prompt.

    `objects_right` counts the `wanted` objects that are there with all three attributes; `colours_right`,
    `shapes_right` and `sizes_right` say whether that attribute alone has the wanted multiset; `relation_right` is None
    where the prompt tells no relation, and False where the objects to relate are not both there. `shapes_there` and
    `bindings_there` say whether all wanted shapes, and all wanted (colour, shape) pairs, are there, whatever else is.
    `whole` is everything: no object missing, wrong or surplus, and the relation as told.
    """

    whole: bool
    objects_right: int
    wanted: int
    colours_right: bool
    shapes_right: bool
    sizes_right: bool
    count_right: bool
    relation_right: bool | None
    shapes_there: bool
    bindings_there: bool


def score(image: Image, prompt: Prompt) -> Score:
    """Check an image (uint8 RGB [h, w, 3]) against a prompt."""
    found = parse(image)
    kinds, wanted = [f.kind for f in found], prompt.objects
    related = _related(found, prompt)
    shapes, colours, sizes = (_same((k[i] for k in wanted), (k[i] for k in kinds)) for i in range(3))
    return Score(
        whole=_same(wanted, kinds) and related is not False,
        objects_right=(Counter(wanted) & Counter(kinds)).total(),
        wanted=len(wanted),
        colours_right=colours,
        shapes_right=shapes,
        sizes_right=sizes,
        count_right=len(kinds) == len(wanted),
        relation_right=related,
        shapes_there=_among((k[0] for k in wanted), (k[0] for k in kinds)),
        bindings_there=_among((k[:2] for k in wanted), (k[:2] for k in kinds)),
    )


def score_each(images: Sequence[Image], prompts: Sequence[Prompt]) -> list[Score]:
    """The score of each image by its prompt. Raises ValueError if there are not as many images as prompts."""
    if len(images) != len(prompts):
        raise ValueError(f"{len(images)} images for {len(prompts)} prompts; give one image per prompt")
    return [score(image, prompt) for image, prompt in zip(images, prompts, strict=True)]


def _same(wanted: Iterable[object], found: Iterable[object]) -> bool:
    return Counter(wanted) == Counter(found)


def _among(wanted: Iterable[object], found: Iterable[object]) -> bool:
    return Counter(wanted) <= Counter(found)


def _related(found: Sequence[ParsedObject], prompt: Prompt) -> bool | None:
    if prompt.relation is None:
        return None
    first = next((f for f in found if f.kind == prompt.objects[0]), None)
    second = next((f for f in found if f.kind == prompt.objects[1]), None)
    return first is not None and second is not None and relation(first, second) == prompt.relation
