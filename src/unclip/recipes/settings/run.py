"""The settings of a whole run, from folder to model: what `run.toml` holds."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import tomli_w

import unclip
from unclip.core.config.base import Config, WrongSetting, check_table, make, read_fields, read_member
from unclip.core.config.ranges import Fraction, Range, Side, quote
from unclip.core.config.tables import is_list, read_toml
from unclip.core.disk.atomic import write_atomic
from unclip.core.plugins import noted
from unclip.core.versions import WRITTEN_BY, by_another
from unclip.data.images.colours import colour
from unclip.data.images.square import Look, check_known
from unclip.data.layouts.kinds import CROP, Captions, Fit
from unclip.data.prepare.splits import SHARE
from unclip.diffusion.process import check_sampling
from unclip.recipes.settings.recipe import Recipe, additions, can_be_added, default_recipe, kind_of, models, stages_of

R = TypeVar("R", bound=Recipe)


@dataclass(frozen=True)
class RunConfig(Config):
    """model: what is trained. size: side of the images in px.

    budget: seconds for the whole run (stages with `train.steps` ignore it). precision `auto` measures the machine once.
    added: stages trained later, by `unclip add`; their share of the budget is time of its own.
    workers: on a CPU, threads that each take a share of a batch (1: the threads share each operation instead, slower
    for small networks). shard: whether several processes share out the weights, too. compile: whether torch compiles
    the blocks of the networks that are trained on a GPU; a CPU never does.
    held_out: share of the pairs kept for validation, and as much for the test. captions, caption_column: how the data
    were read. stream: whether tar shards are read while it trains, in the place of being prepared; auto: where they are
    many or large. background: the colour behind images that are transparent. fit: what becomes of images that are not
    square.
    stop_at_copies: the share of near-copies in a preview at which a stage begins its cooldown early; 0: none.
    start, start_hash: the run whose trained weights it starts from, as it was named, and the hash of its model; "":
    random weights.
    lora: the rank of small matrices that are trained beside those weights, which stay as they are; 0: all is trained.
    recipes: stage -> its settings, for the stages of the model and those added; one that is left out has its defaults.
    """

    model: str = "unclip"
    size: Side = 64
    budget: Annotated[float, Range(0, 1e9, above=True)] = 1800.0
    seed: Annotated[int, Range(0, 2**63 - 1)] = 0
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    workers: Annotated[int, Range(1, 256)] = 2
    shard: bool = False
    compile: bool = False
    vocabulary: Annotated[int, Range(1, 1_000_000)] = 4096
    longest_caption: Annotated[int, Range(3, 4096)] = 77
    captions: Captions = "auto"
    caption_column: str = ""
    held_out: Annotated[float, Range(0, 0.5, below=True)] = SHARE
    stream: Literal["auto", "always", "never"] = "auto"
    background: str = "white"
    fit: Fit = CROP
    max_bad: Fraction = 0.01
    checkpoint_seconds: Annotated[float, Range(0, 1e9)] = 60.0
    stop_at_copies: Fraction = 0.0
    start: str = ""
    start_hash: str = ""
    lora: Annotated[int, Range(0, 1024)] = 0
    added: tuple[str, ...] = ()
    recipes: Mapping[str, Recipe] = field(default_factory=dict[str, Recipe], hash=False, metadata={"stored": False})

    def __post_init__(self) -> None:
        check_model(self.model)
        for name in self.added:
            check_addable(self.model, name)
        names = (*stages_of(self.model), *self.added)
        if foreign := [name for name in self.recipes if name not in names]:
            raise ValueError(f"{foreign[0]}: {_foreign(self.model)}")
        every = {name: self.recipes.get(name) or default_recipe(name) for name in names}
        object.__setattr__(self, "recipes", every)
        colour(self.background)
        check_known(self.fit)
        for recipe in every.values():
            recipe.check(self.size, every)
        for name, recipe in every.items():
            check_recipe(name, recipe)
        self._check_lora()

    def _check_lora(self) -> None:
        if self.lora and not self.start:
            raise ValueError(
                f"lora = {self.lora}: small weights stand beside trained ones; say whose: --from RUN, or --from "
                "box:emoji"
            )
        if self.lora and not self.recipes[self.stages[-1]].takes_lora:
            raise ValueError(
                f"lora = {self.lora}: a {self.model} is no network that denoises, and only those are trained so here; "
                "leave --lora out"
            )

    @property
    def stages(self) -> tuple[str, ...]:
        """The networks that this run trains, in order; the last one draws its images."""
        return tuple(name for name in self.recipes if name not in self.added)

    def of(self, kind: type[R]) -> R:
        """The settings of the stage of this class."""
        recipe = self.recipes[kind.name]
        assert isinstance(recipe, kind)
        return recipe

    def using(self, **recipes: Recipe) -> "RunConfig":
        """The same settings with others for these stages: `config.using(decoder=DecoderRecipe(share=0.5))`."""
        return replace(self, recipes={**self.recipes, **recipes})

    @property
    def look(self) -> Look:
        """How its images are seen."""
        return {"background": self.background, "fit": self.fit}

    @property
    def captioned(self) -> bool:
        """Whether an image without a caption is of no use."""
        return any(self.recipes[name].captioned for name in self.stages)

    @property
    def reads_captions(self) -> bool:
        """Whether its stages read captions, and so need a tokenizer."""
        return any(self.recipes[name].reads_captions for name in self.stages)

    def timed(self) -> "RunConfig":
        """The same settings with every stage ended by the budget instead of a number of steps."""
        own = {name: self.recipes[name] for name in self.stages}
        return self.using(**{name: retrained(recipe, steps=0) for name, recipe in own.items()})

    def to_dict(self) -> dict[str, Any]:
        """The settings, the names of the stages, and a table for each stage."""
        tables = {name: recipe.to_dict() for name, recipe in self.recipes.items()}
        return {**super().to_dict(), STAGES: list(self.stages), **tables}

    @classmethod
    def from_dict(cls, data: Any, where: str = "settings") -> "RunConfig":
        """Raises WrongSetting, also for the settings of a stage that this run does not have."""
        try:
            return _read(data)
        except WrongSetting as error:
            raise WrongSetting(f"{where}: {error}" if where else str(error), error.path) from error.__cause__


STAGES = "stages"
"""Where run.toml lists them, so that whoever reads a run's folder knows them without their classes."""


def _read(data: Any) -> RunConfig:
    check_table(data, "")
    tables = {name: value for name, value in data.items() if isinstance(name, str) and kind_of(name) is not None}
    own = {name: value for name, value in data.items() if name not in tables and name != STAGES}
    values = read_fields(RunConfig, own, "", also=stages_of(str(own.get("model", RunConfig.model))))
    model, added = values.get("model", RunConfig.model), values.get("added", ())
    _check_names(model, added)
    names = (*stages_of(model), *added)
    for name in tables:
        if name not in names:
            raise WrongSetting(f"{name}: {_foreign(model)}", name)
    listed = data.get(STAGES, [*stages_of(model)])
    if not is_list(listed) or list(listed) != [*stages_of(model)]:
        expected = ", ".join(stages_of(model))
        raise WrongSetting(f"{STAGES} = {quote(listed)}: a run of model = {model!r} trains {expected}", STAGES)
    return make(RunConfig, {**values, "recipes": {name: _recipe(name, table) for name, table in tables.items()}}, "")


def _check_names(model: str, added: Iterable[str]) -> None:
    name = "model"
    try:
        check_model(model)
        name = "added"
        for stage in added:
            check_addable(model, stage)
    except ValueError as error:
        raise WrongSetting(str(error), name) from error


def _recipe(stage: str, table: Any) -> Recipe:
    """A stage's defaults with what its table says on top; a table that names a kind has the defaults of that."""
    check_table(table, stage)
    base = default_recipe(stage)
    return read_member(type(base), table if "kind" in table else merge(base.to_dict(), table), stage)


def _foreign(model: str) -> str:
    return f"a run of model = {model!r} has no such stage; leave it out"


def retrained(recipe: R, **changes: Any) -> R:
    """A stage's settings with other ones of its training, as `steps`."""
    return replace(recipe, train=replace(recipe.train, **changes))  # pyright: ignore[reportArgumentType]


def check_recipe(stage: str, recipe: Recipe) -> None:
    """Raises ValueError where a stage would have no time, or could not draw: training draws previews with these
    settings alone, so they must say it all."""
    if not recipe.share and not recipe.train.steps:
        raise ValueError(f"{stage}.share = 0: a stage needs time; give it a share above 0, or {stage}.train.steps")
    if not (hasattr(recipe, "sampling") and hasattr(recipe, "diffusion")):
        return
    diffusion, sampling = recipe.diffusion, recipe.sampling  # pyright: ignore[reportAttributeAccessIssue]
    guidance = sampling.guidance
    if lacks := ", ".join(sorted(guidance.missing_models())):
        raise ValueError(
            f"{stage}.sampling.guidance: {type(guidance).__name__} needs a model ({lacks}), which is not a setting; "
            "train without it and draw with it: unclip generate --guidance-form auto, --clip-guidance, "
            "--classifier-guidance, --negative"
        )
    try:
        check_sampling(diffusion, sampling)
    except ValueError as error:
        raise ValueError(f"{stage}.sampling.{error}") from error


def check_model(model: str) -> None:
    """Raises ValueError that lists the models for an unknown one."""
    if model not in models():
        raise ValueError(f"model = {quote(model)}: known are {', '.join(models())}")


def check_addable(model: str, stage: str) -> None:
    """Raises ValueError that lists what can be added to a run of this model."""
    if not can_be_added(stage, model):
        known = ", ".join(additions(model)) or "nothing"
        raise ValueError(f"stage {quote(stage)}: to a run of model = {model!r} can be added: {known}")


def write_settings(path: Path, config: RunConfig) -> None:
    """Writes `run.toml`, which `--config` reads back; with the version of unclip that wrote it, and the plugins.

    Raises ValueError where two plugins cannot be kept together.
    """
    table = config.to_dict()
    write_atomic(path, tomli_w.dumps({WRITTEN_BY: unclip.__version__, **noted.keep(path, table), **table}))


def read_settings(path: Path) -> dict[str, Any]:
    """The table of a settings file, once the plugins that it names are imported.

    Raises ValueError that names the file where it is missing or not TOML, and a plugin that was never given.
    """
    noted.provide(path)
    return settings_table(path)


def settings_table(path: Path) -> dict[str, Any]:
    """The same, only to be looked at. Raises ValueError that names the file where it is missing or not TOML."""
    table = read_toml(path, "a settings file; a run's run.toml shows the form")
    return {name: value for name, value in table.items() if name not in (WRITTEN_BY, noted.NOTE)}


def stored_config(path: Path) -> RunConfig:
    """The settings of a run.toml. Raises ValueError that names the file, and another version that wrote it."""
    try:
        return RunConfig.from_dict(read_settings(path), str(path))
    except WrongSetting as error:
        raise ValueError(f"{error}{by_another(read_toml(path, 'a settings file').get(WRITTEN_BY))}") from error


def together(tables: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """Tables as one; of a value that stands in several, the last. Their order says nothing else."""
    every: dict[str, Any] = {}
    for table in tables:
        for key, value in table.items():
            both = isinstance(value, dict) and isinstance(every.get(key), dict)
            every[key] = together([every[key], value]) if both else value
    return every


def merge(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    """`base` with `over` laid on top, table by table; a member of another kind takes the whole place of one."""
    both = dict(base)
    for key, value in over.items():
        deeper = isinstance(value, dict) and isinstance(both.get(key), dict)
        same = deeper and value.get("kind", both[key].get("kind")) == both[key].get("kind")
        both[key] = merge(both[key], value) if same else value
    return both
