"""Names of samplers that a person types. `AnalyticDPM` and `RePaint` have none: they need figures or an image.

A sampler of your own is known by its class, and by the `name` that it declares (`core.config.families`).
"""

from unclip.core.config import families
from unclip.diffusion.samplers.adams import DEIS, IPNDM, LMS
from unclip.diffusion.samplers.ancestral import Ancestral
from unclip.diffusion.samplers.base import Sampler
from unclip.diffusion.samplers.consistency import Consistency
from unclip.diffusion.samplers.ddim import DDIM
from unclip.diffusion.samplers.dpm_solver import DPMSolverPP2M, DPMSolverPP2S, DPMSolverPP3M
from unclip.diffusion.samplers.edm import Euler, Heun
from unclip.diffusion.samplers.unipc import UniPC

NAMES: dict[str, Sampler] = {
    "ddpm": Ancestral(),
    "ancestral": DDIM(eta=1.0),
    "ddpm-learned": Ancestral("learned"),
    "ddim": DDIM(),
    "euler": Euler(),
    "heun": Heun(),
    "heun-churn": Heun(s_churn=40.0, s_tmin=0.05, s_tmax=50.0, s_noise=1.003),
    "dpmpp-2m": DPMSolverPP2M(),
    "dpmpp-2m-sde": DPMSolverPP2M(eta=1.0),
    "dpmpp-3m": DPMSolverPP3M(),
    "dpmpp-3m-sde": DPMSolverPP3M(eta=1.0),
    "dpmpp-2s": DPMSolverPP2S(),
    "unipc": UniPC(),
    "unipc-3": UniPC(order=3),
    "lms": LMS(),
    "deis": DEIS(),
    "ipndm": IPNDM(),
    "consistency": Consistency(),
}
"""ddpm: variance beta, wants all T steps. ancestral: beta-tilde, any number. heun-churn: EDM's table 5, ImageNet-64."""


def named(name: str) -> Sampler:
    """The sampler of this name. Raises ValueError with the known names."""
    return families.named(Sampler, NAMES, name)


def name_of(sampler: Sampler) -> str | None:
    """The name of a sampler with just these settings, if it has one."""
    return families.name_of(sampler, Sampler, NAMES)
