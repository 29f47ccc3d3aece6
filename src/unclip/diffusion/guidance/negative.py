"""A negative prompt: the branch that guidance leads away from is another caption in the place of none.

    x0 = x0_neg + scale (x0_cond - x0_neg)

Any guidance of two branches can have one: only the condition of its second branch is another.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from unclip.core.condition import Condition
from unclip.core.config.base import runtime
from unclip.core.config.ranges import quote
from unclip.diffusion.denoiser import ConditionalDenoise
from unclip.diffusion.guidance.base import Guidance, Guide
from unclip.diffusion.guidance.classifier_free import ClassifierFree


@dataclass(frozen=True)
class NegativePrompt(Guidance):
    """Leads away from a prompt in the place of none: the null condition of another guidance becomes this prompt's.

    What a condition says of an image (the known part of it) stays the null's.

    Args:
        of: the guidance of two branches, null and conditional.
        prompt: what to lead away from.
        negative: from the prompt to its condition, a row for each sample. It is not a setting and is not stored: a
            finished model gives it, or you in code, or by `using`.

    Raises:
        ValueError: where `of` has no null branch that the prompt could be.
    """

    of: Guidance = field(default_factory=ClassifierFree)
    prompt: str = ""
    negative: Callable[[str], Condition] | None = runtime()

    def __post_init__(self) -> None:
        if not self.of.sees_null:
            raise ValueError(
                f"negative = {quote(self.prompt)}: {self.of} has no branch without the prompt that could lead away "
                "from it; take a scale other than 1 and a form of two branches: --guidance 2 --guidance-form cfg"
            )

    def guide(self, denoiser: ConditionalDenoise, cond: Condition, null: Condition) -> Guide:
        """As for every `Guidance`. Raises ValueError where nothing reads the prompt."""
        if self.negative is None:
            raise ValueError(
                f"negative = {quote(self.prompt)}: only `generate`, `edit` and `extend` lead away from a "
                "prompt; leave it out here, or in code give what reads it: guidance.using(negative=...)"
            )
        return self.of.guide(denoiser, cond, replace(self.negative(self.prompt), image=null.image))
