"""How well holes are filled: the error inside, the seam around, and whether the rest stayed what it was."""

from collections.abc import Mapping

import torch

from unclip.core.noise import Noise
from unclip.core.typing import Float, Images, Tensor, Vectors
from unclip.data.images.resize import shrink
from unclip.data.masks import Known, MaskConfig, random_masks
from unclip.diffusion.samplers import RePaint
from unclip.generation.require import require
from unclip.generation.text_to_image import TextToImage
from unclip.generation.upsampling import Enlarger, upsampled
from unclip.models.known_region import KnownRegion

BATCH = 64
HOLES = MaskConfig(everything=0.0)
"""What is judged: as in training, but something is always known."""


@torch.no_grad()
def score_inpainting(model: TextToImage, images: Images, captions: list[str], seed: int = 0) -> dict[str, float]:
    """Figures of one filled hole an image; embedding and caption are the image's own.

    model, base: RMS error in the hole (images in [-1, 1]) of the inpainter and of the decoder that knows the rest
    only by replacement (`RePaint` without resampling, so at equal steps); mean: of the mean colour of what is known.
    gap, error: mean difference of base's and model's error over images and its standard error. seam, seam_base,
    seam_real: mean absolute step over the hole's border, painted by both and in the data.
    kept: largest change of what is known.
    """
    mask = judged_holes(images, seed)
    painted = {who: _painted(model, who, images, captions, mask, seed) for who in ("model", "base")}
    painted["mean"] = torch.where(mask == 1, images, _mean_colour(images, mask))
    return compare_inpainted(painted, images, mask)


def judged_holes(images: Images, seed: int) -> Known:
    """A hole for each image, the same ones for every model."""
    n, _, height, width = images.shape
    return random_masks(n, height, width, Noise.per_sample(range(seed, seed + n)).fork("holes"), HOLES)


def compare_inpainted(painted: Mapping[str, Images], images: Images, mask: Known) -> dict[str, float]:
    """The figures of `score_inpainting` of the images that each of "model", "base" and others painted."""
    errors = {who: hole_error(x, images, mask) for who, x in painted.items()}
    gap, n = errors["base"] - errors["model"], len(images)
    return {
        **{who: error.mean().item() for who, error in errors.items()},
        "gap": gap.mean().item(),
        "error": gap.std().item() / n**0.5,
        "seam": seam(painted["model"], mask),
        "seam_base": seam(painted["base"], mask),
        "seam_real": seam(images, mask),
        "kept": ((painted["model"] - images) * mask).abs().max().item(),
        "pictures": n,
    }


@torch.no_grad()
def score_upsampled(seeing: Enlarger, plain: Enlarger, images: Images, seed: int = 0) -> dict[str, float]:
    """The same figures of images that were made small and enlarged again, with one hole each: model is the upsampler
    that sees what is known of the larger image, base the one that has it put in at each step; no mean."""
    low, given = shrink(images, plain.model.config.factor), KnownRegion(images, judged_holes(images, seed))
    seeds = range(seed, seed + len(low))
    painted = {
        who: upsampled([stage], low, seeds, given=[given]) for who, stage in (("model", seeing), ("base", plain))
    }
    return compare_inpainted(painted, images, given.mask)


def hole_error(x: Images, images: Images, mask: Known) -> Float[Tensor, " b"]:
    """RMS error of each image where it had to be painted."""
    hole = 1 - mask
    squared = ((x - images).square() * hole).sum((1, 2, 3)) / (hole.sum((1, 2, 3)) * x.shape[1])
    return squared.sqrt()


def seam(x: Images, mask: Known) -> float:
    """Mean absolute difference of neighbours of which one is known and the other is not."""
    total, count = 0.0, 0.0
    for dim in (2, 3):
        border = mask.diff(dim=dim).abs()
        total += (x.diff(dim=dim).abs().mean(1, keepdim=True) * border).sum().item()
        count += border.sum().item()
    return total / max(count, 1.0)


def _mean_colour(images: Images, mask: Known) -> Images:
    known = mask.sum((2, 3), keepdim=True).clamp(min=1)
    return ((images * mask).sum((2, 3), keepdim=True) / known).expand_as(images)


def _painted(model: TextToImage, who: str, images: Images, captions: list[str], mask: Known, seed: int) -> Images:
    z, parts = model.embed_images(images), []
    for i in range(0, len(images), BATCH):
        some = slice(i, i + BATCH)
        given = KnownRegion(images[some].to(model.device), mask[some].to(model.device))
        seeds = range(seed + i, seed + i + len(given.images))
        noise = Noise.per_sample(seeds, model.device).fork("inpainting")
        parts.append(_batch(model, who, given, z[some], captions[some], noise).float().clamp(-1, 1).cpu())
    return torch.cat(parts)


def _batch(model: TextToImage, who: str, given: KnownRegion, z: Vectors, captions: list[str], noise: Noise) -> Images:
    ids, seen = (t.to(model.device) for t in model.tokenizer(captions))
    how = model.sampling
    with model.autocast():
        if who == "model":
            *_, last = require(model.inpainter, "inpaint").sample(z, ids, seen, given, noise, how)
            return last.x
        decoder = require(model.decoder, "decoder")
        branches = decoder.conditions(z, ids, seen)
        *_, last = decoder.fill(given, branches, noise, how, lambda k: RePaint(k.images, k.mask, resamples=1))
        return last.x
