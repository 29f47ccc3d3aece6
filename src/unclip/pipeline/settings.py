"""What a person may change at generation, by name: samplers, grids, steps, guidance."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TypeVar

from unclip.core.config import Config
from unclip.diffusion.grids import Grid, KarrasSteps, QuadraticTime, UniformLogSNR, UniformTime
from unclip.diffusion.guidance import ClassifierFree, Guidance
from unclip.diffusion.process import Sampling
from unclip.diffusion.samplers import DDIM, Ancestral, DPMSolverPP2M, Sampler

T = TypeVar("T")

SAMPLERS: dict[str, Sampler] = {
    "ancestral": DDIM(eta=1.0),
    "dpm++2m-sde": DPMSolverPP2M(eta=1.0),
    "dpm++2m": DPMSolverPP2M(),
    "ddim": DDIM(),
    "ddpm": Ancestral(),
}
"""Names that a person types. `ancestral`: variance beta-tilde, any steps; `ddpm`: variance beta, wants T = 1000."""

GRIDS: dict[str, Grid] = {
    "uniform": UniformTime(),
    "quadratic": QuadraticTime(),
    "log-snr": UniformLogSNR(),
    "karras": KarrasSteps(),
}
"""Where the steps lie; without a name: as the model was stored."""


GUIDANCES: dict[str, Callable[[float], Guidance]] = {"cfg": lambda scale: ClassifierFree(scale, limit=1.0)}
"""Forms of guidance, each from a scale."""


@dataclass(frozen=True)
class Settings(Config):
    """What a person may change at generation; None: as the model was stored. form: of guidance; "cfg" is meant where a
    scale alone is given."""

    steps: int | None = None
    guidance: float | None = None
    sampler: str | None = None
    grid: str | None = None
    form: str | None = None

    def apply(self, how: Sampling) -> Sampling:
        """A stored sampling with these changes. Raises ValueError for an unknown name or bad numbers."""
        if self.steps is not None:
            if self.steps < 1:
                raise ValueError(f"steps = {self.steps}: sampling needs at least 1 step")
            how = replace(how, steps=self.steps)
        if self.guidance is not None or self.form is not None:
            scale = getattr(how.guidance, "scale", 1.0) if self.guidance is None else self.guidance
            how = replace(how, guidance=named(GUIDANCES, "guidance form", self.form or "cfg")(scale))
        if self.sampler is not None:
            how = replace(how, sampler=named(SAMPLERS, "sampler", self.sampler))
        if self.grid is not None:
            how = replace(how, grid=named(GRIDS, "grid", self.grid))
        return how


def named(table: Mapping[str, T], what: str, name: str) -> T:
    """The entry of a table. Raises ValueError that lists the names."""
    if name not in table:
        raise ValueError(f"{what} = {name!r}: known are {', '.join(table)}")
    return table[name]
