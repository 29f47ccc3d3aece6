"""What a stage says of itself before it is built: its settings, its name, and which runs may have it.

A stage is one class, a `Recipe`, in one file of `recipes/stages`. Which stages a model trains, in which order, and what
can be added to its runs is read from these classes; a class of a plugin counts as one of ours.
"""

import itertools
import re
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from unclip.core.config.base import Config
from unclip.core.config.families import below
from unclip.core.config.ranges import quote
from unclip.generation.upsampling import numbered
from unclip.runs.folder import STAGE_NAME
from unclip.training.trainer import TrainConfig


class Recipe(Config):
    """Base of the settings of a stage; each is a frozen dataclass.

    share: fraction of the run's time budget; train: batch, optimiser, length.
    Of the class: name: that of the stage, of its table in run.toml and of its folder. trained_by: the models whose runs
    train it; added_to: those to whose finished runs `unclip add` adds it. follows: the stages whose weights it learns
    from. reads_captions: whether it needs a tokenizer. gate_previews: how many times as long as a preview its gate
    takes, about; the budget keeps so much for it.
    """

    name: ClassVar[str] = ""
    trained_by: ClassVar[tuple[str, ...]] = ()
    added_to: ClassVar[tuple[str, ...]] = ()
    follows: ClassVar[tuple[str, ...]] = ()
    reads_captions: ClassVar[bool] = True
    gate_previews: ClassVar[float] = 4.0
    numbered: ClassVar[bool] = False
    """Whether a run may hold several of it: upsampler, upsampler2, upsampler3, ..."""
    takes_lora: ClassVar[bool] = True
    """Whether small matrices can be trained beside its weights; of a run with --lora that has them, others stay."""

    share: float
    train: TrainConfig

    def __init_subclass__(cls, **options: Any) -> None:
        """Raises ValueError for a name that cannot be that of a stage."""
        super().__init_subclass__(**options)
        if cls.name and not STAGE_NAME.fullmatch(cls.name):
            raise ValueError(
                f"{cls.__name__}: name = {quote(cls.name)}: a stage is a folder and a table of run.toml; take small "
                "letters, digits and _, a letter first"
            )

    @classmethod
    def default(cls, number: int) -> "Recipe":
        """The settings where nothing is said. number: which one of several, from 1."""
        return cls()

    @classmethod
    def after(cls, number: int) -> tuple[str, ...]:
        """The stages that must be finished before the one of this number."""
        return cls.follows

    @property
    def captioned(self) -> bool:
        """Whether an image without a caption is of no use to it."""
        return self.reads_captions

    @property
    def trained(self) -> bool:
        """Whether it is stepped at all: weights that were trained elsewhere may stay as they are."""
        return True

    def check(self, size: int, recipes: "Mapping[str, Recipe]") -> None:
        """Raises ValueError where images of `size` px, or the settings of the run's other stages, do not fit it."""

    def to_dict(self) -> dict[str, object]:
        """Of a stage of unclip's without a kind: its name says which class it is. Of a plugin's the kind says whose."""
        own = type(self).__module__.startswith("unclip.")
        return {name: value for name, value in super().to_dict().items() if name != "kind" or not own}


def all_recipes() -> dict[str, type[Recipe]]:
    """Stage -> its class, of all that are imported."""
    # What inherits a name is a variant of that stage, chosen by its kind.
    return {kind.name: kind for kind in below(Recipe) if vars(kind).get("name")}


def kind_of(stage: str) -> tuple[type[Recipe], int] | None:
    """(class, number) of a stage by name; None where there is none. "upsampler2" -> (UpsamplerRecipe, 2)."""
    classes = all_recipes()
    if stage in classes:
        return classes[stage], 1
    numbered = re.fullmatch(r"([a-z_]+?)([2-9]|[1-9]\d)", stage)
    kind = classes.get(numbered[1]) if numbered else None
    return (kind, int(numbered[2])) if numbered and kind is not None and kind.numbered else None


def default_recipe(stage: str) -> Recipe:
    """The settings of a stage where nothing is said. Raises ValueError for an unknown name."""
    kind, number = _must(stage)
    return kind.default(number)


def stages_before(stage: str) -> tuple[str, ...]:
    """The stages that must be finished before this one. Raises ValueError for an unknown name."""
    kind, number = _must(stage)
    return kind.after(number)


def _must(stage: str) -> tuple[type[Recipe], int]:
    found = kind_of(stage)
    if found is None:
        raise ValueError(
            f"stage {quote(stage)}: there is none of this name; known are {', '.join(sorted(all_recipes()))}"
        )
    return found


def models() -> list[str]:
    """The names of all models: what some stage is trained by."""
    return sorted(
        {model for kind in all_recipes().values() for model in kind.trained_by}, key=lambda m: (m != "unclip", m)
    )


def stages_of(model: str) -> tuple[str, ...]:
    """The stages that a run of this model trains, each after those that it follows; the last one draws its images."""
    waiting = {name: kind for name, kind in sorted(all_recipes().items()) if model in kind.trained_by}
    ordered: list[str] = []
    while waiting:
        ready = [name for name, kind in waiting.items() if not set(kind.follows) & set(waiting)]
        if not ready:
            raise ValueError(f"model = {model!r}: its stages {', '.join(waiting)} wait for each other")
        ordered += ready
        waiting = {name: kind for name, kind in waiting.items() if name not in ready}
    return tuple(ordered)


def additions(model: str) -> list[str]:
    """The stages that can be added to a finished run of this model; of numbered ones the first."""
    return [name for name, kind in sorted(all_recipes().items()) if model in kind.added_to]


def next_additions(model: str, finished: Iterable[str]) -> list[str]:
    """What can be added to a run of this model now; finished: the stages that it has. Of numbered ones the next.

    A stage that follows none by name follows the one that draws.
    """
    there, found = set(finished), list[str]()
    for stage in additions(model):
        kind, _ = _must(stage)
        names = (numbered(stage, n) for n in itertools.count(1)) if kind.numbered else (stage,)
        new = next((name for name in names if name not in there), None)
        if new is not None and there.issuperset(stages_before(new) or stages_of(model)[-1:]):
            found.append(new)
    return found


def can_be_added(stage: str, model: str) -> bool:
    """Whether `unclip add` takes this stage for runs of this model."""
    found = kind_of(stage)
    return found is not None and model in found[0].added_to
