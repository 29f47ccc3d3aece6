"""The settings of a whole run, from folder to model: what `run.toml` holds."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any, Literal

import tomli_w

import unclip
from unclip.core.config.base import Config, WrongSetting
from unclip.core.config.ranges import Fraction, Range, Side
from unclip.core.config.tables import read_toml
from unclip.core.disk.atomic import write_atomic
from unclip.core.plugins import noted
from unclip.core.shown import typed
from unclip.core.versions import WRITTEN_BY, by_another
from unclip.data.images.colours import colour
from unclip.data.layouts.kinds import Captions
from unclip.diffusion.process import check_sampling
from unclip.recipes.settings.added import (
    AutoregressivePriorRecipe,
    ClassifierRecipe,
    ContrastivePriorRecipe,
    InpaintRecipe,
    NoisyCLIPRecipe,
    upsampler_inpainting,
)
from unclip.recipes.settings.ddpm import DDPMRecipe
from unclip.recipes.settings.latent import AutoencoderRecipe, LatentRecipe, check_latent
from unclip.recipes.settings.unclip import CLIPRecipe, DecoderRecipe, PriorRecipe
from unclip.recipes.settings.upsampler import UpsamplerRecipe, second_upsampler
from unclip.runs.folder import ADDED, NETWORKS, TRAINED

Recipe = (
    CLIPRecipe
    | PriorRecipe
    | AutoregressivePriorRecipe
    | ContrastivePriorRecipe
    | DecoderRecipe
    | AutoencoderRecipe
    | LatentRecipe
    | DDPMRecipe
    | ClassifierRecipe
    | NoisyCLIPRecipe
    | UpsamplerRecipe
    | InpaintRecipe
)


@dataclass(frozen=True)
class RunConfig(Config):
    """model: what is trained; only the recipes of its own stages count, and are written. size: picture side in px.

    budget: seconds for the whole run (stages with `train.steps` ignore it). precision `auto` measures the machine once.
    added: stages trained later, by `unclip add`; their share of the budget is time of its own.
    workers: on a CPU, threads that each take a share of a batch (1: the threads share each operation instead, slower
    for small networks). held_out: share of the pairs kept for the scores. captions, caption_column: how the data
    were read. background: the colour behind pictures that are transparent.
    """

    model: Literal["unclip", "latent", "ddpm"] = "unclip"
    size: Side = 64
    budget: Annotated[float, Range(0, 1e9, above=True)] = 1800.0
    seed: Annotated[int, Range(0, 2**63 - 1)] = 0
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    workers: Annotated[int, Range(1, 256)] = 2
    vocabulary: Annotated[int, Range(1, 1_000_000)] = 4096
    longest_caption: Annotated[int, Range(3, 4096)] = 77
    captions: Captions = "auto"
    caption_column: str = ""
    held_out: Annotated[float, Range(0, 1, below=True)] = 0.05
    background: str = "white"
    max_bad: Fraction = 0.01
    checkpoint_seconds: Annotated[float, Range(0, 1e9)] = 60.0
    clip: CLIPRecipe = field(default_factory=CLIPRecipe)
    prior: PriorRecipe = field(default_factory=PriorRecipe)
    decoder: DecoderRecipe = field(default_factory=DecoderRecipe)
    autoencoder: AutoencoderRecipe = field(default_factory=AutoencoderRecipe)
    latent: LatentRecipe = field(default_factory=LatentRecipe)
    ddpm: DDPMRecipe = field(default_factory=DDPMRecipe)
    added: tuple[str, ...] = ()
    classifier: ClassifierRecipe = field(default_factory=ClassifierRecipe)
    upsampler: UpsamplerRecipe = field(default_factory=UpsamplerRecipe)
    upsampler2: UpsamplerRecipe = field(default_factory=second_upsampler)
    autoregressive_prior: AutoregressivePriorRecipe = field(default_factory=AutoregressivePriorRecipe)
    contrastive_prior: ContrastivePriorRecipe = field(default_factory=ContrastivePriorRecipe)
    noisy_clip: NoisyCLIPRecipe = field(default_factory=NoisyCLIPRecipe)
    inpaint: InpaintRecipe = field(default_factory=InpaintRecipe)
    inpaint_upsampler: InpaintRecipe = field(default_factory=upsampler_inpainting)
    inpaint_upsampler2: InpaintRecipe = field(default_factory=upsampler_inpainting)

    def __post_init__(self) -> None:
        multiple = (self.ddpm if self.model == "ddpm" else self.decoder).network.multiple
        if self.model == "unclip" and self.size not in (32, 64):
            larger = typed("unclip", "add", "upsampler", "DATA", "--run", "RUN", "--size", max(128, self.size))
            raise ValueError(
                f"size = {self.size}: the decoder draws 32 or 64 px; for larger pictures train with size 64, then "
                f"`{larger}` draws on"
            )
        if self.model != "latent" and (self.size < 1 or self.size % multiple):
            raise ValueError(
                f"size = {self.size}: with its patch and its levels this network draws multiples of {multiple} px; "
                "take such a size, or another patch or number of widths"
            )
        if self.model == "latent":
            check_latent(self.size, self.clip.vision, self.autoencoder, self.latent)
        colour(self.background)
        for name in self.added:
            check_addable(self.model, name)
        for name in (*self.stages, *self.added):
            check_recipe(name, self.recipe(name))

    @property
    def stages(self) -> tuple[str, ...]:
        """The networks that this run trains, in order."""
        return TRAINED[self.model]

    def recipe(self, stage: str) -> Recipe:
        """The settings of a stage."""
        return getattr(self, stage)

    @property
    def captioned(self) -> bool:
        """Whether a picture without a caption is of no use."""
        return self.model != "ddpm" or self.ddpm.classes

    def timed(self) -> "RunConfig":
        """The same settings with every stage ended by the budget instead of a number of steps."""
        recipes = {name: self.recipe(name) for name in self.stages}
        return replace(self, **{n: replace(r, train=replace(r.train, steps=0)) for n, r in recipes.items()})

    def to_dict(self) -> dict[str, Any]:
        """Without the stages that this run does not have."""
        foreign = self._foreign(self.model, self.added)
        return {name: value for name, value in super().to_dict().items() if name not in foreign}

    @classmethod
    def from_dict(cls, data: Any, where: str = "settings") -> "RunConfig":
        """Raises ValueError for the settings of a stage that this run does not have."""
        config = super().from_dict(data, where)
        for name in cls._foreign(config.model, config.added):
            if name in data:
                at = f"{where}: {name}" if where else name
                raise WrongSetting(f"{at}: a run of model = {config.model!r} has no such stage; leave it out", name)
        return config

    @staticmethod
    def _foreign(model: str, added: tuple[str, ...]) -> set[str]:
        return {*NETWORKS} - set(TRAINED[model]) - set(added)


def check_recipe(stage: str, recipe: Recipe) -> None:
    """Raises ValueError where a stage would have no time, or could not draw: training draws previews with these
    settings alone, so they must say it all."""
    if not recipe.share and not recipe.train.steps:
        raise ValueError(f"{stage}.share = 0: a stage needs time; give it a share above 0, or {stage}.train.steps")
    if not (hasattr(recipe, "sampling") and hasattr(recipe, "diffusion")):
        return
    diffusion, sampling = recipe.diffusion, recipe.sampling  # pyright: ignore[reportAttributeAccessIssue]
    guidance = sampling.guidance
    if lacks := ", ".join(sorted(guidance.lacks())):
        raise ValueError(
            f"{stage}.sampling.guidance: {type(guidance).__name__} needs a model ({lacks}), which is no setting; train "
            "without it and draw with it: unclip generate --guidance-form auto, --clip-guidance, --classifier-guidance"
        )
    try:
        check_sampling(diffusion, sampling)
    except ValueError as error:
        raise ValueError(f"{stage}.sampling.{error}") from error


def check_addable(model: str, stage: str) -> None:
    """Raises ValueError that lists what can be added to a run of this model."""
    if stage not in ADDED[model]:
        known = ", ".join(ADDED[model]) or "nothing"
        raise ValueError(f"stage {stage!r}: to a run of model = {model!r} can be added: {known}")


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
