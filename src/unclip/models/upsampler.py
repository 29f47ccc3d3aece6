"""An upsampler: a diffusion model of the details that an enlarged image lacks (unCLIP, section 2.1; SR3).

    enlarged = bicubic(low)        image = enlarged + 2 spread r        r ~ p(r | enlarged, strength)

r, the missing detail in units of twice its standard deviation `spread`, is what the `Diffusion` denoises; the network
sees the enlarged image beside it (`Condition.image`) and how strongly the small image was degraded. No caption and
no attention, as in the paper: with convolutions and norms of one position (`nn/blocks/norm`) each value depends on a
finite neighbourhood, so a network trained on crops works on images of any size.

The paper's networks predict the image itself (`predicts="image"`). Detail alone trains faster: nothing is copied.

One for inpainting (GLIDE, section 4.3 of Nichol et al. 2021) is given the whole small image and, of the larger one,
what is known, in the units of what it predicts:

    condition.image = [enlarged, m r, m]      m = 1 where the larger image is known, 0 where it is to be painted

It starts as a trained upsampler, with weights of zero for the new channels (`Upsampler.start`).
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Literal

import torch
import torch.nn.functional as F
from torch import nn

from unclip.core.condition import Condition
from unclip.core.config.base import Config
from unclip.core.config.ranges import Side
from unclip.core.noise import Noise
from unclip.core.task import Batch, Losses
from unclip.core.typing import Float, Images, Int, PerSample, Tensor
from unclip.data.degradation import Degradation, GaussianBlur
from unclip.data.images.resize import enlarge, interpolated, shrink
from unclip.data.masks import MaskConfig, random_masks
from unclip.diffusion.guidance import Unguided
from unclip.diffusion.parameterization import X0
from unclip.diffusion.process import Diffusion, DiffusionConfig, Sampling
from unclip.diffusion.samplers import DDIM, Anchored, Step
from unclip.diffusion.schedules import LogNormal
from unclip.diffusion.weighting import PlainX0
from unclip.models.known_region import KnownRegion
from unclip.nn.backbones.config import ImageNetworkConfig
from unclip.nn.backbones.unet import UNetConfig
from unclip.nn.backbones.widen import load_widened, widened

LARGEST = 2048
"""px: no side of an output is longer, because memory grows with the area."""
WHOLE = 0.5
"""The spread with which what is denoised is the image itself."""


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
    """The network predicts the clean detail itself, most of which is 0 where the image is flat: there EDM's skip
    would hand it noise that it has to cancel (docs/upsamplers.md). Levels around sigma/alpha = 0.55."""
    return DiffusionConfig(LogNormal(mean=-0.6, std=1.4, s_min=0.01, s_max=20.0), X0(), PlainX0())


def upsampler_sampling(steps: int = 4) -> Sampling:
    """Few ancestral steps, no guidance: 4 are nearer to the images than 12 (docs/upsamplers.md).

    The paper's: 27 steps of DDIM for the first upsampler, 15 for the second.
    """
    return Sampling(steps=steps, sampler=DDIM(eta=1.0), guidance=Unguided())


@dataclass(frozen=True)
class UpsamplerOptions(Config):
    """What may be chosen of an upsampler, whatever its sizes. network: without the channels for a known region.

    predicts: the missing detail, or the image itself, beside what the bicubic filter makes of the small one, whose
    overshoots beyond [-1, 1] are left in (unCLIP's, Karlo's).
    """

    network: ImageNetworkConfig = field(default_factory=upsampler_network)
    diffusion: DiffusionConfig = field(default_factory=upsampler_diffusion)
    sampling: Sampling = field(default_factory=upsampler_sampling)
    degradation: Degradation = field(default_factory=GaussianBlur)
    predicts: Literal["detail", "image"] = "detail"


@dataclass(frozen=True, kw_only=True)
class UpsamplerConfig(UpsamplerOptions):
    """A whole upsampler. low, size: sides of an image before and after, px; crop: of the training crops, px of the
    larger image.

    masks: what training hides from an upsampler that sees what is known of the larger image; None: it sees nothing of
    it. Raises ValueError where they do not go together, or the network lacks the place of the small image.
    """

    low: Side
    size: Side
    crop: Side
    masks: MaskConfig | None = None

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
        """How many times larger the image becomes."""
        return self.size // self.low

    @property
    def step(self) -> int:
        """Sides of what the network is given are multiples of this, px."""
        return math.lcm(self.factor, self.network.multiple)


def check_largest(height: int, width: int) -> None:
    """Raises ValueError where so large an image would come out that memory may not do."""
    if max(height, width) > LARGEST:
        raise ValueError(
            f"an image of {width} x {height} px would come out; at most {LARGEST} px a side can: take a smaller one"
        )


def crop_side(size: int, step: int) -> int:
    """A quarter of the side, as in the paper, but not less than 64 px (or the image), which holds a whole feature."""
    return min(size, math.ceil(max(64, size // 4) / step) * step)


def cut(images: Images, corners: Int[Tensor, "b two"], side: int) -> Float[Tensor, "b c s s"]:
    """A square of each image; corners: (row, column) of its first pixel, on the images' device, which is not read."""
    along = torch.arange(side, device=images.device)
    rows, columns = (corners[:, n, None] + along for n in (0, 1))
    which = torch.arange(len(images), device=images.device)[:, None, None]
    return images[which, :, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2).contiguous()


class Upsampler(nn.Module):
    """`Diffusion` over details, conditioned on the enlarged image."""

    per_sample = True

    def __init__(self, config: UpsamplerConfig) -> None:
        super().__init__()
        self.config = config
        network = config.network if config.masks is None else widened(config.network, config.network.channels + 1)
        self.diffusion = Diffusion(network.build(), config.diffusion)
        self.register_buffer("spread", torch.tensor(1.0 if config.predicts == "detail" else WHOLE))
        self.spread: Tensor

    @classmethod
    def start(cls, base: "Upsampler", masks: MaskConfig = MaskConfig()) -> "Upsampler":
        """An upsampler for inpainting that draws as `base` does, whatever it is shown of the larger image."""
        model = cls(replace(base.config, masks=masks))
        load_widened(model, base.state_dict())
        return model

    @torch.no_grad()
    def fit(self, images: Images) -> None:
        """Takes the spread of the details of these images [n, c, size, size]; 1 where there are none at all.

        Of whole images it stays.
        """
        if self.config.predicts == "image":
            return
        std = (images - enlarge(shrink(images, self.config.factor), self.config.factor)).std()
        self.spread.copy_(torch.where(std > 1e-6, std, torch.ones_like(std)))

    def condition(self, low: Images, strength: PerSample) -> Condition:
        """low: small images in [-1, 1]; strength: how degraded each is, 0: not at all."""
        larger = enlarge if self.config.predicts == "detail" else interpolated
        return Condition(image=larger(low, self.config.factor), vector=strength[:, None])

    def base(self, cond: Condition) -> Images:
        """What the prediction is added to: the enlarged image, or nothing."""
        assert cond.image is not None
        return cond.image if self.config.predicts == "detail" else torch.zeros_like(cond.image)

    def shown(self, cond: Condition, detail: KnownRegion | None) -> Condition:
        """The condition, with the details that are known beside it for a network that sees them (None: nothing is)."""
        if self.config.masks is None:
            return cond
        assert cond.image is not None
        beside = torch.zeros_like(cond.image[:, :1]).expand(-1, cond.image.shape[1] + 1, -1, -1)
        return replace(cond, image=torch.cat([cond.image, beside if detail is None else detail.shown()], dim=1))

    def loss(self, batch: Batch, noise: Noise) -> Losses:
        """The diffusion loss on a random crop of each image, the small crop degraded, a part of the large one shown;
        what is shown does not count.

        Masks are drawn for the crop, not for the image, so that nearly every crop has a border of known and unknown.
        """
        assert batch.images is not None
        self.check(batch.images)
        with torch.autocast(batch.images.device.type, enabled=False):  # images have more than bfloat16's 8 bits
            high, low = self.crops(batch.images, noise.fork("crop"))
            degraded = self.config.degradation(low, noise.fork("degradation"))
            cond = self.condition(degraded.images, degraded.strength)
            detail = (high - self.base(cond)) / (2 * self.spread)
            given = self._hidden(detail, noise.fork("mask"))
            cond = self.shown(cond, given)
        return Losses(self.diffusion.loss(detail, cond, noise, given and 1 - given.mask).mean())

    def _hidden(self, detail: Images, noise: Noise) -> KnownRegion | None:
        masks, (n, _, height, width) = self.config.masks, detail.shape
        return masks and KnownRegion(detail, random_masks(n, height, width, noise, masks))

    def check(self, images: Images) -> None:
        """Raises ValueError for images of another size than the larger one."""
        c, size = self.config.network.channels, self.config.size
        if images.shape[1:] != (c, size, size):
            raise ValueError(f"images {list(images.shape[1:])}: this upsampler trains on {[c, size, size]}")

    def crops(self, images: Images, noise: Noise) -> tuple[Float[Tensor, "b c s s"], Float[Tensor, "b c t t"]]:
        """The same random square of each image, large and small; corners lie on pixels of the small image."""
        factor, side = self.config.factor, self.config.crop // self.config.factor
        small = shrink(images, factor)  # before cropping: a crop has no border of its own here
        corners = noise.integers(self.config.low - side + 1, (len(images), 2))
        return cut(images, factor * corners, factor * side), cut(small, corners, side)

    def sample(
        self,
        low: Images,
        noise: Noise,
        how: Sampling | None = None,
        strength: float = 0.0,
        given: KnownRegion | None = None,
    ) -> Iterator[Step]:
        """Images `factor` times larger, of any small size; every step's x0 is a preview in [-1, 1].

        strength: how degraded the small images are taken to be, 0 to 1. given: what is known of the larger ones, kept
        exactly and put in at every step, also where the network does not see it. Raises ValueError for a strength
        outside, images too large, and what is given at another size.
        """
        if not 0 <= strength <= 1:
            raise ValueError(f"strength = {strength}: how degraded an image is, 0 (not at all) to 1")
        h, w = (self.config.factor * side for side in low.shape[-2:])
        check_largest(h, w)
        if given is not None and given.images.shape[-2:] != (h, w):
            raise ValueError(f"given images of {list(given.images.shape[-2:])} px: these become {[h, w]} px")
        cond = self.condition(self._padded(low), low.new_full((len(low),), strength))
        base, how = self.base(cond), how or self.config.sampling
        detail = None if given is None else self._detail(given, base)
        cond, by = self.shown(cond, detail), detail and Anchored(detail.images, detail.mask, how.sampler)
        for step in self.diffusion.walk(noise.normal(base.shape), cond, cond, noise, how, by):
            x, x0 = ((base + 2 * self.spread * r)[..., :h, :w] for r in (step.x, step.x0))
            if given is not None and torch.isinf(step.log_snr):
                x = given.over(x)  # through the details and back it is rounded
            yield Step(x, x0.clamp(-1, 1), step.log_snr)

    def _detail(self, given: KnownRegion, base: Images) -> KnownRegion:
        """What is known, in units of the details; nothing is known where the image was continued."""
        wider = (0, base.shape[-1] - given.images.shape[-1], 0, base.shape[-2] - given.images.shape[-2])
        images, mask = (F.pad(part, wider) for part in (given.images, given.mask))
        return KnownRegion((images - base) / (2 * self.spread), mask)

    def _padded(self, low: Images) -> Float[Tensor, "b c h2 w2"]:
        """Continued by its border to what the network can divide."""
        multiple = self.config.step // self.config.factor
        h, w = low.shape[-2:]
        return F.pad(low, (0, -w % multiple, 0, -h % multiple), mode="replicate")
