"""What a person may change at generation, by name: samplers, grids, steps, guidance."""

from dataclasses import dataclass, replace

from unclip.core.config.base import Config
from unclip.core.config.ranges import Side, Signed, Steps, Weight
from unclip.diffusion import grids, samplers
from unclip.diffusion import guidance as guidances
from unclip.diffusion.guidance import ClassifierGuidance, CLIPGuidance, Guidance, StaticThreshold
from unclip.diffusion.process import Sampling

RANGE = 1.0
"""Clean pictures live in [-RANGE, RANGE]."""


@dataclass(frozen=True)
class Settings(Config):
    """What a person may change at generation; None: as the model was stored.

    guidance: its scale; form: which guidance takes it (`guidance.FORMS`); classifier, clip: scale of classifier or CLIP
    guidance on top of it; size: side of the pictures, px, of those that the model's stages draw (None: the largest).
    """

    steps: Steps | None = None
    guidance: Signed | None = None
    form: str | None = None
    sampler: str | None = None
    grid: str | None = None
    classifier: Weight | None = None
    clip: Weight | None = None
    size: Side | None = None

    def apply(self, how: Sampling, limit: float | None = RANGE) -> Sampling:
        """A stored sampling with these changes; what it samples lives in [-limit, limit] when clean (None: anywhere).

        Raises ValueError for an unknown name or bad numbers.
        """
        if self.steps is not None:
            how = replace(how, steps=self.steps)
        if self.guidance is not None or self.form is not None:
            how = replace(how, guidance=self._guidance(how.guidance, limit))
        if self.sampler is not None:
            how = replace(how, sampler=samplers.named(self.sampler))
        if self.grid is not None:
            how = replace(how, grid=grids.named(self.grid))
        if self.classifier is not None:
            how = replace(how, guidance=ClassifierGuidance(self.classifier, of=how.guidance))
        if self.clip is not None:
            how = replace(how, guidance=StaticThreshold(CLIPGuidance(self.clip, of=how.guidance), RANGE))
        return how

    def _guidance(self, now: Guidance, limit: float | None) -> Guidance:
        form, scale = guidances.name_of(now) or ("cfg", 1.0)
        scale = scale if self.guidance is None else self.guidance
        return guidances.by_name(self.form or form, scale, limit)
