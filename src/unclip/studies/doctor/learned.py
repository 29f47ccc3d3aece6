"""Whether each part has learned the few images that it was trained on, measured from what was stored on disk."""

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F

from unclip.core.noise import Noise
from unclip.core.typing import Float, Images, Tensor, Vectors
from unclip.data.loader import select_rows, to_tensor
from unclip.data.prepare.write import Prepared
from unclip.evaluation.fidelity.reconstruction import score_reconstruction
from unclip.evaluation.judging.copies import FEWEST
from unclip.evaluation.pictures import features
from unclip.generation.base import ImageModel
from unclip.generation.captioned import CaptionedModel
from unclip.generation.classed import ClassModel
from unclip.generation.latent_diffusion import LatentPipeline
from unclip.generation.settings import Settings
from unclip.generation.text_to_image import TextToImage
from unclip.recipes.stages.batches import DRAWN as ANEW
from unclip.recipes.stages.batches import anew

DRAWN = 32
"""Images that are drawn for the few captions, as many as a preview of a run has."""


@dataclass(frozen=True)
class Few:
    """The images that were trained on, [n, c, size, size] in [-1, 1], with their captions."""

    images: Images
    captions: list[str]

    @classmethod
    def of(cls, prepared: Prepared, rows: Sequence[int], channels: int = 3) -> "Few":
        """Of these rows."""
        images = to_tensor(select_rows(prepared.images, np.array(rows), channels))
        return cls(images, [next(iter(prepared.captions[row]), "") for row in rows])


def own(made: Vectors, true: Float[Tensor, "n d"]) -> float:
    """The share of vectors made whose nearest true one is their own; made[i] is of true[i % n]."""
    if not bool(torch.isfinite(made).all()):
        return math.nan
    nearest = torch.cdist(made.float(), true.float()).argmin(1).cpu()
    return (nearest == torch.arange(len(made)) % len(true)).float().mean().item()


def clip_finds(model: CaptionedModel, few: Few) -> float:
    """The share of the images whose own caption is the nearest of all."""
    return own(model.embed_images(few.images), model.embed_captions(few.captions))


def prior_finds(model: TextToImage, few: Few) -> float:
    """The share of the captions for which the prior's embedding is nearest to that of their own image."""
    made, true = model.embed_prompts(few.captions, range(len(few.captions))), model.embed_images(few.images)
    mean = true.mean(0)
    return own(F.normalize(made - mean, dim=-1), F.normalize(true - mean, dim=-1))


def decoded_gain(model: LatentPipeline, few: Few) -> float:
    """dB that the decoded images are nearer to the originals than the mean image is."""
    return score_reconstruction(model.reconstruct_images, few.images)["gain"]


def draws_own(few: Few, drawn: Images) -> float:
    """The share of the drawn images that are nearest to the image of their own caption, in colours and outlines."""
    return own(features(drawn), features(few.images))


def like_data(few: Few, drawn: Images) -> float:
    """How far the drawn images are from the nearest of the few, as a share of how far noise of their spread is."""
    noise = Noise.shared("noise").normal(drawn.shape) * few.images.std() + few.images.mean()
    near, far = (
        torch.cdist(features(x.clamp(-1, 1)), features(few.images)).min(1).values.mean() for x in (drawn, noise)
    )
    return (near / far).item()


def draw(model: ImageModel, few: Few, how: Settings, n: int = DRAWN) -> tuple[Images, float]:
    """n images, the i-th of caption i modulo their number, and the seconds that they took."""
    prompts = [few.captions[i % len(few.captions)] if _named(model) else "" for i in range(n)]
    began = time.monotonic()
    *_, last = model.steps(prompts, range(n), how)
    return last.x.float().clamp(-1, 1).cpu(), time.monotonic() - began


def seconds_anew(model: ImageModel, few: Few, held: int) -> float:
    """Of what a run's preview draws besides for its look for copies, of `held` validation images; 0: nothing."""
    if held < FEWEST or not isinstance(model, CaptionedModel | ClassModel) or not _named(model):
        return 0.0
    return draw(model, few, anew(model), min(ANEW, held))[1]


def _named(model: ImageModel) -> bool:
    """Whether it is told what to draw."""
    return isinstance(model, CaptionedModel) or (isinstance(model, ClassModel) and bool(model.classes))
