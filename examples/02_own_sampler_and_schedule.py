"""A sampler and a schedule of your own: two small classes, used as those that are there.

python examples/02_own_sampler_and_schedule.py
"""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image

from unclip import Condition, Diffusion, DiffusionConfig, Noise, Sampling
from unclip.data import two_moons
from unclip.diffusion import DDIM, Denoise, LogSNR, Sampler, Schedule, Simple, State, Step, V, alpha, sigma
from unclip.nn import MLP


@dataclass(frozen=True)
class Straight(Schedule):
    """log-SNR(t) = high - (high - low) t, t from 0 (clean) to 1 (noisy)."""

    high: float = 8.0
    low: float = -6.0

    def __call__(self, t: torch.Tensor) -> LogSNR:
        """The log-SNR at times t."""
        return self.high - (self.high - self.low) * t


@dataclass(frozen=True)
class Midpoint(Sampler):
    """Looks at the middle of each step first, then goes the whole step with what it saw there (order 2)."""

    def walk(self, denoise: Denoise, x: State, grid: LogSNR, noise: Noise) -> Iterator[Step]:
        """The steps along `grid`, which rises from noisy to clean and ends at +inf."""
        for now, after in itertools.pairwise(grid):
            seen = denoise(x, now.expand(len(x)))
            if torch.isfinite(after):
                middle = (now + after) / 2
                halfway = alpha(middle) * seen.x0 + sigma(middle) * seen.eps
                seen = denoise(halfway, middle.expand(len(x)))
            x = alpha(after) * seen.x0 + sigma(after) * seen.eps
            yield Step(x, seen.x0, after)


data = two_moons(2000, Noise.shared(0, "data"))
torch.manual_seed(0)
diffusion = Diffusion(MLP(2), DiffusionConfig(Straight(), V(), Simple()))
optimizer = torch.optim.AdamW(diffusion.parameters(), lr=3e-3)
for step in range(1, 1001):
    noise = Noise.shared(0, "training", step)
    loss = diffusion.loss(data[noise.integers(len(data), (256,))], Condition(), noise).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()

for sampler, steps in ((DDIM(), 10), (Midpoint(), 5), (DDIM(), 40), (Midpoint(), 20)):  # as many looks of the network
    how = Sampling(steps=steps, sampler=sampler)
    with torch.no_grad():
        *_, last = diffusion.sample((1000, 2), Condition(), Condition(), Noise.per_sample(range(1000)), how)
    distance = torch.cdist(last.x, data).min(dim=1).values.mean()
    print(f"{type(sampler).__name__:8} {steps:2} steps: mean distance to the data {distance.item():.4f}")

stored = how.to_dict()  # settings of your own classes are written and read like all others
print(stored["sampler"], Sampling.from_dict(stored) == how)

points = last.x.numpy()
cells, *_ = np.histogram2d(-points[:, 1], points[:, 0], bins=(80, 120), range=((-2, 2), (-3, 3)))
Image.fromarray(np.where(cells > 0, 0, 255).astype(np.uint8)).resize((480, 320)).save("own_sampler.png")
print("drew own_sampler.png")
