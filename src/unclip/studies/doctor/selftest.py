"""The verdicts of the self-test: whether each part of the chain learns the few images that it was shown."""

import math
from collections.abc import Iterator, Mapping

import torch

from unclip.core import machine
from unclip.diffusion.process import Sampling
from unclip.evaluation.pictures import quick
from unclip.generation.base import ImageModel
from unclip.generation.captioned import CaptionedModel
from unclip.generation.classed import ClassModel
from unclip.generation.latent_diffusion import LatentPipeline
from unclip.generation.load import load
from unclip.generation.settings import Settings
from unclip.generation.text_to_image import TextToImage
from unclip.recipes.events import Gate
from unclip.recipes.settings.run import RunConfig
from unclip.runs.folder import RunFolder
from unclip.studies.doctor import learned
from unclip.studies.doctor.chain import Trained
from unclip.studies.doctor.learned import Few

FALLEN = {"clip": 0.5, "prior": 0.5, "decoder": 0.6, "autoencoder": 0.8, "latent": 0.8, "ddpm": 0.7, "gan": math.inf}
"""What of the first loss a sound stage has left after the few steps at the most; `NOT_RISEN` of a plugin's. Of a GAN it
tells nothing: what one player gains the other loses."""
NOT_RISEN = 0.98
FOUND = 0.6
"""The share of the few captions or images that find their own; by chance it is 1 / number."""
GAIN = 3.0
"""dB over the mean image that an autoencoder gains at the least: half of the variance."""
LIKE = 0.9
"""How far drawn images may be from the data, as a share of how far noise is."""
MEANS = {
    "clip": "it does not tie these images to their captions, so nothing after it can follow words",
    "prior": "it does not turn captions into the embeddings of their images",
    "autoencoder": "what it keeps of an image is too little to draw from",
}
DRAWS = "it does not draw the images that it was shown"


def verdicts(
    trained: Mapping[str, Trained], model: ImageModel | None, few: Few, config: RunConfig
) -> Iterator[tuple[Gate, float]]:
    """(verdict, seconds of a preview) of each stage that was begun. model: None where its weights do not load."""
    for name in config.stages:
        if name not in trained:
            return
        seen = trained[name]
        yield _verdict(seen, model, few, config)


def _verdict(seen: Trained, model: ImageModel | None, few: Few, config: RunConfig) -> tuple[Gate, float]:
    name, metrics = seen.name, {"loss": seen.fell, "step": seen.step}
    if not config.recipes[name].trained:
        return Gate(name, True, "its weights stay as they are", {}), 0.0
    if seen.failure:
        return Gate(name, False, f"{seen.failure}: {_lower(name, config)}", metrics), 0.0
    if not seen.done:
        slow = (
            f"a step takes {seen.step:,.1f} s, too long to see it learn: take a GPU, --preset tiny, or a smaller batch"
        )
        return Gate(name, False, f"{slow} (--set {name}.train.batch={max(1, seen.batch // 4)})", metrics), 0.0
    if model is None:
        return Gate(name, False, "its weights do not load again from the disk: please report this", metrics), 0.0
    with torch.no_grad():
        fine, told, more, took = _measure(name, model, few, config)
    fallen = seen.fell <= FALLEN.get(name, NOT_RISEN)
    told = f"{told}its loss fell to {seen.fell:.0%} of the first"
    if fine and fallen:
        return Gate(name, True, told, metrics | more), took
    means = MEANS.get(name, DRAWS) if not fine else f"it should fall to {FALLEN.get(name, NOT_RISEN):.0%} at the most"
    return Gate(name, False, f"{told}: {means}; {_other(name, config)}", metrics | more), took


Measured = tuple[bool, str, dict[str, float], float]
"""Whether it learned, in words, in figures, and the seconds of a preview."""


def _measure(name: str, model: ImageModel, few: Few, config: RunConfig) -> Measured:
    n = len(few.captions)
    if name == "clip" and isinstance(model, CaptionedModel):
        share = learned.clip_finds(model, few)
        return share >= FOUND, f"finds the caption of {share * n:.0f} of {n} images; ", {"found": share}, 0.0
    if name == "prior" and isinstance(model, TextToImage):
        share = learned.prior_finds(model, few)
        return share >= FOUND, f"finds the image of {share * n:.0f} of {n} captions; ", {"found": share}, 0.0
    if name == "autoencoder" and isinstance(model, LatentPipeline):
        gain = learned.decoded_gain(model, few)
        return gain >= GAIN, f"keeps {gain:.1f} dB over the mean image; ", {"gain": gain}, 0.0
    if name == config.stages[-1]:
        return _drawn(name, model, few, config)
    return True, "", {}, 0.0


def _drawn(name: str, model: ImageModel, few: Few, config: RunConfig) -> Measured:
    sampling = getattr(config.recipes[name], "sampling", None)
    how = Settings(steps=sampling.steps) if isinstance(sampling, Sampling) else Settings()
    if isinstance(model, ClassModel) and isinstance(sampling, Sampling):
        how = quick(sampling) if quick(sampling).steps else how
    images, took = learned.draw(model, few, how)
    like = learned.like_data(few, images)
    metrics = {"like": like, "seconds": took}
    if isinstance(model, ClassModel) and not model.classes:
        told = f"draws at {like:.2f} of the distance of noise from the images; "
        return like <= LIKE, told, metrics, took
    share = learned.draws_own(few, images)
    told = f"{share:.0%} of what it draws is nearest to the image of its own caption; "
    return share >= FOUND, told, metrics | {"own": share}, took


def reloaded(run: RunFolder) -> ImageModel | None:
    """The model of what was trained, from the disk; None where it does not load."""
    try:
        return load(run.root, machine.device())
    except ValueError:
        return None


def _lower(name: str, config: RunConfig) -> str:
    optim = config.recipes[name].train.optim
    return f"a lower learning rate, as --set {name}.train.optim.lr={min(optim.lr / 10, 1e-3):.3g}"


def _other(name: str, config: RunConfig) -> str:
    """What to try where a stage does not learn: the rates, if they are not the preset's; else its data."""
    optim = config.recipes[name].train.optim
    rates = f"lr = {optim.lr:.3g}" + (f", muon_lr = {optim.muon_lr:.3g}" if optim.muon_lr else "")
    return f"look at {name}.train.optim ({rates}; 1e-4 to 3e-3 are usual), then whether images fit their captions"
