"""What a person may change at generation: samplers, grids, steps, guidance, by name or as objects."""

from dataclasses import dataclass, replace
from typing import Any

from unclip.core.config.base import Config
from unclip.core.config.ranges import Side, Signed, Steps, Weight, quote
from unclip.diffusion import grids, samplers
from unclip.diffusion import guidance as guidances
from unclip.diffusion.grids import Grid
from unclip.diffusion.guidance import (
    ClassifierGuidance,
    CLIPGuidance,
    Guidance,
    NegativePrompt,
    StaticThreshold,
    Unguided,
)
from unclip.diffusion.process import Sampling
from unclip.diffusion.samplers import Sampler

RANGE = 1.0
"""Clean images live in [-RANGE, RANGE]."""


@dataclass(frozen=True)
class Settings(Config):
    """What a person may change at generation; None: as the model was stored.

    sampler, grid: by name, or one of your own: `Settings(sampler=Midpoint(), grid=KarrasSteps(rho=5.0))`.
    guidance: its scale, or the guidance itself; form: which guidance takes the scale (`guidance.FORMS`); classifier,
    clip: scale of classifier or CLIP guidance on top of it. size: side of the images, px, of those that the model's
    stages draw (None: the largest). negative: a prompt that guidance leads away from, in the place of none; None or
    "": none. temperature: of the noise that a VAE, a GAN or a flow draws from. Raises ValueError for what is neither
    a name nor such an object.
    """

    steps: Steps | None = None
    guidance: Signed | Guidance | None = None
    form: str | None = None
    sampler: str | Sampler | None = None
    grid: str | Grid | None = None
    classifier: Weight | None = None
    clip: Weight | None = None
    size: Side | None = None
    negative: str | None = None
    temperature: Weight | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.negative, str | None):
            raise ValueError(f"negative = {quote(self.negative)}: expected a text, as a prompt is")
        object.__setattr__(self, "negative", (self.negative or "").strip() or None)
        _check("sampler", self.sampler, str, Sampler)
        _check("grid", self.grid, str, Grid)
        if isinstance(self.guidance, Guidance) and self.form is not None:
            raise ValueError(
                f"form = {quote(self.form)}: a form goes with a scale, and guidance is a "
                f"{type(self.guidance).__name__}; leave one of them out"
            )

    def apply(self, how: Sampling, limit: float | None = RANGE) -> Sampling:
        """A stored sampling with these changes; what it samples lives in [-limit, limit] when clean (None: anywhere).

        Raises ValueError for an unknown name or bad numbers.
        """
        if self.temperature is not None:
            raise ValueError(
                f"temperature = {self.temperature}: is of a VAE, a GAN or a flow; a diffusion is led by its guidance, "
                "leave the temperature out"
            )
        if self.steps is not None:
            how = replace(how, steps=self.steps)
        if self.guidance is not None or self.form is not None:
            how = replace(how, guidance=self._guidance(how.guidance, limit))
        if self.sampler is not None:
            how = replace(how, sampler=samplers.named(self.sampler) if isinstance(self.sampler, str) else self.sampler)
        if self.grid is not None:
            how = replace(how, grid=grids.named(self.grid) if isinstance(self.grid, str) else self.grid)
        if self.classifier is not None:
            how = replace(how, guidance=ClassifierGuidance(self.classifier, of=how.guidance))
        if self.clip is not None:
            how = replace(how, guidance=StaticThreshold(CLIPGuidance(self.clip, of=how.guidance), RANGE))
        if self.negative is not None:
            how = replace(how, guidance=NegativePrompt(how.guidance, self.negative))
        return how

    def _guidance(self, now: Guidance, limit: float | None) -> Guidance:
        if isinstance(self.guidance, Guidance):
            return self.guidance
        form, scale = guidances.name_of(now) or ("cfg", 1.0)
        form, scale = self.form or form, scale if self.guidance is None else self.guidance
        if self.guidance is not None and not guidances.takes_scale(form):
            raise ValueError(f"guidance = {self.guidance}: {form} has no scale; leave it out")
        return guidances.by_name(form, scale, limit)


def noted(guidance: float | Guidance) -> float | dict[str, Any]:
    """A guidance as an image notes it: its scale, 1 for none, or all of one that has no name on a command line."""
    if not isinstance(guidance, Guidance):
        return guidance
    named = ("cfg", 1.0) if isinstance(guidance, Unguided) else guidances.name_of(guidance)
    return named[1] if named and named[0] == "cfg" else guidance.to_dict()


def _check(name: str, value: object, *kinds: type) -> None:
    if value is None or isinstance(value, kinds):
        return
    family = kinds[-1].__name__
    if isinstance(value, type) and issubclass(value, kinds):
        raise ValueError(f"{name} = {value.__name__}: this is the class; give an object of it, {value.__name__}()")
    raise ValueError(f"{name} = {quote(value)}: expected a name, or an object of a class that inherits {family}")
