"""Tiny upsamplers from 16 to 32 px: one that learned to enlarge drawn shapes, and one that also sees what is known."""

import numpy as np
import torch
from tests.fakes import awake, built, tiny_unet, trainer_of
from tests.once import once

from unclip.core.task import Batch
from unclip.data.loader import Order, to_tensor
from unclip.data.shapes.world import World
from unclip.models.upsampler import Upsampler, UpsamplerConfig, upsampler_sampling

NETWORK = tiny_unet(attention=(False, False), norm="position", vector_width=1, image_channels=3)
CONFIG = UpsamplerConfig(NETWORK, low=16, size=32, crop=16, sampling=upsampler_sampling(6))


def drawn(n: int, seed: int) -> torch.Tensor:
    return to_tensor(np.stack([image for image, _, _ in World(32).sample(n, seed)]))


def upsampler(config: UpsamplerConfig = CONFIG) -> Upsampler:
    """All paths open, nothing learned."""
    model = awake(built(lambda: Upsampler(config)))
    assert isinstance(model, Upsampler)
    return model


def learns(model: Upsampler, steps: int) -> None:
    images, order = drawn(256, 1), Order(256, 32, 0)
    trainer = trainer_of(model, lambda step: Batch(images=images[order.indices(step)]), steps, lr=8e-3)
    for _ in trainer.steps():
        pass
    model.load_state_dict(trainer.ema.average)


@once(lambda model: learns(model, 250))
def trained() -> Upsampler:
    """250 steps on crops of 16 px of drawn shapes at 32 px."""
    model = built(lambda: Upsampler(CONFIG))
    model.fit(drawn(256, 1))
    return model


@once(lambda model: learns(model, 200))
def seeing() -> Upsampler:
    """The same after 200 steps with masks."""
    return built(lambda: Upsampler.start(trained()))
