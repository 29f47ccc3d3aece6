"""What an `UnCLIPScheduler` means: the process, and the steps that the pipeline takes.

Its variance is DDPM's between the times that it visits, fixed or learned, and it visits both ends of the table.
"""

from dataclasses import replace
from pathlib import Path

from unclip.core.config.ranges import quote
from unclip.core.config.tables import read_json
from unclip.diffusion.grids import BothEnds
from unclip.diffusion.guidance import ClassifierFree, Guidance, Unguided
from unclip.diffusion.process import DiffusionConfig, Sampling
from unclip.interop.ddpm.scheduler import from_scheduler
from unclip.interop.parts import SCHEDULER_CONFIG

DEFAULTS = {"variance_type": "fixed_small_log", "beta_schedule": "squaredcos_cap_v2"}
"""Of `UnCLIPScheduler`, where its config says nothing, and other than DDPM's."""


def read(folder: Path, steps: int, scale: float) -> tuple[DiffusionConfig, Sampling]:
    """The process of a scheduler's folder. steps, scale: as many steps and as much guidance as the pipeline takes.

    Raises ValueError that names the file and the setting that has no counterpart here.
    """
    path = folder / SCHEDULER_CONFIG
    table = {**DEFAULTS, **read_json(path, "the settings of a scheduler of diffusers")}
    if table.get("_class_name", "UnCLIPScheduler") != "UnCLIPScheduler":
        raise ValueError(f"{path}: a {quote(table['_class_name'])}, and Karlo's is an UnCLIPScheduler")
    process, how = from_scheduler(table, str(path))
    guidance: Guidance = Unguided() if scale == 1 else ClassifierFree(scale, limit=process.limit)
    return process, replace(how, steps=min(steps, process.schedule.length), guidance=guidance, grid=BothEnds())
