"""Samplers: generators that walk a grid of log-SNR from noise to image and yield every step. One file an idea."""

from unclip.diffusion.samplers.adams import DEIS, IPNDM, LMS
from unclip.diffusion.samplers.analytic import AnalyticDPM, mean_square_eps
from unclip.diffusion.samplers.ancestral import Ancestral
from unclip.diffusion.samplers.anchored import Anchored
from unclip.diffusion.samplers.base import Sampler, Step, Walk
from unclip.diffusion.samplers.consistency import Consistency
from unclip.diffusion.samplers.ddim import DDIM, step
from unclip.diffusion.samplers.dpm_solver import DPMSolverPP2M, DPMSolverPP2S, DPMSolverPP3M
from unclip.diffusion.samplers.edm import Euler, Heun
from unclip.diffusion.samplers.inversion import DDIMInversion
from unclip.diffusion.samplers.named import NAMES, name_of, named
from unclip.diffusion.samplers.repaint import RePaint
from unclip.diffusion.samplers.unipc import UniPC

__all__ = [
    "Sampler",
    "Step",
    "Walk",
    "step",
    "Ancestral",
    "AnalyticDPM",
    "Consistency",
    "mean_square_eps",
    "DDIM",
    "DDIMInversion",
    "Euler",
    "Heun",
    "DPMSolverPP2M",
    "DPMSolverPP3M",
    "DPMSolverPP2S",
    "UniPC",
    "LMS",
    "DEIS",
    "IPNDM",
    "RePaint",
    "Anchored",
    "NAMES",
    "named",
    "name_of",
]
