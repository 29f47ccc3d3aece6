"""Names that a person types: a form of guidance and a scale, and back.

A guidance of your own is known by its class, and by the `name` that it declares (`core.config.families`).
"""

import math
from collections.abc import Callable, Mapping
from types import MappingProxyType

from unclip.core.config import families
from unclip.core.config.base import stored
from unclip.diffusion.guidance.as_input import GuidanceInput
from unclip.diffusion.guidance.autoguidance import Autoguidance
from unclip.diffusion.guidance.base import Guidance
from unclip.diffusion.guidance.classifier_free import ClassifierFree
from unclip.diffusion.guidance.interval import LimitedInterval
from unclip.diffusion.guidance.projected import APG
from unclip.diffusion.guidance.rescale import Rescale
from unclip.diffusion.guidance.threshold import DynamicThreshold, StaticThreshold
from unclip.diffusion.guidance.zero_star import ZeroStar


def _within(guidance: Guidance, limit: float | None) -> Guidance:
    return guidance if limit is None else StaticThreshold(guidance, limit)


def _dynamic(scale: float, limit: float | None) -> Guidance:
    if limit is None:
        raise ValueError("guidance form 'dynamic' is for data in a known range, such as images; use 'cfg' here")
    return DynamicThreshold(ClassifierFree(scale), limit=limit)


FORMS: Mapping[str, Callable[[float, float | None], Guidance]] = MappingProxyType(
    {
        "cfg": ClassifierFree,
        "interval": lambda scale, limit: _within(LimitedInterval(ClassifierFree(scale)), limit),
        "zero-star": lambda scale, limit: _within(ZeroStar(scale), limit),
        "rescale": lambda scale, limit: _within(Rescale(ClassifierFree(scale)), limit),
        "apg": lambda scale, limit: _within(APG(scale), limit),
        "dynamic": _dynamic,
        "auto": lambda scale, limit: _within(Autoguidance(scale), limit),
        "input": lambda scale, limit: _within(GuidanceInput(scale), limit),
        "jump": lambda scale, limit: _within(GuidanceInput(scale, jump=True), limit),
    }
)
"""Name -> guidance from a scale and the range of the data."""


def by_name(form: str, scale: float, limit: float | None = None) -> Guidance:
    """The guidance of this name, all but the scale at its default.

    limit: clean data live in [-limit, limit] (None: anywhere, as embeddings do).
    Raises ValueError for an unknown form, a scale below 0, or dynamic thresholding of data without a limit.
    """
    if form not in FORMS:
        if (cls := families.own_named(Guidance, form)) is None:
            known = ", ".join([*FORMS, *families.own(Guidance)])
            raise ValueError(f"guidance form {form!r}: known are {known}; {families.PLUGIN}")
        return families.make_member(cls, f"guidance form {form!r}", **({"scale": scale} if takes_scale(form) else {}))
    families.check_free("guidance form", families.own(Guidance), FORMS, form)
    if scale < 0 or not math.isfinite(scale):
        raise ValueError(f"guidance = {scale}: how strongly to guide, 0 or more; 1 is the condition alone")
    return FORMS[form](scale, limit)


def takes_scale(form: str) -> bool:
    """Whether a form is one of a scale; those of your own that have no field `scale` are none."""
    cls = families.own_named(Guidance, form)
    return cls is None or "scale" in stored(cls)


def name_of(guidance: Guidance) -> tuple[str, float] | None:
    """The form and the scale that `by_name` makes this guidance of; None where it has no name.

    The scale of a form that takes none is 1.
    """
    own = families.name_of_class(type(guidance))
    if own in families.own(Guidance):
        scale = getattr(guidance, "scale", 1.0)
        return (own, scale) if _makes(own, scale, guidance) else None
    inner, limit = guidance, getattr(guidance, "limit", None)
    while not hasattr(inner, "scale") and isinstance(of := getattr(inner, "of", None), Guidance):
        inner = of
    scale = getattr(inner, "scale", None)
    if scale is None:
        return None
    named = (form for form in FORMS if not (form == "dynamic" and limit is None))
    return next(((form, scale) for form in named if FORMS[form](scale, limit) == guidance), None)


def _makes(form: str, scale: float, guidance: Guidance) -> bool:
    try:
        return by_name(form, scale) == guidance
    except ValueError:
        return False
