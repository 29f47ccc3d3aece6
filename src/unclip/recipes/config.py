"""The settings of a whole run, from folder to model: what `run.toml` holds."""

import tomllib
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import tomli_w

from unclip.core.config import Config
from unclip.core.files import write_atomic
from unclip.diffusion.guidance import Unguided
from unclip.pipeline.run_folder import ADDED, TRAINED
from unclip.recipes.added_settings import (
    AutoregressivePriorRecipe,
    ClassifierRecipe,
    ContrastivePriorRecipe,
    InpaintRecipe,
    NoisyCLIPRecipe,
    upsampler_inpainting,
)
from unclip.recipes.ddpm_settings import DDPMRecipe
from unclip.recipes.latent_settings import AutoencoderRecipe, LatentRecipe, check_latent
from unclip.recipes.unclip_settings import CLIPRecipe, DecoderRecipe, PriorRecipe
from unclip.recipes.upsampler_settings import UpsamplerRecipe, second_upsampler

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
    for small networks). held_out: share of the pairs kept for the scores.
    """

    model: Literal["unclip", "latent", "ddpm"] = "unclip"
    size: int = 64
    budget: float = 1800.0
    seed: int = 0
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    workers: int = 2
    vocabulary: int = 4096
    longest_caption: int = 77
    held_out: float = 0.05
    max_bad: float = 0.01
    checkpoint_seconds: float = 60.0
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
            raise ValueError(f"size = {self.size}: the decoder draws 32 or 64 px")
        if self.model != "latent" and (self.size < 1 or self.size % multiple):
            raise ValueError(f"size = {self.size}: this network draws multiples of {multiple} px")
        if self.model == "latent":
            check_latent(self.size, self.clip.vision, self.autoencoder, self.latent)
        if self.budget <= 0:
            raise ValueError(f"budget = {self.budget} s: must be above 0")
        for name in self.added:
            check_addable(self.model, name)
        for name in (*self.stages, *self.added):
            _check_sampling(name, self.recipe(name))

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
                raise ValueError(f"{where}.{name}: a run of model = {config.model!r} has no such stage; leave it out")
        return config

    @staticmethod
    def _foreign(model: str, added: tuple[str, ...]) -> set[str]:
        every = {stage for table in (TRAINED, ADDED) for stages in table.values() for stage in stages}
        return every - set(TRAINED[model]) - set(added)


def _check_sampling(stage: str, recipe: Recipe) -> None:
    """Training draws previews with these settings alone, so they must say it all."""
    guidance = getattr(getattr(recipe, "sampling", None), "guidance", Unguided())
    if lacks := ", ".join(sorted(guidance.lacks())):
        raise ValueError(
            f"{stage}.sampling.guidance: {type(guidance).__name__} needs a model ({lacks}), which is no setting; train "
            "without it and draw with it: unclip generate --guidance-form auto, --clip-guidance, --classifier-guidance"
        )


def check_addable(model: str, stage: str) -> None:
    """Raises ValueError that lists what can be added to a run of this model."""
    if stage not in ADDED[model]:
        known = ", ".join(ADDED[model]) or "nothing"
        raise ValueError(f"stage {stage!r}: to a run of model = {model!r} can be added: {known}")


def write_settings(path: Path, config: RunConfig) -> None:
    """Writes `run.toml`, which `--config` reads back."""
    write_atomic(path, tomli_w.dumps(config.to_dict()))


def read_settings(path: Path) -> dict[str, Any]:
    """The table of a settings file. Raises ValueError that names the file where it is missing or not TOML."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ValueError(f"{path}: not a settings file ({error}); a run's run.toml shows the form") from error


def merge(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    """`base` with `over` laid on top, table by table; a member of another kind takes the whole place of one."""
    both = dict(base)
    for key, value in over.items():
        deeper = isinstance(value, dict) and isinstance(both.get(key), dict)
        same = deeper and value.get("kind", both[key].get("kind")) == both[key].get("kind")
        both[key] = merge(both[key], value) if same else value
    return both
