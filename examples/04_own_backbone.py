"""A backbone of your own: a small class and its settings, trained and drawn with like those that are there.

python examples/04_own_backbone.py
"""

from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import nn

import unclip
from unclip import Condition, RunConfig, save_picture, tile
from unclip.data import World
from unclip.nn import Count, CountOrNone, ImageNetworkConfig, Images, LevelEmbedding, PerSample
from unclip.recipes import DDPMRecipe


@dataclass(frozen=True)
class MixerConfig(ImageNetworkConfig):
    """The settings: every number says which values it may take, and `multiple` which sides the network takes."""

    channels: Count = 3
    patch: Count = 4
    width: Count = 64
    blocks: Count = 4
    vector_width: CountOrNone = 0
    token_width: CountOrNone = 0
    image_channels: CountOrNone = 0
    learned_variance: bool = False

    @property
    def multiple(self) -> int:
        """Sides that are multiples of a patch."""
        return self.patch

    def build(self) -> "Mixer":
        """The network with first weights."""
        return Mixer(self)


class Mixer(nn.Module):
    """F(x, log-SNR, condition): patches, mixed across by large depthwise convolutions and within by small networks."""

    def __init__(self, config: MixerConfig) -> None:
        super().__init__()
        self.config = config
        values, width = config.channels * config.patch**2, config.width
        self.enter = nn.Sequential(nn.PixelUnshuffle(config.patch), nn.Conv2d(values, width, 1))
        self.level = LevelEmbedding(width)
        self.across = nn.ModuleList(nn.Conv2d(width, width, 7, padding=3, groups=width) for _ in range(config.blocks))
        self.within = nn.ModuleList(
            nn.Sequential(
                nn.GroupNorm(1, width), nn.Conv2d(width, 2 * width, 1), nn.GELU(), nn.Conv2d(2 * width, width, 1)
            )
            for _ in range(config.blocks)
        )
        self.leave = nn.Sequential(nn.GroupNorm(1, width), nn.Conv2d(width, values, 1), nn.PixelShuffle(config.patch))

    def forward(self, x: Images, log_snr: PerSample, cond: Condition) -> torch.Tensor:
        """x: noisy images [b, c, h, w]; log_snr: their levels [b]; cond: nothing, in a DDPM without classes."""
        h = self.enter(x) + self.level(log_snr)[:, :, None, None]
        for across, within in zip(self.across, self.within, strict=True):
            h = h + across(h)
            h = h + within(h)
        return self.leave(h)


recipe = DDPMRecipe(network=MixerConfig())
recipe = replace(recipe, train=replace(recipe.train, steps=150), sampling=replace(recipe.sampling, steps=16))
config = RunConfig(model="ddpm", size=32, recipes={"ddpm": recipe})
run = unclip.train(World(32, scenes=500), Path("runs/mixer"), config=config)
text = (run / "run.toml").read_text(encoding="utf-8")
print("run.toml says:", next(line for line in text.splitlines() if "Mixer" in line))
pictures = unclip.load(run).generate(n=16)
save_picture(tile([picture.resize((96, 96)) for picture in pictures]), run / "drawn.png")
print(f"drew {run / 'drawn.png'}")
