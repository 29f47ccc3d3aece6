"""The folder of a `DDPMPipeline`: model_index.json, unet/, scheduler/."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from unclip.generation.classed import listed
from unclip.generation.ddpm import DDPMPipeline
from unclip.interop import weights
from unclip.interop.ddpm import network, scheduler
from unclip.interop.pipelines import INDEX

WRITTEN_FOR = "0.42.1"
"""The version of diffusers that the folders were tried with."""
UNET, SCHEDULER = Path("unet"), Path("scheduler")
WEIGHTS = "diffusion_pytorch_model.safetensors"


def known(model: DDPMPipeline) -> bool:
    """Whether diffusers has classes for its network and its process."""
    config = model.model.config
    try:
        network.checked(config.network)
        scheduler.to_scheduler(config.diffusion, config.sampling)
    except ValueError:
        return False
    return True


def write(model: DDPMPipeline, folder: Path, label: str = "") -> None:
    """Writes a DDPM as diffusers loads it. label: the class that the folder shall draw; "": the model has none.

    Raises ValueError, before anything is written, where diffusers has no such network or process, or the class is
    unknown.
    """
    config = model.model.config
    unet = network.checked(config.network)
    steps = scheduler.to_scheduler(config.diffusion, config.sampling)
    number = _class(model, label)
    settings = network.settings(unet, config.size, scheduler.levels(config.diffusion.schedule))
    weights.write(network.weights(model.model, number), folder / UNET / WEIGHTS)
    _write(settings, folder / UNET / "config.json")
    _write(steps, folder / SCHEDULER / "scheduler_config.json")
    parts = {"unet": ["diffusers", "UNet2DModel"], "scheduler": ["diffusers", "DDPMScheduler"]}
    _write({"_class_name": "DDPMPipeline", **parts}, folder / INDEX)


def _class(model: DDPMPipeline, label: str) -> int | None:
    if not model.classes:
        if label:
            raise ValueError(f"class {label!r}: this model knows none; leave it out")
        return None
    if not label:
        raise ValueError(
            f"a DDPMPipeline has no classes, and this model knows {len(model.classes)} of them: "
            f"{listed(model.classes)}; say which one the folder shall draw, as --class NAME"
        )
    return int(model.labels([label])[0])


def _write(table: Mapping[str, Any], path: Path) -> None:
    weights.write_settings({**table, "_diffusers_version": WRITTEN_FOR}, path)
