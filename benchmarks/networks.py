"""Parameters and FLOP of one forward pass of each network of images, as a Markdown table.

    python benchmarks/networks.py [--size 32]

Nothing is computed: torch counts the operations on the `meta` device. A multiplication with its addition counts as two,
so the figures are twice those of papers that count multiply-adds (ADM, DiT).
"""

import argparse
from dataclasses import replace

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from unclip.core.condition import Condition
from unclip.nn.backbones.diffusion_unet import DiffusionUNet, adm_imagenet64, ddpm_cifar10
from unclip.nn.backbones.dit import DiT, dit_config
from unclip.nn.backbones.unet import UNet, UNetConfig

PIXELS = {"channels": 3, "vector_width": 1000}
NETWORKS = {
    "`UNet`, defaults": lambda: UNet(UNetConfig()),
    "`DiffusionUNet`, `ddpm_cifar10()`": lambda: DiffusionUNet(ddpm_cifar10()),
    "`DiffusionUNet`, `adm_imagenet64()`": lambda: DiffusionUNet(adm_imagenet64()),
    '`DiT`, `dit_config("S", patch=4)`': lambda: DiT(replace(dit_config("S", 4), **PIXELS)),
    '`DiT`, `dit_config("S")`': lambda: DiT(replace(dit_config("S"), **PIXELS)),
    '`DiT`, `dit_config("B")`': lambda: DiT(replace(dit_config("B"), **PIXELS)),
    '`DiT`, `dit_config("L")`': lambda: DiT(replace(dit_config("L"), **PIXELS)),
    '`DiT`, `dit_config("XL")`': lambda: DiT(replace(dit_config("XL"), **PIXELS)),
}


def flop(net: nn.Module, size: int) -> int:
    """Of one image, without caption tokens."""
    cond = Condition(vector=torch.zeros(1, 1000))
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        net(torch.zeros(1, 3, size, size), torch.zeros(1), cond)
    return counter.get_total_flops()


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--size", type=int, default=32)
    size = parser.parse_args().size
    print(f"| network | parameters, M | GFLOP at {size} x {size} |\n|---|---|---|")
    with torch.device("meta"):
        for name, make in NETWORKS.items():
            net = make().eval()
            count = sum(p.numel() for p in net.parameters())
            print(f"| {name} | {count / 1e6:.1f} | {flop(net, size) / 1e9:.2f} |")


if __name__ == "__main__":
    main()
