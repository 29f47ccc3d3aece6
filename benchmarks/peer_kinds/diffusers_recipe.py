"""diffusers' unconditional recipe, examples/unconditional_image_generation/train_unconditional.py of 0.32 and later.

What the script does in a step is written out here (add noise, predict it, mean square, clip at 1, AdamW, cosine, EMA),
so that clock, images and seeds are those of all peers; network, schedulers, EMA and pipeline are the library's. Its
cosine falls over the time of the training, because nobody knows beforehand how many steps that will be.

    default  the script's own: 114 million parameters, batches of 16, rate 1e-4 after 500 steps; 1,000 steps of DDPM
    small    UNet2DModel of three levels with attention at the coarsest; batches of 32, rate 1e-3 after 50 steps;
             25 steps of DDIM
    best     the same network, which says the image (`--prediction_type sample`) where the others say the noise
             (channels-last was slower: 23.5 images/s against 26.4); 25 steps of DPM-Solver++ 2M
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from diffusers import DDIMScheduler, DDPMPipeline, DDPMScheduler, DPMSolverMultistepScheduler, UNet2DModel
from diffusers.training_utils import EMAModel

from unclip.core.noise import derive, initial_weights

from .protocol import Job, Numbers, Weights, below, cosine, moments, part, set_moments

DOWN, UP, ATTENTION = "DownBlock2D", "UpBlock2D", ("AttnDownBlock2D", "AttnUpBlock2D")
SAMPLERS: dict[str, Any] = {
    "ddpm": DDPMScheduler,
    "ddim": DDIMScheduler,
    "dpmpp-2m": DPMSolverMultistepScheduler,
}
BETAS = {"num_train_timesteps": 1000, "beta_schedule": "linear"}


@dataclass(frozen=True)
class Setting:
    """widths of the levels; where there is attention; residual blocks of a level; and how it is trained and drawn.

    prediction: what the network says, by the scheduler's names ("epsilon" is the noise, "sample" the image).
    """

    widths: tuple[int, ...] = (128, 128, 256, 256, 512, 512)
    attention: tuple[int, ...] = (4,)
    blocks: int = 2
    batch: int = 16
    rate: float = 1e-4
    warmup: int = 500
    prediction: str = "epsilon"
    sampler: str = "ddpm"
    sampling: int = 1000

    def scheduler(self, name: str) -> Any:
        return SAMPLERS[name](**BETAS, prediction_type=self.prediction)

    def network(self, size: int) -> UNet2DModel:
        down = [ATTENTION[0] if i in self.attention else DOWN for i in range(len(self.widths))]
        up = [ATTENTION[1] if i in self.attention else UP for i in reversed(range(len(self.widths)))]
        return UNet2DModel(
            sample_size=size,
            layers_per_block=self.blocks,
            block_out_channels=self.widths,
            down_block_types=tuple(down),
            up_block_types=tuple(up),
        )


SMALL: dict[str, Any] = {"widths": (32, 64, 96), "attention": (2,), "blocks": 1}
SMALL |= {"batch": 32, "rate": 1e-3, "warmup": 50, "sampling": 25}
SETTINGS = {
    "default": Setting(),
    "small": Setting(**SMALL, sampler="ddim"),
    "best": Setting(**SMALL, prediction="sample", sampler="dpmpp-2m"),
    "tiny": Setting(widths=(32,), attention=(), blocks=1, batch=4, warmup=1, sampler="ddim", sampling=2),
}


class Diffusers:
    """A `Peer`."""

    def __init__(self, setting: str, job: Job) -> None:
        self.chosen, self.seed, self.step = SETTINGS[setting], job.seed, 0
        self.batch, self.sampling, self.sampler = self.chosen.batch, self.chosen.sampling, self.chosen.sampler
        with initial_weights(job.seed, "diffusers"):
            self.module = self.chosen.network(job.size)
        self.feed, self.schedule = job.feed(self.batch), self.chosen.scheduler("ddpm")
        self.optimizer = torch.optim.AdamW(
            self.module.parameters(), lr=self.chosen.rate, betas=(0.95, 0.999), weight_decay=1e-6, eps=1e-8
        )
        self.ema = EMAModel(self.module.parameters(), decay=0.9999, use_ema_warmup=True, inv_gamma=1.0, power=0.75)

    def advance(self, share: float) -> bool:
        rate = self.chosen.rate * min(1.0, (self.step + 1) / self.chosen.warmup) * cosine(share)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        with initial_weights(self.seed, "diffusers", self.step):
            loss = self._loss()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.module.parameters(), 1.0)
        self.optimizer.step()
        self.optimizer.zero_grad()
        self.ema.step(self.module.parameters())
        self.step += 1
        return True

    def _loss(self) -> torch.Tensor:
        images = self.feed(self.step).images
        assert images is not None
        noise, times = torch.randn_like(images), torch.randint(0, 1000, (len(images),))
        seen = self.schedule.add_noise(images, noise, times)
        said = self.module(seen, times).sample
        if self.chosen.prediction == "epsilon":
            return F.mse_loss(said, noise)
        kept = self.schedule.alphas_cumprod[times].view(-1, 1, 1, 1)  # the script's weights: those of the noise's error
        return (kept / (1 - kept) * F.mse_loss(said, images, reduction="none")).mean()

    def state(self) -> tuple[Weights, Numbers]:
        tensors = below("model", self.module.state_dict()) | below("ema", self.averaged())
        return tensors | below("optimizer", moments(self.optimizer)), {"step": self.step}

    def load(self, tensors: Weights, numbers: Numbers) -> None:
        self.step = self.ema.optimization_step = int(numbers["step"] or 0)
        self.module.load_state_dict(part(tensors, "model"))
        averaged = part(tensors, "ema")
        for (name, _), shadow in zip(self.module.named_parameters(), self.ema.shadow_params, strict=True):
            shadow.copy_(averaged[name])
        set_moments(self.optimizer, part(tensors, "optimizer"))

    def averaged(self) -> Weights:
        names = [name for name, _ in self.module.named_parameters()]
        return dict(zip(names, self.ema.shadow_params, strict=True))

    def use(self, averaged: Weights) -> None:
        self.module.load_state_dict(averaged)
        self.module.eval()

    def draw(self, n: int, seed: int, steps: int) -> np.ndarray:
        pipeline = DDPMPipeline(self.module, self.chosen.scheduler(self.sampler))
        pipeline.set_progress_bar_config(disable=True)
        own = torch.Generator().manual_seed(derive(seed, "diffusers") % 2**32)
        drawn = pipeline(batch_size=n, generator=own, num_inference_steps=steps, output_type="np").images
        return (np.asarray(drawn) * 255).round().astype(np.uint8)
