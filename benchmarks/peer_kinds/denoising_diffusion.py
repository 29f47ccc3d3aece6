"""lucidrains' denoising-diffusion-pytorch: its U-Net, `GaussianDiffusion` and EMA, a step of its `Trainer` written out.

What `Trainer.train` does in a step stands here (accumulate, clip at 1, Adam, EMA), so that clock, images and seeds are
those of all peers: its own trainer wants a folder of files and accelerate's devices.

The package imports torchvision and pytorch-fid, of which only its trainer uses anything. torchvision of PyPI does not
load beside a torch for CPUs ("operator torchvision::nms does not exist"), and then diffusers does not load either. So
neither is asked for, and stubs stand in for both while the package is imported.

    default  that of its README: U-Net 64 x (1, 2, 4, 8), batches of 32, two for a step, rate 8e-5; 250 steps of DDIM.
             Its mixed precision is off: float16 is no faster on a CPU
    small    U-Net 24 x (1, 2, 4); batches of 32, one for a step, rate 1e-3; an average of every step, for 2,000 of them
             are not made in the time; 25 steps of DDIM
    best     small with weights by min-SNR, in channels-last; 25 steps of DDIM, for it has no other few-step sampler
"""

import sys
from dataclasses import dataclass, field
from typing import Any
from unittest.mock import MagicMock

import numpy as np
import torch

from unclip.core.noise import derive, initial_weights
from unclip.data.loader import to_pixels

from .protocol import Job, Numbers, Weights, below, moments, part, set_moments

STOOD_IN_FOR = ("torchvision", "pytorch_fid", "pytorch_fid.fid_score", "pytorch_fid.inception")


def _package() -> tuple[Any, Any]:
    """`Unet` and `GaussianDiffusion`, without their bars of progress."""
    missing = [name for name in STOOD_IN_FOR if name not in sys.modules]
    sys.modules.update({name: MagicMock() for name in missing})
    try:
        from denoising_diffusion_pytorch import denoising_diffusion_pytorch as package
    finally:
        for name in missing:
            del sys.modules[name]
    package.tqdm = lambda steps, **about: steps
    return package.Unet, package.GaussianDiffusion


@dataclass(frozen=True)
class Setting:
    """Of the network, of the process, of the EMA, and how it is trained and drawn."""

    dim: int = 64
    mults: tuple[int, ...] = (1, 2, 4, 8)
    batch: int = 32
    accumulate: int = 2
    rate: float = 8e-5
    sampling: int = 250
    average: dict[str, int] = field(default_factory=lambda: {"update_every": 10})
    process: dict[str, Any] = field(default_factory=dict)
    layout: torch.memory_format = torch.contiguous_format


EVERY_STEP = {"update_every": 1, "update_after_step": 0}
SMALL: dict[str, Any] = {"dim": 24, "mults": (1, 2, 4), "accumulate": 1, "rate": 1e-3, "sampling": 25}
SETTINGS = {
    "default": Setting(),
    "small": Setting(**SMALL, average=EVERY_STEP),
    "best": Setting(**SMALL, average=EVERY_STEP, process={"min_snr_loss_weight": True}, layout=torch.channels_last),
    "tiny": Setting(dim=8, mults=(1, 2), batch=4, accumulate=1, sampling=2),
}


class DenoisingDiffusion:
    """A `Peer`. sampling: DDIM, unless it is all of the 1,000 steps."""

    sampler = "ddim"

    def __init__(self, setting: str, job: Job) -> None:
        from ema_pytorch import EMA

        self.chosen, self.seed, self.step = SETTINGS[setting], job.seed, 0
        self.batch, self.sampling = self.chosen.batch * self.chosen.accumulate, self.chosen.sampling
        unet, process = _package()
        with initial_weights(job.seed, "denoising-diffusion-pytorch"):
            network = unet(dim=self.chosen.dim, dim_mults=self.chosen.mults, flash_attn=True)
            self.module = process(network, image_size=job.size, **self.chosen.process)
        self.module.to(memory_format=self.chosen.layout)
        self.feed = job.feed(self.chosen.batch)
        self.optimizer = torch.optim.Adam(self.module.parameters(), lr=self.chosen.rate, betas=(0.9, 0.99))
        self.ema = EMA(self.module, beta=0.995, include_online_model=False, **self.chosen.average)

    def advance(self, share: float) -> bool:
        self.module.train()
        for number in range(self.chosen.accumulate):
            images = self.feed(self.step * self.chosen.accumulate + number).images
            assert images is not None
            with initial_weights(self.seed, "denoising-diffusion-pytorch", self.step, number):
                loss = self.module((images * 0.5 + 0.5).contiguous(memory_format=self.chosen.layout))
            (loss / self.chosen.accumulate).backward()
        torch.nn.utils.clip_grad_norm_(self.module.parameters(), 1.0)
        self.optimizer.step()
        self.optimizer.zero_grad()
        self.ema.update()
        self.step += 1
        return True

    def state(self) -> tuple[Weights, Numbers]:
        tensors = below("model", self.module.state_dict()) | below("ema", self.ema.state_dict())
        return tensors | below("optimizer", moments(self.optimizer)), {"step": self.step}

    def load(self, tensors: Weights, numbers: Numbers) -> None:
        self.step = int(numbers["step"] or 0)
        self.module.load_state_dict(part(tensors, "model"))
        self.ema.load_state_dict(part(tensors, "ema"))
        set_moments(self.optimizer, part(tensors, "optimizer"))

    def averaged(self) -> Weights:
        return self.ema.ema_model.state_dict()

    def use(self, averaged: Weights) -> None:
        self.ema.ema_model.load_state_dict(averaged)
        self.ema.ema_model.eval()

    def draw(self, n: int, seed: int, steps: int) -> np.ndarray:
        model = self.ema.ema_model
        model.sampling_timesteps, model.is_ddim_sampling = steps, steps < model.num_timesteps
        with initial_weights(derive(seed, "denoising-diffusion-pytorch")):
            return to_pixels(model.sample(batch_size=n).clamp(0, 1) * 2 - 1)
