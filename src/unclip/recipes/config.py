"""The settings of a whole run, from folder to model: what `run.toml` holds."""

import tomllib
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import tomli_w

from unclip.core.config import Config
from unclip.core.store import write_atomic
from unclip.data.masks import MaskConfig
from unclip.diffusion.guidance import ClassifierFree
from unclip.diffusion.process import DiffusionConfig, Sampling
from unclip.diffusion.samplers import DDIM
from unclip.diffusion.schedules import LogNormal
from unclip.models.decoder import decoder_diffusion, decoder_sampling
from unclip.nn.image_network import ImageNetworkConfig
from unclip.nn.unet import UNetConfig
from unclip.pipeline.run_folder import ADDED, TRAINED
from unclip.recipes.latent_settings import AutoencoderRecipe, LatentRecipe, check_latent
from unclip.recipes.upsampler_settings import UpsamplerRecipe, second_upsampler
from unclip.train.optim import OptimConfig
from unclip.train.trainer import TrainConfig


@dataclass(frozen=True)
class CLIPRecipe(Config):
    """Sizes of both towers; share: of the time budget.

    vision: the image tower, a convolutional stem (vision_stem) or the paper's ViT (vision_patch), which brings the
    paper's text tower and loss with it. form: of the loss; None: sigmoid for the stem, softmax for the ViT.
    """

    width: int = 128
    form: Literal["softmax", "sigmoid"] | None = None
    text_width: int = 128
    text_layers: int = 3
    vision: Literal["conv", "vit"] = "conv"
    vision_stem: tuple[int, ...] = (32, 64, 128)
    vision_patch: int = 8
    vision_width: int = 192
    vision_layers: int = 3
    share: float = 0.17
    train: TrainConfig = field(default_factory=lambda: TrainConfig(64, OptimConfig(lr=1e-3, muon_lr=1e-3, decay=0.05)))


@dataclass(frozen=True)
class PriorRecipe(Config):
    """Sizes of the prior's transformer. The paper's prior: scaling "unit", 64 steps; see `PriorConfig`."""

    width: int = 192
    layers: int = 4
    drop_text: float = 0.1
    candidates: int = 2
    steps: int = 32
    scaling: Literal["standardised", "unit"] = "standardised"
    share: float = 0.08
    train: TrainConfig = field(default_factory=lambda: TrainConfig(64, OptimConfig(lr=1e-3, muon_lr=1e-3)))


@dataclass(frozen=True)
class AutoregressivePriorRecipe(Config):
    """explained: share of the embeddings' variance that is kept as codes; the rest as in `AutoregressivePriorConfig`.

    The paper's: buckets = 1024, waves = 1024.
    """

    width: int = 192
    layers: int = 4
    explained: float = 0.99
    buckets: int = 256
    waves: int = 64
    dots: int = 32
    top: float = 0.5
    drop_text: float = 0.1
    guidance: float = 1.0
    candidates: int = 1
    share: float = 0.08
    train: TrainConfig = field(default_factory=lambda: TrainConfig(64, OptimConfig(lr=1e-3, muon_lr=1e-3)))


@dataclass(frozen=True)
class ContrastivePriorRecipe(Config):
    """contrast: weight of the contrastive loss (the paper's lambda)."""

    width: int = 192
    layers: int = 4
    contrast: float = 0.2
    share: float = 0.08
    train: TrainConfig = field(default_factory=lambda: TrainConfig(64, OptimConfig(lr=1e-3, muon_lr=1e-3)))


@dataclass(frozen=True)
class DecoderRecipe(Config):
    """The decoder. network: any of the family; what follows from CLIP, text and loss (its vector_width, token_width,
    learned_variance) is filled in, and a learned variance is sampled with (`recipes.decoder`).

    text: "clip" starts as a copy of CLIP's tower, which knows the words; "own" from random weights, as the paper's, of
    text_width, text_layers and heads of 64 channels.
    """

    network: ImageNetworkConfig = field(
        default_factory=lambda: UNetConfig(patch=2, widths=(32, 64), blocks=(1, 4), attention=(False, True))
    )
    text: Literal["clip", "own"] = "clip"
    text_width: int = 128
    text_layers: int = 3
    diffusion: DiffusionConfig = field(default_factory=lambda: decoder_diffusion(0.8, 1.2))
    sampling: Sampling = field(default_factory=decoder_sampling)
    drop_embedding: float = 0.1
    drop_caption: float = 0.5
    image_tokens: int = 4
    share: float = 0.75
    train: TrainConfig = field(default_factory=lambda: TrainConfig(32, OptimConfig(lr=2e-3, muon_lr=3e-3)))

    @classmethod
    def from_dict(cls, data: Any, where: str = "settings") -> "DecoderRecipe":
        """Takes the run files of before `network` was a setting, too."""
        old = isinstance(data, dict) and data.keys() >= OLD
        return super().from_dict(as_today(data) if old else data, where)


OLD = {"patch", "widths", "blocks", "attention", "fine", "level_mean", "level_std", "steps", "guidance"}
"""Settings of a decoder that run files held, all of them, before `network`, `diffusion` and `sampling` were."""


def as_today(old: dict[str, Any]) -> dict[str, Any]:
    """The settings of such a file in today's form."""
    network = {"kind": "UNetConfig", **{k: old[k] for k in ("patch", "widths", "blocks", "attention", "fine")}}
    diffusion = decoder_diffusion(old["level_mean"], old["level_std"]).to_dict()
    sampling = decoder_sampling().to_dict() | {"steps": old["steps"]}
    sampling["guidance"] = ClassifierFree(old["guidance"], limit=1.0).to_dict()
    kept = {name: value for name, value in old.items() if name not in OLD}
    return {**kept, "network": network, "diffusion": diffusion, "sampling": sampling}


def fast_diffusion() -> DiffusionConfig:
    """EDM preconditioning; levels around log-SNR 1 for the pictures, wide enough for bits/dim: from -10 to 12."""
    return DiffusionConfig(LogNormal(mean=-0.5, std=1.7, s_min=0.0025, s_max=160.0), limit=1.0)


def fast_sampling() -> Sampling:
    """50 ancestral steps; with classes, guidance 3: at 1.5 a briefly trained model shows fewer of them."""
    return Sampling(steps=50, sampler=DDIM(eta=1.0), guidance=ClassifierFree(3.0, limit=1.0))


@dataclass(frozen=True)
class DDPMRecipe(Config):
    """A plain DDPM: pictures alone, or with classes. network: any of the family; its vector_width follows the classes.

    flip: train on mirrored pictures too; wrong where left and right mean something (digits, captions).
    """

    classes: bool = False
    flip: bool = True
    network: ImageNetworkConfig = field(
        default_factory=lambda: UNetConfig(patch=2, widths=(48, 96), blocks=(1, 4), attention=(False, True))
    )
    diffusion: DiffusionConfig = field(default_factory=fast_diffusion)
    sampling: Sampling = field(default_factory=fast_sampling)
    drop_class: float = 0.1
    share: float = 1.0
    train: TrainConfig = field(default_factory=lambda: TrainConfig(32, OptimConfig(lr=2e-3, muon_lr=3e-3)))


@dataclass(frozen=True)
class ClassifierRecipe(Config):
    """The noise-aware classifier that can guide a DDPM with classes; it sees the levels that the DDPM is trained on."""

    widths: tuple[int, ...] = (32, 64, 96, 128)
    share: float = 0.3
    train: TrainConfig = field(default_factory=lambda: TrainConfig(64, OptimConfig(lr=1e-3, muon_lr=1e-3, decay=0.05)))


@dataclass(frozen=True)
class NoisyCLIPRecipe(Config):
    """The noise-aware CLIP that can guide the decoder; it starts as the run's CLIP and sees the decoder's levels."""

    share: float = 0.15
    train: TrainConfig = field(default_factory=lambda: TrainConfig(64, OptimConfig(lr=5e-4, muon_lr=5e-4, decay=0.05)))


@dataclass(frozen=True)
class InpaintRecipe(Config):
    """The decoder fine-tuned to paint what is missing, at half its rates. masks: shares of the kinds of holes."""

    masks: MaskConfig = field(default_factory=MaskConfig)
    share: float = 0.25
    train: TrainConfig = field(default_factory=lambda: TrainConfig(32, OptimConfig(lr=1e-3, muon_lr=1.5e-3)))


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
        return tomllib.loads(path.read_text())
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
