"""From an image to its bipartite latent and back (unCLIP, section 3): z_i by CLIP, x_T by DDIM inversion.

Inversion and way back share the grid, the condition and the guidance, so that DDIM at eta 0 returns what was put in, as
nearly as the iterations of each step converge. All in float32: a solver would work against the rounding of bfloat16.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from unclip.core.condition import Condition
from unclip.core.config.arguments import checked
from unclip.core.noise import Noise
from unclip.core.typing import Images, Vectors
from unclip.diffusion.grids import Grid, KarrasSteps
from unclip.diffusion.guidance import ClassifierFree
from unclip.diffusion.process import Sampling
from unclip.diffusion.samplers import DDIM, DDIMInversion
from unclip.diffusion.schedules import LogNormal
from unclip.generation.base import ImageModel
from unclip.generation.require import require
from unclip.generation.settings import RANGE, Settings
from unclip.generation.text_to_image import TextToImage, text_to_image
from unclip.images.read import ImageInput, Picture, read_image
from unclip.latents.inverted import Inverted
from unclip.models.decoder import Decoder

STEPS = 50
INVERSION = DDIMInversion(iterations=4)
"""On a network trained for 30 minutes, 50 steps: 31 dB after 1 evaluation a step, 50 after 2, 81 after 4."""
Source = Picture | ImageInput | Inverted
"""What can be manipulated: an image, or one that is inverted already (in memory, or the folder that holds it)."""


@dataclass(frozen=True)
class Start:
    """What the decoder starts from, one image a row: embeddings, noise, captions."""

    z: Vectors
    x: Images
    captions: Sequence[str]

    def __getitem__(self, rows: slice) -> "Start":
        return Start(self.z[rows], self.x[rows], self.captions[rows])


def read_source(model: TextToImage, source: Source) -> ImageInput | Inverted:
    """The image as the model sees it, or the latent that the folder holds. Raises ValueError for what is neither,
    an image that is too small, or the latent of another model."""
    if isinstance(source, str | Path) and (Path(source) / "config.json").is_file():
        source = Inverted.load(Path(source))
    if isinstance(source, Inverted):
        source.check(model.hash)
        return source
    return source if isinstance(source, ImageInput) else read_image(source, model.size, **model.look)


def embed_source(model: TextToImage, source: ImageInput | Inverted) -> Vectors:
    """z_i of an opened source, unit vectors in float32 on the CPU."""
    return source.z if isinstance(source, Inverted) else _seen(model, source.images).cpu()


def exact_sampling(model: TextToImage, settings: Settings | None = None, base: Sampling | None = None) -> Sampling:
    """DDIM at eta 0 with these settings; unless they or `base` say otherwise, 50 steps and no guidance.

    Raises ValueError for another sampler: none of them can be walked backwards.
    """
    settings = settings or Settings()
    if settings.sampler not in (None, "ddim", DDIM(0.0)):
        raise ValueError(f"sampler = {settings.sampler!r}: only ddim can be walked backwards; leave it out")
    guidance, grid = ClassifierFree(1.0, model.limit), model.sampling.grid or _to_the_end(model)
    plain = replace(model.sampling, steps=STEPS, sampler=DDIM(0.0), guidance=guidance, grid=grid)
    return replace(settings.apply(base or plain, model.limit), sampler=DDIM(0.0))


def _to_the_end(model: TextToImage) -> Grid | None:
    """Where the schedule's own grid stops short of its clean end, one that reaches it: an image that is walked back has
    no noise. None: that own grid."""
    schedule = model.sampling.schedule or _decoder(model).diffusion.config.schedule
    return KarrasSteps(schedule.rho) if isinstance(schedule, LogNormal) else None


@checked
def invert(model: ImageModel, source: Source, caption: str = "", settings: Settings | None = None) -> Inverted:
    """Finds the latent of an image (unCLIP, section 3): its embedding, and the noise that the decoder starts from.

    Args:
        model: a text-to-image model.
        source: a path or a Pillow image; of what `invert` returned, only the settings change.
        caption: for the decoder; "": none.
        settings: steps and guidance; 50 steps and no guidance unless they say otherwise.

    Raises:
        ValueError: for an image that cannot be read or is too small, a latent of another model, and a sampler other
            than ddim, which alone can be walked backwards.
    """
    model = text_to_image(model, "invert")
    source = read_source(model, source)
    if isinstance(source, Inverted):
        return replace(source, how=exact_sampling(model, settings, source.how))
    return invert_images(model, source.images, [caption], exact_sampling(model, settings), source.names)


def invert_images(
    model: TextToImage, images: Images, captions: Sequence[str], how: Sampling, names: Sequence[str]
) -> Inverted:
    """The latents of images in [-1, 1] of the model's size, in batches."""
    parts = []
    for rows in _batches(len(images), model.batch):
        some = images[rows].to(model.device)
        z = _seen(model, some)
        cond, null, led = _led(model, z, captions[rows], how)
        decoder = _decoder(model)
        *_, last = decoder.diffusion.invert(decoder.space.encode(some), cond, null, led, INVERSION)
        parts.append((z, last.x))
    z, x = (torch.cat(tensors).cpu() for tensors in zip(*parts, strict=True))
    return Inverted(z, x, images.cpu(), tuple(captions), how, model.hash, tuple(names))


def paint(model: TextToImage, start: Start, how: Sampling, seeds: Sequence[int]) -> Images:
    """The images that start there, in [-1, 1] on the CPU; seeds: of the sampler's own noise, where it has any."""
    parts = []
    for rows in _batches(len(start.z), model.batch):
        some, noise = start[rows], _noise(model, seeds[rows])
        cond, null, led = _led(model, some.z.to(model.device), some.captions, how)
        decoder = _decoder(model)
        *_, last = decoder.space.seen(decoder.diffusion.walk(some.x.to(model.device), cond, null, noise, led))
        parts.append(last.x.float().clamp(-RANGE, RANGE).cpu())
    return torch.cat(parts)


def draw_noise(model: TextToImage, seeds: Sequence[int]) -> Images:
    """x_T of these seeds, on the CPU."""
    return _noise(model, seeds).fork("start").normal((len(seeds), *_decoder(model).shape)).cpu()


def _noise(model: TextToImage, seeds: Sequence[int]) -> Noise:
    return Noise.per_sample(seeds, model.device).fork("decoder")


@torch.no_grad()
def _seen(model: TextToImage, images: Images) -> Vectors:
    return model.clip.embed_images(images.to(model.device))


def _decoder(model: TextToImage) -> Decoder:
    return require(model.decoder, "decoder")


def _led(
    model: TextToImage, z: Vectors, captions: Sequence[str], how: Sampling
) -> tuple[Condition, Condition, Sampling]:
    """Both branches of guidance, and how to sample, with the models that a guidance lacks."""
    ids, mask = (t.to(model.device) for t in model.tokenizer(captions))
    return *_decoder(model).conditions(z, ids, mask), model.guided(how, z, ids, mask)


def _batches(n: int, batch: int) -> Iterator[slice]:
    return (slice(i, min(n, i + batch)) for i in range(0, n, batch))
