"""Loss weights, stated once in eps space: loss = w(l) |eps - eps_hat|^2.

`at_levels`: the weight of an error at the levels that training draws. `per_log_snr`: the weight of a unit of log-SNR,
so that the loss does not depend on how often a schedule draws a level. Formulas: docs/losses.md.
"""

from unclip.diffusion.weighting.at_levels import P2, EDMWeight, MinSNR, PlainX0, Simple
from unclip.diffusion.weighting.base import Weighting
from unclip.diffusion.weighting.per_log_snr import SigmoidWeight, VariationalBound

__all__ = ["Weighting", "Simple", "PlainX0", "MinSNR", "P2", "EDMWeight", "SigmoidWeight", "VariationalBound"]
