"""The way of an image through the upsamplers of a run, to the size that is asked for."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch

from unclip.core.noise import Noise
from unclip.core.shown import shell_command
from unclip.core.typing import Float, Images, Tensor
from unclip.diffusion.process import Sampling
from unclip.models.known_region import KnownRegion
from unclip.models.upsampler import Upsampler
from unclip.runs.modules import Stages

AREA = 32 * 128 * 128
"""Pixels drawn at a time: 32 images of 128 px, 8 of 256 px."""
GENERATED = 0.0
"""How degraded an image of the decoder is taken to be, unless told otherwise: not at all."""


@dataclass(frozen=True)
class Enlarger:
    """A trained upsampler and the name of its stage.

    inpainting: what takes its place where a part of the larger image is known, if the run has it. steps: that it draws
    in; None: its own.
    """

    model: Upsampler
    name: str = "upsampler"
    inpainting: "Enlarger | None" = None
    steps: int | None = None

    @property
    def size(self) -> int:
        """The side of what it draws from the images of the stage before, px."""
        return self.model.config.size

    @property
    def sees_known(self) -> bool:
        """Whether it is shown what is known of the larger image."""
        return self.model.config.masks is not None

    @property
    def sampling(self) -> Sampling:
        """How it draws."""
        own = self.model.config.sampling
        return own if self.steps is None else replace(own, steps=self.steps)

    def about(self) -> dict[str, Any]:
        """What an image says of it."""
        return {"size": self.size, "sampling": self.sampling.to_dict()}


def numbered(stage: str, number: int) -> str:
    """What one of several stages of a kind is called: upsampler, upsampler2, upsampler3, ..."""
    return stage if number == 1 else f"{stage}{number}"


def load_enlargers(stages: Stages, low: int) -> tuple[Enlarger, ...]:
    """The upsamplers of a run, each for the images of the one before; low: the side of the decoder's.

    Raises ValueError where one does not fit the other (one was trained anew at another size).
    """
    found: list[Enlarger] = []
    for number in itertools.count(1):
        stage = _stored(stages, numbered("upsampler", number), low)
        if stage is None:
            break
        inpainting = _stored(stages, numbered("inpaint_upsampler", number), low, stage.size)
        found.append(replace(stage, inpainting=inpainting))
        low = stage.size
    return tuple(found)


def _stored(stages: Stages, name: str, low: int, size: int | None = None) -> Enlarger | None:
    """A stage that enlarges `low` px (to `size`, where another one has to be met), or None where the run has none."""
    model = stages.added(name, Upsampler)
    if model is None:
        return None
    root = "RUN" if stages.folder is None else stages.folder.root
    again = f"train it again: {shell_command('unclip', 'add', name, 'DATA', '--run', root, '--restart')}"
    if model.config.low != low:
        raise ValueError(
            f"{root}/{name}: enlarges {model.config.low} px, but the stage before it draws {low} px; {again}"
        )
    if size not in (None, model.config.size):
        raise ValueError(f"{root}/{name}: draws {model.config.size} px, but the upsampler {size} px; {again}")
    return Enlarger(model, name)


def way(enlargers: Sequence[Enlarger], size: int | None, base: int) -> Sequence[Enlarger]:
    """Those that lead to this size; None: all. Raises ValueError that lists the sizes for another one."""
    sizes = [base, *(e.size for e in enlargers)]
    if size is None:
        return enlargers
    if size not in sizes:
        more = "" if len(sizes) > 1 else "; larger ones: unclip add upsampler DATA --run RUN"
        raise ValueError(f"size = {size} px: this model draws {', '.join(map(str, sizes))}{more}")
    return enlargers[: sizes.index(size)]


@torch.no_grad()
def upsampled(
    stages: Sequence[Enlarger],
    images: Images,
    seeds: Sequence[int],
    strength: float = GENERATED,
    given: Sequence[KnownRegion] = (),
) -> Float[Tensor, "b c h2 w2"]:
    """Images in [-1, 1] led through the stages, on the CPU; image i draws from its own seed.

    strength: how degraded the images are taken to be by the first stage, 0 to 1. given: what is known of the images
    of each stage, which is kept; () where nothing is.
    """
    for number, stage in enumerate(stages):
        device = stage.model.spread.device
        high = images.shape[-1] * images.shape[-2] * stage.model.config.factor**2
        at_once, parts = max(1, AREA // high), []
        for i in range(0, len(images), at_once):
            some = slice(i, i + at_once)
            noise = Noise.per_sample(seeds[some], device).fork(f"upsampler{number + 1}")
            known = given[number].part(some).to(device) if given else None
            *_, last = stage.model.sample(images[some].to(device), noise, stage.sampling, strength, known)
            parts.append(last.x.float().clamp(-1, 1).cpu())
        images, strength = torch.cat(parts), GENERATED
    return images
