"""A diffusion model of points in the plane, from the first noising step to samples, in thirty lines and half a minute.

python examples/01_two_moons.py
"""

import numpy as np
import torch
from PIL import Image

from unclip import Condition, Diffusion, DiffusionConfig, Noise, Sampling
from unclip.data import two_moons
from unclip.diffusion import DDIM, Cosine, Simple, V
from unclip.nn import MLP

data = two_moons(2000, Noise.shared(0, "data"))
torch.manual_seed(0)
diffusion = Diffusion(MLP(2), DiffusionConfig(Cosine(), V(), Simple()))
optimizer = torch.optim.AdamW(diffusion.parameters(), lr=3e-3)
for step in range(1, 1001):
    noise = Noise.shared(0, "training", step)  # every random number of a step follows from its key
    batch = data[noise.integers(len(data), (256,))]
    loss = diffusion.loss(batch, Condition(), noise).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 250 == 0:
        print(f"step {step:,}: loss {loss.item():.3f}")

how = Sampling(steps=50, sampler=DDIM())
with torch.no_grad():
    *_, last = diffusion.sample((500, 2), Condition(), Condition(), Noise.per_sample(range(500)), how)
distance = torch.cdist(last.x, data).min(dim=1).values
print(f"500 samples; their mean distance to the nearest of 2,000 points is {distance.mean().item():.3f}")

points = last.x.numpy()
cells, *_ = np.histogram2d(-points[:, 1], points[:, 0], bins=(80, 120), range=((-2, 2), (-3, 3)))
Image.fromarray(np.where(cells > 0, 0, 255).astype(np.uint8)).resize((480, 320)).save("two_moons.png")
print("drew two_moons.png")
