"""Scores of upsamplers, on images that were made small and on images that the decoder drew.

psnr         dB, to the real image; of a sample, which is below that of the blurred mean of all that fit
consistency  dB, of the result made small again to what it was made from (100: equal)
sharpness    root mean square of the differences of neighbours, as a multiple of the real pictures'; blur lowers it
roughness    mean of the same differences, also a multiple; noise raises it, blur does not change it
seams        see `evaluation/fidelity/seams`
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from unclip.core.typing import Float, Images, Tensor
from unclip.data.images.resize import enlarge, shrink
from unclip.data.loader import to_tensor
from unclip.data.prepare.write import Prepared
from unclip.evaluation.alignment import matched_against_shuffled
from unclip.evaluation.fidelity.seams import seams
from unclip.evaluation.fidelity.texture import roughness, sharpness
from unclip.generation.text_to_image import TextToImage
from unclip.generation.upsampling import Enlarger, upsampled
from unclip.images.fidelity import psnr

Large = Float[Tensor, "n c h2 w2"]
PICTURES = 32
"""Images that an upsampler is judged on; they cost most of the time of an evaluation."""


def restored(stage: Enlarger, real: Images, seed: int) -> dict[str, Any]:
    """Figures of real images that were made small and enlarged again, beside bicubic interpolation."""
    config = stage.model.config
    low = shrink(real, config.factor)
    made, plain = upsampled([stage], low, range(seed, seed + len(low))), enlarge(low, config.factor)
    found = {"psnr": {"upsampled": psnr(made, real).mean().item(), "bicubic": psnr(plain, real).mean().item()}}
    return found | _beside({"upsampled": made, "bicubic": plain}, low, real, stage)


def score_enlarged(
    stage: Enlarger, low: Images, real: Large, seed: int
) -> tuple[Float[Tensor, "b c h3 w3"], dict[str, Any]]:
    """Images of the decoder (or of the stage before) enlarged, with the same figures; real: others, of that size."""
    made = upsampled([stage], low, range(seed, seed + len(low)))
    return made, _beside({"upsampled": made, "bicubic": enlarge(low, stage.model.config.factor)}, low, real, stage)


def _beside(made: dict[str, Tensor], low: Images, real: Large, stage: Enlarger) -> dict[str, Any]:
    config = stage.model.config
    sharp, rough = max(sharpness(real), 1e-6), max(roughness(real), 1e-6)
    return {
        "consistency": {k: psnr(shrink(x, config.factor), low).mean().item() for k, x in made.items()},
        "sharpness": {k: sharpness(x) / sharp for k, x in made.items()},
        "roughness": {k: roughness(x) / rough for k, x in made.items()},
        "seams": {k: seams(x, real, config.step) for k, x in made.items()},
    }


def evaluate_upsampling(
    model: TextToImage, large: Sequence[tuple[Prepared, np.ndarray]], captions: Sequence[str], low: Images, seed: int
) -> dict[str, Any]:
    """Scores of each upsampler. large: held-out images at its size, and their rows; low: the decoder's images for
    `captions`, [n, 3, h, w] in [-1, 1]."""
    scores: dict[str, Any] = {}
    low, captions = low[:PICTURES], captions[:PICTURES]
    texts, first = model.embed_captions(captions), low
    for number, (stage, (prepared, rows)) in enumerate(zip(model.enlargers, large, strict=True)):
        real = to_tensor(prepared.images[rows[:PICTURES]])
        name = "upsampler" + ("" if number == 0 else str(number + 1))
        scores[f"{name}_of_real"] = restored(stage, real, seed)
        low, scores[f"{name}_of_generated"] = score_enlarged(stage, low, real, seed)
        if not model.sees:
            continue
        seen = shrink(low, low.shape[-1] // first.shape[-1])
        clip = {"before": first, "after": seen}
        scores[f"{name}_clip_score"] = {
            k: matched_against_shuffled(model.embed_images(x), texts, captions)["matched"] for k, x in clip.items()
        }
    return scores
