"""What a scheduler beside Stable Diffusion means: the process, and the steps that DDIM takes through it.

The pipeline has it that codes are not clamped and that the last step stands at entry 1, whatever the file says.
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from unclip.core.config.ranges import quote
from unclip.core.config.tables import read_json
from unclip.diffusion.grids import BothEnds, Grid, Leading, ToFirstEntry, UniformTime
from unclip.diffusion.guidance import ClassifierFree
from unclip.diffusion.parameterization import X0, Eps, Parameterization, V
from unclip.diffusion.process import DiffusionConfig, Sampling
from unclip.diffusion.samplers import DDIM
from unclip.diffusion.weighting import EDMWeight, PlainX0, Simple, Weighting
from unclip.interop.ddpm.scheduler import from_scheduler
from unclip.interop.parts import SCHEDULER_CONFIG

SCHEDULER = "scheduler"
STEPS, SCALE = 50, 7.5
"""What the pipeline takes."""
TO_CLEAN = {"PNDMScheduler": False}
"""Whether the last step goes to no noise at all, where the config does not say."""
KNOWN = tuple(
    f"{name}Scheduler"
    for name in (
        "DDIM", "PNDM", "DDPM", "LMSDiscrete", "EulerDiscrete", "EulerAncestralDiscrete", "HeunDiscrete",
        "KDPM2Discrete", "KDPM2AncestralDiscrete", "DPMSolverMultistep", "DPMSolverSinglestep", "DEISMultistep",
        "UniPCMultistep",
    )
)  # fmt: skip
"""Those that walk a table of betas; which of their methods is taken is a matter of drawing, not of the model."""
OF_ERROR: dict[type[Parameterization], Weighting] = {Eps: Simple(), V: EDMWeight(1.0), X0: PlainX0()}
"""What weighs a plain error of each, as diffusers trains it, in eps space."""


def read(folder: Path) -> tuple[DiffusionConfig, Sampling]:
    """The process of the scheduler's folder, and how DDIM draws with it.

    Raises ValueError that names the file and the setting that has no counterpart here.
    """
    path = folder / SCHEDULER / SCHEDULER_CONFIG
    table = read_json(path, "the settings of a scheduler of diffusers")
    kind = table.get("_class_name", KNOWN[0])
    if kind not in KNOWN:
        raise ValueError(f"{path}: a {quote(kind)}, which is no table of betas; known are {', '.join(KNOWN)}")
    process = read_table(table, path)
    clean = table.get("set_alpha_to_one", TO_CLEAN.get(kind, True))
    steps = min(STEPS, process.schedule.length - 1)
    grid = _grid(table.get("timestep_spacing", "leading"), clean, path)
    return process, Sampling(steps, DDIM(), ClassifierFree(SCALE), grid=grid)


def read_table(table: Mapping[str, Any], path: Path) -> DiffusionConfig:
    """The process that a scheduler's settings mean, trained as diffusers does. Raises ValueError as `read` does."""
    process, _ = from_scheduler({**table, "clip_sample": False, "variance_type": "fixed_small"}, str(path))
    return replace(process, weighting=OF_ERROR[type(process.parameterization)])


def _grid(spacing: object, clean: bool, path: Path) -> Grid:
    if spacing == "linspace":
        return BothEnds()
    grids: dict[object, Grid] = {"leading": Leading(), "trailing": UniformTime()}
    if spacing not in grids:
        raise ValueError(f"{path}: timestep_spacing = {quote(spacing)}: known are leading, trailing, linspace")
    return grids[spacing] if clean else ToFirstEntry(grids[spacing])
