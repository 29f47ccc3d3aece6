"""Small images of the drawn world with what they show, and their exact denoiser: for models that guide."""

import numpy as np
import torch
from torch import Tensor

from unclip.core.condition import Condition
from unclip.core.noise import Noise
from unclip.data.shapes.draw import COLOURS, SHAPES
from unclip.data.shapes.world import World
from unclip.diffusion.denoiser import Prediction
from unclip.diffusion.guidance import Guidance
from unclip.diffusion.level import alpha, like
from unclip.diffusion.samplers import DDIM
from unclip.diffusion.schedules import Cosine

NAMES = tuple(COLOURS)


def drawn(n: int, seed: int = 0) -> tuple[Tensor, Tensor, list[str]]:
    """n images of one object, [n, 3, 16, 16] in [-1, 1]; the number of its colour; "<colour> <shape>"."""
    scenes = [(image, scene.objects[0]) for image, _, scene in World(counts={1: 1.0}).sample(n, seed)]
    images = torch.from_numpy(np.stack([image for image, _ in scenes])).permute(0, 3, 1, 2) / 127.5 - 1
    labels = torch.tensor([NAMES.index(thing.colour) for _, thing in scenes])
    return torch.nn.functional.avg_pool2d(images, 2), labels, [f"{t.colour} {t.shape}" for _, t in scenes]


class Exact:
    """E[x0 | x] where the data are these images and no others: the best unconditional denoiser."""

    def __init__(self, images: Tensor) -> None:
        self.images = images

    def nearest(self, x: Tensor) -> Tensor:
        """The number of the image that each x is nearest to."""
        return torch.cdist(x.flatten(1), self.images.flatten(1)).argmin(1)

    def __call__(self, x: Tensor, log_snr: Tensor, cond: Condition) -> Prediction:
        level = like(log_snr, x)
        far = torch.cdist((x / alpha(level)).flatten(1), self.images.flatten(1)).square()
        weights = torch.softmax(-far * log_snr.exp().view(-1, 1) / 2, dim=1)
        return Prediction.from_x0((weights @ self.images.flatten(1)).view_as(x), x, log_snr)


def sample(exact: Exact, guidance: Guidance, n: int, steps: int = 25) -> Tensor:
    """n samples of the guided exact denoiser: numbers of the images that they became."""
    denoise = guidance(exact, Condition(), Condition())
    start = Noise.shared("drawn").normal((n, *exact.images.shape[1:]))
    with torch.no_grad():
        *_, end = DDIM()(denoise, start, Cosine().grid(steps), Noise.shared(0))
    return exact.nearest(end.x)


__all__ = ["NAMES", "SHAPES", "Exact", "drawn", "sample"]
