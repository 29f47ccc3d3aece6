"""Backbones: networks F(x, log-SNR, condition) for images, each built by its settings, one file each.

All of them are imported here, so that a settings file may name any by its `kind`, whoever was imported before.
"""

from unclip.nn.backbones.config import ImageNetworkConfig
from unclip.nn.backbones.diffusion_unet import DiffusionUNet, DiffusionUNetConfig
from unclip.nn.backbones.dit import DiT, DiTConfig
from unclip.nn.backbones.experts import Experts, ExpertsConfig
from unclip.nn.backbones.unet import UNet, UNetConfig

__all__ = [
    "ImageNetworkConfig",
    "UNet",
    "UNetConfig",
    "DiffusionUNet",
    "DiffusionUNetConfig",
    "DiT",
    "DiTConfig",
    "Experts",
    "ExpertsConfig",
]
