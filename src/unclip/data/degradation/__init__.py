"""What low-resolution images may have suffered, for training upsamplers that bear it. One file an idea.

`Clean`, `GaussianBlur` (unCLIP's first upsampler), `BSR` (its second one). Formulas: docs/upsamplers.md.
"""

from unclip.data.degradation.base import Clean, Degradation, Degraded
from unclip.data.degradation.blur import GaussianBlur
from unclip.data.degradation.bsr import BSR

__all__ = ["Degradation", "Degraded", "Clean", "GaussianBlur", "BSR"]
