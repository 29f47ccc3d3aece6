"""Bits a dimension: the variational bound with its parts, the probability-flow ODE, rate and distortion.

All of it sees a `Denoise` (x, log-SNR -> x0 and eps) and levels, so it works for any model: docs/likelihood.md.

    bounds = [variational_bound(denoise, schedule.grid(schedule.length), x0, noise) for x0 in batches]
    summary = summarise(bounds)         # total, terminal, steps, decoder, each with its standard error
    curve = rate_distortion(bounds)     # progressive decoding, no further evaluations
    flow = flow_likelihood(denoise, ends(schedule), x0, noise)      # flow.bits, one value an image
"""

from unclip.diffusion.likelihood.bits import Estimate, dequantised, quantisation_bits
from unclip.diffusion.likelihood.bound import Bound, BoundSettings, BoundSummary, summarise, variational_bound
from unclip.diffusion.likelihood.continuous import continuous_bound
from unclip.diffusion.likelihood.decoder import DiscretisedGaussian, GaussianDensity, PixelLikelihood
from unclip.diffusion.likelihood.flow import FlowBits, FlowSettings, flow_bits, flow_likelihood
from unclip.diffusion.likelihood.logistic import DiscretisedLogistic
from unclip.diffusion.likelihood.ode import RK4, RK45, HeunSolver, Solver
from unclip.diffusion.likelihood.rate_distortion import RateDistortion, rate_distortion
from unclip.diffusion.likelihood.trace import ExactTrace, GaussianProbes, Rademacher, Trace

__all__ = [
    "Bound",
    "BoundSettings",
    "BoundSummary",
    "variational_bound",
    "continuous_bound",
    "summarise",
    "FlowBits",
    "FlowSettings",
    "flow_bits",
    "flow_likelihood",
    "RateDistortion",
    "rate_distortion",
    "Estimate",
    "dequantised",
    "quantisation_bits",
    "PixelLikelihood",
    "DiscretisedGaussian",
    "DiscretisedLogistic",
    "GaussianDensity",
    "Solver",
    "HeunSolver",
    "RK4",
    "RK45",
    "Trace",
    "Rademacher",
    "GaussianProbes",
    "ExactTrace",
]
