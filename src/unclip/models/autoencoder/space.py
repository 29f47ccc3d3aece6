"""What a decoder denoises: pixels, or the codes of a frozen autoencoder.

Codes are 16 times fewer cells than pixels, each of more numbers, so that nearly all of the arithmetic is where matrix
products are large; and the autoencoder, which was trained for hours, makes clean areas and edges of codes that are not
yet right (LDM, Rombach et al. 2022, section 3; the embedding beside it as in Kandinsky, Razzhigaev et al. 2023).
"""

from collections.abc import Callable, Iterator
from typing import TypeVar

import torch
import torch.nn.functional as F
from torch import nn

from unclip.core.typing import Float, Images, Tensor
from unclip.diffusion.samplers import Step
from unclip.models.autoencoder.model import Autoencoder, Posterior
from unclip.models.autoencoder.standardize import StandardizeCodes
from unclip.models.known_region import KnownRegion
from unclip.nn.autoencoder.coder import CoderConfig

M = TypeVar("M", bound=nn.Module)
Codes = Float[Tensor, "b c2 h2 w2"]


class PixelSpace(nn.Module):
    """Images as they are. limit: clean ones live in [-limit, limit]."""

    limit: float | None = 1.0

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.channels, self.factor = channels, 1

    def encode(self, images: Images) -> Codes:
        """Images in [-1, 1] -> what is denoised."""
        return images

    def decode(self, x: Codes) -> Images:
        """What was denoised -> images in about [-1, 1]."""
        return x

    def clean(self, images: Images | None, moments: Images | None) -> Codes:
        """What is denoised, of a batch that holds images or what `encode` once made of them."""
        assert images is not None
        return images

    def known(self, given: KnownRegion) -> KnownRegion:
        """What is given of images, as the denoiser sees it."""
        return given

    def seen(self, steps: Iterator[Step], given: KnownRegion | None = None) -> Iterator[Step]:
        """Steps as images. given: what is kept of each, to the last bit."""
        return steps


class CodeSpace(PixelSpace):
    """Codes of a frozen autoencoder, of mean 0 and variance 1 in each channel.

    The autoencoder has no parameters, only buffers: nothing trains, averages or thaws it, and it is kept with the
    weights of the decoder, so that a run needs nothing beside itself.
    """

    limit = None

    def __init__(self, config: CoderConfig) -> None:
        super().__init__(config.latent)
        self.factor = config.factor
        self.autoencoder = frozen(Autoencoder(config))
        self.statistics = StandardizeCodes(config.latent)

    def start(self, autoencoder: Autoencoder, moments: Images) -> None:
        """Takes over a trained autoencoder, and measures the codes of the training images."""
        self.autoencoder.load_state_dict(autoencoder.state_dict())
        self.statistics.fit(Posterior.of(moments).mean)

    @torch.no_grad()
    def encode(self, images: Images) -> Codes:
        return self.statistics(self.autoencoder.encode(images).mean)

    @torch.no_grad()
    def decode(self, x: Codes) -> Images:
        return self.autoencoder.decode(self.statistics.inverse(x)).clamp(-1, 1)

    def clean(self, images: Images | None, moments: Images | None) -> Codes:
        if moments is not None:
            return self.statistics(Posterior.of(moments).mean)
        return self.encode(super().clean(images, moments))

    def known(self, given: KnownRegion) -> KnownRegion:
        """Codes of the images with their holes grey; a cell is known where all pixels are that it and its neighbours
        stand for."""
        reach = self.factor
        mask = -F.max_pool2d(-given.mask, 3 * reach, reach, reach)
        return KnownRegion(self.encode(given.images * given.mask), mask)

    def seen(self, steps: Iterator[Step], given: KnownRegion | None = None) -> Iterator[Step]:
        def decode(x: Codes) -> Images:
            return self.decode(x) if given is None else given.over(self.decode(x))

        return (DecodedStep(step, decode) for step in steps)


class DecodedStep(Step):
    """A step over codes, seen as images: who takes only the last step pays for one decoding."""

    def __init__(self, step: Step, decode: Callable[[Images], Images]) -> None:
        vars(self).update(log_snr=step.log_snr, step=step, decode=decode, seen={})  # a Step is frozen

    @property
    def x(self) -> Images:  # pyright: ignore[reportIncompatibleVariableOverride]
        """The state, decoded; before the last step a noisy code, and so no image."""
        return self._decoded("x")

    @property
    def x0(self) -> Images:  # pyright: ignore[reportIncompatibleVariableOverride]
        """The clean estimate, decoded: the preview."""
        return self._decoded("x0")

    def _decoded(self, of: str) -> Images:
        """No `cached_property`: up to Python 3.11 that holds a lock of all steps, which the jobs of a server, of which
        one at a time has the processor, would wait for in vain."""
        own = vars(self)
        if of not in own["seen"]:
            own["seen"][of] = own["decode"](getattr(own["step"], of))
        return own["seen"][of]


def frozen(module: M) -> M:
    """The module with its parameters turned into buffers, under the same names."""
    for part in module.modules():
        for name, parameter in list(part.named_parameters(recurse=False)):
            delattr(part, name)
            part.register_buffer(name, parameter.detach())
    return module.eval()
