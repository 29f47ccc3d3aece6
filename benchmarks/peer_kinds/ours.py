"""Ours: the recipe of `unclip train --model ddpm`, by its own trainer.

default  as it is: 12 steps of DPM-Solver++ 2M (until 30 November 2026: 50 ancestral ones)
small    the same training, for its default is a small one; 25 steps of DDIM, as the other peers
best     the same training; 25 steps of DPM-Solver++ 2M
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from unclip.core.noise import initial_weights
from unclip.data.loader import to_pixels
from unclip.diffusion.samplers import DDIM, DPMSolverPP2M
from unclip.diffusion.samplers.named import name_of
from unclip.generation.ddpm import DDPMPipeline
from unclip.generation.settings import Settings
from unclip.models.ddpm import DDPM
from unclip.nn.backbones.unet import UNetConfig
from unclip.recipes.stages.ddpm import DDPMRecipe
from unclip.training.plan import Plan
from unclip.training.trainer import Trainer

from .protocol import Job, Numbers, Weights


def recipe(setting: str) -> DDPMRecipe:
    whole = DDPMRecipe()
    changed: dict[str, Callable[[], DDPMRecipe]] = {
        "default": lambda: whole,
        "small": lambda: replace(whole, sampling=replace(whole.sampling, steps=25, sampler=DDIM())),
        "best": lambda: replace(whole, sampling=replace(whole.sampling, steps=25, sampler=DPMSolverPP2M())),
        "tiny": lambda: replace(
            whole,
            network=UNetConfig(patch=4, widths=(32,), blocks=(1,), attention=(False,)),
            train=replace(whole.train, batch=4),
            sampling=replace(whole.sampling, steps=2),
        ),
    }
    return changed[setting]()


class Ours:
    """A `Peer`."""

    def __init__(self, setting: str, job: Job) -> None:
        made = recipe(setting)
        with initial_weights(job.seed, "ddpm"):
            self.module = DDPM(made.config(job.size, ()))
        self.batch, self.sampling, self.seconds = made.train.batch, made.sampling.steps, job.seconds
        self.sampler = name_of(made.sampling.sampler) or type(made.sampling.sampler).__name__
        plan = Plan(seconds=job.seconds, cooldown=made.train.cooldown)
        self.trainer = Trainer(self.module, job.feed(self.batch), made.train, plan, job.seed, "float32", 1)
        self.reports = self.trainer.steps()

    @property
    def step(self) -> int:
        return self.trainer.step

    def advance(self, share: float) -> bool:
        self.trainer.elapsed = share * self.seconds  # by the one clock of all peers
        return next(self.reports, None) is not None

    def state(self) -> tuple[Weights, Numbers]:
        return self.trainer.state()

    def load(self, tensors: Weights, numbers: Numbers) -> None:
        self.trainer.load(tensors, dict(numbers))

    def averaged(self) -> Weights:
        return self.trainer.ema.average

    def use(self, averaged: Weights) -> None:
        self.module.load_state_dict(averaged)
        self.module.eval().requires_grad_(False)

    def draw(self, n: int, seed: int, steps: int) -> np.ndarray:
        pipeline = DDPMPipeline(self.module, device="cpu", precision="float32")
        *_, last = pipeline.steps([""] * n, range(seed, seed + n), Settings(steps=steps))
        return to_pixels(last.x.clamp(-1, 1))
