"""An upsampler: a diffusion model of the details that an enlarged picture lacks (unCLIP, section 2.1; SR3).

    enlarged = bicubic(low)        picture = enlarged + 2 spread r        r ~ p(r | enlarged, strength)

r, the missing detail in units of twice its standard deviation `spread`, is what the `Diffusion` denoises; the network
sees the enlarged picture beside it (`Condition.image`) and how strongly the small picture was degraded. No caption and
no attention, as in the paper: with convolutions and norms of one position (`nn/norm`) each value depends on a finite
neighbourhood, so a network trained on crops works on pictures of any size.

The paper's networks predict the picture itself. Detail alone trains faster: nothing has to be copied.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from torch import nn

from unclip.core.condition import Condition
from unclip.core.config import Config
from unclip.core.noise import Noise
from unclip.core.task import Batch, Losses
from unclip.core.typing import Float, Images, PerSample, Tensor
from unclip.data.degradation import Degradation, GaussianBlur
from unclip.data.resize import enlarge, shrink
from unclip.diffusion.guidance import Unguided
from unclip.diffusion.parameterization import X0
from unclip.diffusion.process import Diffusion, DiffusionConfig, Sampling
from unclip.diffusion.samplers import DDIM, Step
from unclip.diffusion.schedules import LogNormal
from unclip.diffusion.weighting import PlainX0
from unclip.nn.image_network import ImageNetworkConfig
from unclip.nn.unet import UNetConfig

LARGEST = 2048
"""px: no side of an output is longer, because memory grows with the area."""


def upsampler_network() -> UNetConfig:
    """An hourglass for two CPU cores, without attention."""
    return UNetConfig(
        patch=2,
        widths=(32, 64),
        blocks=(1, 2),
        attention=(False, False),
        norm="position",
        vector_width=1,
        image_channels=3,
    )


def upsampler_diffusion() -> DiffusionConfig:
    """The network predicts the clean detail itself, most of which is 0 where the picture is flat: there EDM's skip
    would hand it noise that it has to cancel (docs/upsamplers.md). Levels around sigma/alpha = 0.55."""
    return DiffusionConfig(LogNormal(mean=-0.6, std=1.4, s_min=0.01, s_max=20.0), X0(), PlainX0())


def upsampler_sampling(steps: int = 12) -> Sampling:
    """Few ancestral steps, no guidance. The paper's: 27 steps of DDIM for the first upsampler, 15 for the second."""
    return Sampling(steps=steps, sampler=DDIM(eta=1.0), guidance=Unguided())


@dataclass(frozen=True)
class UpsamplerConfig(Config):
    """low, size: picture sides before and after, px; crop: side of the training crops, of the larger picture.

    Raises ValueError where they do not go together, or the network lacks the place of the small picture.
    """

    low: int
    size: int
    crop: int
    network: ImageNetworkConfig = field(default_factory=upsampler_network)
    diffusion: DiffusionConfig = field(default_factory=upsampler_diffusion)
    sampling: Sampling = field(default_factory=upsampler_sampling)
    degradation: Degradation = field(default_factory=GaussianBlur)

    def __post_init__(self) -> None:
        if self.low < 1 or self.size % self.low or self.size <= self.low:
            raise ValueError(f"low = {self.low}, size = {self.size}: size must be 2, 3, 4 ... times low")
        step = self.step
        if not 0 < self.crop <= self.size or self.crop % step:
            raise ValueError(f"crop = {self.crop}: a multiple of {step} px, at most size = {self.size}")
        network = self.network
        if (network.image_channels, network.vector_width, network.token_width) != (network.channels, 1, 0):
            raise ValueError(
                f"network.image_channels, vector_width, token_width = {network.image_channels}, "
                f"{network.vector_width}, {network.token_width}: an upsampler needs {network.channels}, 1, 0"
            )

    @property
    def factor(self) -> int:
        """How many times larger the picture becomes."""
        return self.size // self.low

    @property
    def step(self) -> int:
        """Sides of what the network is given are multiples of this, px."""
        return math.lcm(self.factor, self.network.multiple)


def check_largest(height: int, width: int) -> None:
    """Raises ValueError where so large a picture would come out that memory may not do."""
    if max(height, width) > LARGEST:
        raise ValueError(
            f"a picture of {width} x {height} px would come out; at most {LARGEST} px a side can: take a smaller one"
        )


def crop_side(size: int, step: int) -> int:
    """A quarter of the side, as in the paper, but not less than 64 px (or the picture), which holds a whole feature."""
    return min(size, math.ceil(max(64, size // 4) / step) * step)


class Upsampler(nn.Module):
    """`Diffusion` over details, conditioned on the enlarged picture."""

    per_sample = True

    def __init__(self, config: UpsamplerConfig) -> None:
        super().__init__()
        self.config = config
        self.diffusion = Diffusion(config.network.build(), config.diffusion)
        self.register_buffer("spread", torch.ones(()))
        self.spread: Tensor

    @torch.no_grad()
    def fit(self, images: Images) -> None:
        """Takes the spread of the details of these pictures [n, c, size, size]; 1 where there are none at all."""
        std = (images - enlarge(shrink(images, self.config.factor), self.config.factor)).std()
        self.spread.copy_(torch.where(std > 1e-6, std, torch.ones_like(std)))

    def condition(self, low: Images, strength: PerSample) -> Condition:
        """low: small pictures in [-1, 1]; strength: how degraded each is, 0: not at all."""
        return Condition(image=enlarge(low, self.config.factor), vector=strength[:, None])

    def loss(self, batch: Batch, noise: Noise) -> Losses:
        """The diffusion loss on a random crop of each picture, the small crop degraded."""
        assert batch.images is not None
        self.check(batch.images)
        with torch.autocast(batch.images.device.type, enabled=False):  # pictures have more than bfloat16's 8 bits
            high, low = self.crops(batch.images, noise.fork("crop"))
            degraded = self.config.degradation(low, noise.fork("degradation"))
            cond = self.condition(degraded.images, degraded.strength)
        assert cond.image is not None
        return Losses(self.diffusion.loss((high - cond.image) / (2 * self.spread), cond, noise).mean())

    def check(self, images: Images) -> None:
        """Raises ValueError for pictures of another size than the larger one."""
        c, size = self.config.network.channels, self.config.size
        if images.shape[1:] != (c, size, size):
            raise ValueError(f"pictures {list(images.shape[1:])}: this upsampler trains on {[c, size, size]}")

    def crops(self, images: Images, noise: Noise) -> tuple[Float[Tensor, "b c s s"], Float[Tensor, "b c t t"]]:
        """The same random square of each picture, large and small; corners lie on pixels of the small picture."""
        factor, side = self.config.factor, self.config.crop // self.config.factor
        small = shrink(images, factor)  # before cropping: a crop has no border of its own here
        corners = noise.integers(self.config.low - side + 1, (len(images), 2)).tolist()
        low = [x[:, i : i + side, j : j + side] for x, (i, j) in zip(small, corners, strict=True)]
        high = [
            x[:, factor * i : factor * (i + side), factor * j : factor * (j + side)]
            for x, (i, j) in zip(images, corners, strict=True)
        ]
        return torch.stack(high), torch.stack(low)

    def sample(self, low: Images, noise: Noise, how: Sampling | None = None, strength: float = 0.0) -> Iterator[Step]:
        """Pictures `factor` times larger, of any small size; every step's x0 is a preview in [-1, 1].

        strength: how degraded the small pictures are taken to be, 0 to 1. Raises ValueError for one outside, and for
        pictures too large.
        """
        if not 0 <= strength <= 1:
            raise ValueError(f"strength = {strength}: how degraded a picture is, 0 (not at all) to 1")
        h, w = (self.config.factor * side for side in low.shape[-2:])
        check_largest(h, w)
        low = self._padded(low)
        cond = self.condition(low, low.new_full((len(low),), strength))
        base = cond.image
        assert base is not None
        for step in self.diffusion.sample(base.shape, cond, cond, noise, how or self.config.sampling):
            x, x0 = (base + 2 * self.spread * detail for detail in (step.x, step.x0))
            yield Step(x[..., :h, :w], x0[..., :h, :w].clamp(-1, 1), step.log_snr)

    def _padded(self, low: Images) -> Float[Tensor, "b c h2 w2"]:
        """Continued by its border to what the network can divide."""
        multiple = self.config.step // self.config.factor
        h, w = low.shape[-2:]
        return F.pad(low, (0, -w % multiple, 0, -h % multiple), mode="replicate")
