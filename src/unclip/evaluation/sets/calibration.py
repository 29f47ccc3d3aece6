"""Does a prior sample as widely as the truth does? Two samples of one caption, beside a sample and the true embedding.

If the true embedding z of a caption c is one more draw from the prior's p(z | c), then for two samples z', z''

    E z' . z''  =  |E[z | c]|^2  =  E z' . z

so in a calibrated prior the repeat, the mean cosine of two samples, equals the cosine to the truth. A repeat above it:
samples are more alike than the truth is to them, the prior is surer than it may be (one answer by heart: repeat 1). A
repeat below it: it is less sure than it could be. Equality is necessary, not sufficient: it is a mean over captions,
and a prior whose samples lie in the wrong place has a repeat above its cosine, too.
"""

from collections.abc import Sequence
from typing import Any

from unclip.core.noise import Noise
from unclip.core.typing import PerSample
from unclip.evaluation.alignment import standard_error
from unclip.evaluation.sets.beside import stated
from unclip.evaluation.sets.estimate import Estimate
from unclip.evaluation.sets.paired import paired_difference

UNDER, WITHIN, OVER = "under-dispersed", "calibrated within error", "over-dispersed"
UNKNOWN = "cannot be known: all captions are the same"


def calibration(cosine: PerSample, repeat: PerSample, captions: Sequence[str], seed: int) -> dict[str, Any]:
    """{"repeat": its mean and error, "repeat_less_cosine": the difference with its error over captions and z,
    "calibration": `verdict`}.

    cosine, repeat: of a sample and the true embedding, and of this sample and another one, for each caption.
    """
    found: dict[str, Any] = {"repeat": {"mean": repeat.mean().item(), "error": standard_error(repeat)}}
    if len(set(captions)) < 2:
        return {**found, "calibration": UNKNOWN}
    difference = paired_difference(repeat, cosine, captions, Noise.shared(seed, "calibration"))
    return {**found, "repeat_less_cosine": stated(difference), "calibration": verdict(difference)}


def verdict(difference: Estimate) -> str:
    """Of repeat less cosine: under-dispersed where it is clearly above 0, over-dispersed where it is clearly below."""
    if not stated(difference)["clear"]:
        return WITHIN
    return UNDER if difference.value > 0 else OVER
