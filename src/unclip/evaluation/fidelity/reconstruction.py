"""What an autoencoder keeps of images that it was not trained on."""

from collections.abc import Callable

import torch

from unclip.core.typing import Images, PerSample
from unclip.evaluation.fidelity.texture import roughness

BATCH = 64


def score_reconstruction(reconstruct: Callable[[Images], Images], images: Images) -> dict[str, float]:
    """PSNR, gain over the mean image, and roughness.

    psnr: mean over the images, 10 log10(4 / MSE) dB for images in [-1, 1]. gain: 10 log10(MSE of the mean of these
    images / MSE), dB: 10 dB are a code that explains 90 % of the images' variance.
    """
    images = images.float()
    made = torch.cat([reconstruct(images[i : i + BATCH]).float().cpu() for i in range(0, len(images), BATCH)])
    error, spread = squared(made - images), squared(images - images.mean(0))
    return {
        "psnr": decibels(4 / error).mean().item(),
        "gain": decibels(spread.mean() / error.mean()).item(),
        "roughness": roughness(made) / max(roughness(images), 1e-6),
    }


def squared(x: Images) -> PerSample:
    """Mean square of each image, kept above 0."""
    return x.square().flatten(1).mean(1).clamp(min=1e-10)


def decibels(ratio: torch.Tensor) -> torch.Tensor:
    """10 log10."""
    return 10 * ratio.log10()
