"""A model of another library as a finished run: drawn with, scored, explained, started from like any other."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from unclip.clip.model import CLIP, CLIPConfig
from unclip.core.config.base import options
from unclip.core.disk import store
from unclip.core.disk.new import new_folder
from unclip.interop.ddpm import read as ddpm
from unclip.interop.karlo import read as karlo
from unclip.interop.pipelines import STABLE_DIFFUSION, UNCLIP, class_of
from unclip.interop.stable_diffusion import read as stable_diffusion
from unclip.models.autoencoder.model import Autoencoder
from unclip.models.autoencoder.training import AutoencoderLoss
from unclip.models.ddpm import DDPM, DDPMOptions
from unclip.models.decoder import Decoder, DecoderOptions
from unclip.models.latent import LatentDiffusion, LatentOptions
from unclip.models.priors.diffusion import Prior, PriorOptions
from unclip.models.upsampler import Upsampler, UpsamplerOptions
from unclip.recipes.presets import ddpm_cifar10, paper
from unclip.recipes.settings.recipe import Recipe
from unclip.recipes.settings.run import RunConfig, write_settings
from unclip.recipes.stages import (
    AutoencoderRecipe,
    CLIPRecipe,
    DDPMRecipe,
    DecoderRecipe,
    LatentRecipe,
    PriorRecipe,
    UpsamplerRecipe,
)
from unclip.runs.folder import RunFolder
from unclip.runs.modules import note_tokenizer
from unclip.text.tokenizer import Tokenizer
from unclip.training.optim import OptimConfig
from unclip.training.trainer import TrainConfig

Module = DDPM | CLIP | Prior | Decoder | Upsampler | Autoencoder | LatentDiffusion


@dataclass(frozen=True)
class Imported:
    """What a folder holds as a run: its settings, its stages, what was left behind in words ("": nothing)."""

    config: RunConfig
    modules: Mapping[str, Module]
    words: Tokenizer | None = None
    left: str = ""


def import_run(path: Path, out: Path) -> Imported:
    """Makes a run of a folder that a pipeline of diffusers was saved in, in the new folder `out`; returns its contents.

    A `DDPMPipeline`, which would be trained on as `--preset ddpm-cifar10` has it, an `UnCLIPPipeline` (Karlo), or a
    `StableDiffusionPipeline`. Raises ValueError as `read` of `interop.ddpm.read`, `interop.karlo.read` and
    `interop.stable_diffusion.read` do, for another pipeline, and where `out` is there already.
    """
    found = {UNCLIP: _karlo, STABLE_DIFFUSION: _stable_diffusion}.get(class_of(path), _ddpm)(path)
    with new_folder(out) as folder:
        run = RunFolder(folder)
        write_settings(run.settings, found.config)
        if found.words is not None:
            found.words.save(run.tokenizer)
            note_tokenizer(run, found.words, f", imported from {path.name}")
        _store(run, found.modules, path)
    return found


def _ddpm(path: Path) -> Imported:
    model = ddpm.read(path)
    return Imported(settings_of(model), {"ddpm": model})


def settings_of(model: DDPM) -> RunConfig:
    """The settings of a run that holds this DDPM."""
    base = ddpm_cifar10(model.config.size)
    chosen = options(model.config, DDPMOptions)
    recipe = replace(base.of(DDPMRecipe), **chosen, classes=bool(model.config.classes))
    return base.using(ddpm=recipe)


def _karlo(path: Path) -> Imported:
    parts = karlo.read(path)
    modules: dict[str, Module] = {
        "clip": parts.clip,
        "prior": parts.prior,
        "decoder": parts.decoder,
        "upsampler": parts.upsampler,
    }
    return Imported(settings_of_karlo(parts), modules, parts.tokenizer)


def settings_of_karlo(parts: karlo.Karlo) -> RunConfig:
    """The settings of a run that holds these parts."""
    clip, text = parts.clip.config, parts.clip.config.text
    prior, decoder, upsampler = parts.prior.config, parts.decoder.config, parts.upsampler.config
    network = prior.network
    recipes: dict[str, Recipe] = {
        "clip": _clip(clip),
        "prior": PriorRecipe(**options(prior, PriorOptions), width=network.width, layers=network.layers),
        "decoder": DecoderRecipe(**options(decoder, DecoderOptions)),
        "upsampler": UpsamplerRecipe(**options(upsampler, UpsamplerOptions), size=upsampler.size, crop=upsampler.crop),
    }
    sizes = {"vocabulary": text.vocabulary, "longest_caption": text.context}
    return replace(paper(decoder.size), **sizes, added=("upsampler",), recipes=recipes)


def _stable_diffusion(path: Path) -> Imported:
    parts = stable_diffusion.read(path)
    modules: dict[str, Module] = {"clip": parts.clip, "autoencoder": parts.autoencoder, "latent": parts.latent}
    return Imported(settings_of_stable_diffusion(parts), modules, parts.tokenizer, parts.left)


def settings_of_stable_diffusion(parts: stable_diffusion.StableDiffusion) -> RunConfig:
    """The settings of a run that holds these parts; on from there the diffusion alone is trained, as by its authors."""
    clip, latent = parts.clip.config, parts.latent.config
    adam = OptimConfig(lr=1e-4, warmup=100, decay=0.01, beta1=0.9, beta2=0.999, clip=1.0)
    frozen = AutoencoderRecipe(coder=parts.autoencoder.config, loss=AutoencoderLoss(perceptual=0.0), frozen=True)
    recipes: dict[str, Recipe] = {
        "clip": _clip(clip),
        "autoencoder": frozen,
        "latent": LatentRecipe(**options(latent, LatentOptions), train=TrainConfig(8, adam)),
    }
    return RunConfig(
        model="latent",
        size=latent.side * parts.autoencoder.config.factor,
        vocabulary=clip.text.vocabulary,
        longest_caption=clip.text.context,
        recipes=recipes,
    )


def _clip(config: CLIPConfig) -> CLIPRecipe:
    own = {"text_encoder": config.text, "image_encoder": config.vision}
    return replace(CLIPRecipe(width=config.width, form=config.form, frozen=True), **own)


def _store(run: RunFolder, modules: Mapping[str, Module], path: Path) -> None:
    began = {name: record for name, record in run.state().items() if name == "tokenizer"}
    why = f"not judged: imported from {path.name}, a pipeline of diffusers"
    for name, module in modules.items():
        count = sum(p.numel() for p in module.parameters())
        figures = {"steps": 0, "seconds": 0.0, "skipped": 0, "parameters": count}
        record = {"passed": True, "why": why, "metrics": figures}
        extra = {**figures, "ended": record, "began": began}
        sha = store.save(run.root / name, name, module.config.to_dict(), module.state_dict(), extra)
        run.finish(name, {**record, "sha256": sha})
