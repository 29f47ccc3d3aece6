"""Karlo's upsampler: two `UNet2DModel`s, of which the second takes the last step alone."""

from pathlib import Path
from typing import Any

import torch

from unclip.core.noise import initial_weights
from unclip.interop import weights
from unclip.interop.ddpm.read import DEFAULTS, FIXED, to_network, to_weights
from unclip.interop.ddpm.scheduler import levels
from unclip.interop.karlo import steps
from unclip.interop.parts import CONFIG, check_fixed, settings, tensors
from unclip.models.upsampler import WHOLE, Upsampler, UpsamplerConfig, crop_side
from unclip.nn.backbones.experts import ExpertsConfig

FIRST, LAST, SCHEDULER = "super_res_first", "super_res_last", "super_res_scheduler"
STEPS = 7
"""What the pipeline takes, without guidance."""
OWN = ("_class_name", "_diffusers_version", "_name_or_path", "sample_size")
"""Settings in which the two may differ: what is drawn has the side that the first one says."""


def read(folder: Path, low: int) -> Upsampler:
    """The upsampler of the pipeline's folder. low: side of the decoder's images, px.

    Raises ValueError that names what does not fit.
    """
    table, path = settings(folder / FIRST, "UNet2DModel", DEFAULTS), folder / FIRST / CONFIG
    _check(folder, table, path, low)
    process, how = steps.read(folder / SCHEDULER, STEPS, 1.0)
    entries = levels(process.schedule)
    channels = table["out_channels"]
    one = to_network({**table, "in_channels": channels}, str(path), entries)
    network = one.changed(image_channels=channels, vector_width=1)
    size, border = table["sample_size"], float(entries[:2].mean())
    crop = crop_side(size, max(network.multiple, size // low))
    config = UpsamplerConfig(
        network=ExpertsConfig(network, border),
        diffusion=process,
        sampling=how,
        predicts="image",
        low=low,
        size=size,
        crop=crop,
    )
    with initial_weights("read", "upsampler"):
        upsampler = Upsampler(config)
    found = {"spread": torch.tensor(WHOLE)}
    for expert, part in (("noisy", FIRST), ("clean", LAST)):
        state, file = tensors(folder / part)
        own = to_weights(state, network, table, entries, file)
        own["embedding.vector.weight"] = torch.zeros(network.embedding, 1)  # they are not told how degraded it is
        found |= {f"diffusion.denoiser.network.{expert}.{name}": t for name, t in own.items()}
        weights.check_shapes(found, upsampler, file)
    upsampler.load_state_dict(found)
    return upsampler.eval().requires_grad_(False)


def _check(folder: Path, table: dict[str, Any], path: Path, low: int) -> None:
    check_fixed(table, FIXED, path)
    last = settings(folder / LAST, "UNet2DModel", DEFAULTS)
    for name in sorted({*table, *last} - {*OWN}):
        if table.get(name) != last.get(name):
            raise ValueError(
                f"{folder / LAST / CONFIG}: {name} = {last.get(name)}, and {FIRST} has {table.get(name)}: unclip's "
                "upsampler has two networks of one form"
            )
    if table["in_channels"] != 2 * table["out_channels"]:
        raise ValueError(
            f"{path}: in_channels, out_channels = {table['in_channels']}, {table['out_channels']}: a network that is "
            "shown the enlarged image has twice the channels in, and learns no variance"
        )
    if not isinstance(table.get("sample_size"), int) or table["sample_size"] % low or table["sample_size"] <= low:
        raise ValueError(
            f"{path}: sample_size = {table.get('sample_size')}: must be a multiple of the decoder's {low} px"
        )
