"""What the fragments of Python on the pages take as given: a model, a denoiser, images, noise, all of them small."""

import tempfile
from pathlib import Path

import torch
from torch import nn

from unclip.clip.model import CLIPConfig
from unclip.clip.noisy import NoisyCLIP, NoisyCLIPConfig
from unclip.clip.text import TextConfig
from unclip.clip.vision import VisionConfig
from unclip.core.condition import Condition
from unclip.core.disk import store
from unclip.core.noise import Noise
from unclip.core.task import Batch
from unclip.core.typing import LogSNR, State
from unclip.diffusion.guidance import Unguided
from unclip.diffusion.parameterization import Eps
from unclip.diffusion.process import Diffusion, DiffusionConfig
from unclip.diffusion.schedules import LinearBeta
from unclip.diffusion.weighting import Simple
from unclip.models.ddpm import DDPM, DDPMConfig
from unclip.nn.backbones.unet import UNetConfig
from unclip.training.optim import OptimConfig
from unclip.training.plan import Plan
from unclip.training.trainer import TrainConfig


class Linear(nn.Module):
    """A network of images that costs nothing."""

    def forward(self, x: State, log_snr: LogSNR, cond: Condition) -> State:
        return 0.1 * x


FOLDER = tempfile.TemporaryDirectory()
run, device, seed = Path(FOLDER.name), "cpu", 0

shape, cond, null = (2, 3, 8, 8), Condition(), Condition()
noise = Noise.shared("pages")
x0 = images = picture = torch.ones(shape)
x, eps, eps_hat = (noise.normal(shape) for _ in range(3))
mask = torch.ones(shape)
n = len(x0)

schedule = LinearBeta(T=100)
diffusion = Diffusion(Linear(), DiffusionConfig(schedule, Eps(), Simple(), limit=1.0))
denoise = Unguided()(diffusion.denoiser, cond, null)
grid = schedule.grid(20)

SMALL = UNetConfig(
    patch=2, widths=(16, 32), blocks=(1, 1), attention=(False, True), embedding=32, fine=8, vector_width=10
)
model = early = DDPM(DDPMConfig(size=8, classes=tuple("abcdefghij"), network=SMALL))
labels = torch.arange(2)
config, plan = TrainConfig(2, OptimConfig(), steps=1), Plan(steps=1)

WORDS = TextConfig(vocabulary=8, context=4, width=16, layers=1, heads=2)
TOWER = VisionConfig(size=8, stem=(8, 16), width=16, layers=1, heads=2)
NOISY = NoisyCLIPConfig(CLIPConfig(WORDS, TOWER, width=16))
store.save(run / "noisy_clip", "noisy_clip", NOISY.to_dict(), NoisyCLIP(NOISY).state_dict())
ids, token_mask = torch.ones((2, 4), dtype=torch.long), torch.ones((2, 4), dtype=torch.bool)


def feed(step: int) -> Batch:
    """The same batch at each step."""
    return Batch(images=images, labels=labels)
