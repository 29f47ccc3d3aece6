"""Everything about noise and denoising, for pictures or any other tensor.

`Diffusion` ties a network to a schedule, a parameterization and a weighting; `Sampling` says how it draws.
    from unclip.diffusion import DDIM, ClassifierFree, Cosine, Diffusion, DiffusionConfig, Sampling
"""

from typing import TYPE_CHECKING

from unclip.core.lazy import lazy

if TYPE_CHECKING:
    from unclip.diffusion.denoiser import Denoise as Denoise
    from unclip.diffusion.denoiser import Denoiser as Denoiser
    from unclip.diffusion.denoiser import Prediction as Prediction
    from unclip.diffusion.grids import Grid as Grid
    from unclip.diffusion.grids import KarrasSteps as KarrasSteps
    from unclip.diffusion.grids import QuadraticTime as QuadraticTime
    from unclip.diffusion.grids import Sections as Sections
    from unclip.diffusion.grids import UniformLogSNR as UniformLogSNR
    from unclip.diffusion.grids import UniformTime as UniformTime
    from unclip.diffusion.guidance import APG as APG
    from unclip.diffusion.guidance import Autoguidance as Autoguidance
    from unclip.diffusion.guidance import ClassifierFree as ClassifierFree
    from unclip.diffusion.guidance import ClassifierGuidance as ClassifierGuidance
    from unclip.diffusion.guidance import CLIPGuidance as CLIPGuidance
    from unclip.diffusion.guidance import DynamicThreshold as DynamicThreshold
    from unclip.diffusion.guidance import Guidance as Guidance
    from unclip.diffusion.guidance import LimitedInterval as LimitedInterval
    from unclip.diffusion.guidance import Rescale as Rescale
    from unclip.diffusion.guidance import StaticThreshold as StaticThreshold
    from unclip.diffusion.guidance import Unguided as Unguided
    from unclip.diffusion.guidance import ZeroStar as ZeroStar
    from unclip.diffusion.losses import ErrorForm as ErrorForm
    from unclip.diffusion.losses import Huber as Huber
    from unclip.diffusion.losses import LevelSampling as LevelSampling
    from unclip.diffusion.losses import LossAware as LossAware
    from unclip.diffusion.losses import PseudoHuber as PseudoHuber
    from unclip.diffusion.losses import Squared as Squared
    from unclip.diffusion.losses import Stratified as Stratified
    from unclip.diffusion.parameterization import EDM as EDM
    from unclip.diffusion.parameterization import X0 as X0
    from unclip.diffusion.parameterization import Eps as Eps
    from unclip.diffusion.parameterization import Flow as Flow
    from unclip.diffusion.parameterization import Parameterization as Parameterization
    from unclip.diffusion.parameterization import V as V
    from unclip.diffusion.process import Diffusion as Diffusion
    from unclip.diffusion.process import DiffusionConfig as DiffusionConfig
    from unclip.diffusion.process import Sampling as Sampling
    from unclip.diffusion.samplers import DDIM as DDIM
    from unclip.diffusion.samplers import DEIS as DEIS
    from unclip.diffusion.samplers import IPNDM as IPNDM
    from unclip.diffusion.samplers import LMS as LMS
    from unclip.diffusion.samplers import AnalyticDPM as AnalyticDPM
    from unclip.diffusion.samplers import Ancestral as Ancestral
    from unclip.diffusion.samplers import Anchored as Anchored
    from unclip.diffusion.samplers import DDIMInversion as DDIMInversion
    from unclip.diffusion.samplers import DPMSolverPP2M as DPMSolverPP2M
    from unclip.diffusion.samplers import DPMSolverPP2S as DPMSolverPP2S
    from unclip.diffusion.samplers import DPMSolverPP3M as DPMSolverPP3M
    from unclip.diffusion.samplers import Euler as Euler
    from unclip.diffusion.samplers import Heun as Heun
    from unclip.diffusion.samplers import RePaint as RePaint
    from unclip.diffusion.samplers import Sampler as Sampler
    from unclip.diffusion.samplers import Step as Step
    from unclip.diffusion.samplers import UniPC as UniPC
    from unclip.diffusion.schedules import BetaTable as BetaTable
    from unclip.diffusion.schedules import Cosine as Cosine
    from unclip.diffusion.schedules import CosineBeta as CosineBeta
    from unclip.diffusion.schedules import Karras as Karras
    from unclip.diffusion.schedules import Laplace as Laplace
    from unclip.diffusion.schedules import LearnedSchedule as LearnedSchedule
    from unclip.diffusion.schedules import LinearBeta as LinearBeta
    from unclip.diffusion.schedules import LogitNormal as LogitNormal
    from unclip.diffusion.schedules import LogNormal as LogNormal
    from unclip.diffusion.schedules import QuadraticBeta as QuadraticBeta
    from unclip.diffusion.schedules import RectifiedFlow as RectifiedFlow
    from unclip.diffusion.schedules import ScaledLinearBeta as ScaledLinearBeta
    from unclip.diffusion.schedules import Schedule as Schedule
    from unclip.diffusion.schedules import Shifted as Shifted
    from unclip.diffusion.schedules import SigmoidBeta as SigmoidBeta
    from unclip.diffusion.schedules import Tabulated as Tabulated
    from unclip.diffusion.schedules import ZeroTerminalSNR as ZeroTerminalSNR
    from unclip.diffusion.weighting import P2 as P2
    from unclip.diffusion.weighting import EDMWeight as EDMWeight
    from unclip.diffusion.weighting import MinSNR as MinSNR
    from unclip.diffusion.weighting import PlainX0 as PlainX0
    from unclip.diffusion.weighting import Simple as Simple
    from unclip.diffusion.weighting import VariationalBound as VariationalBound
    from unclip.diffusion.weighting import Weighting as Weighting

_HOMES = {
    "Diffusion": "process",
    "DiffusionConfig": "process",
    "Sampling": "process",
    "Denoise": "denoiser",
    "Denoiser": "denoiser",
    "Prediction": "denoiser",
    "Schedule": "schedules",
    "BetaTable": "schedules",
    "LinearBeta": "schedules",
    "QuadraticBeta": "schedules",
    "ScaledLinearBeta": "schedules",
    "SigmoidBeta": "schedules",
    "CosineBeta": "schedules",
    "ZeroTerminalSNR": "schedules",
    "Cosine": "schedules",
    "RectifiedFlow": "schedules",
    "Tabulated": "schedules",
    "Shifted": "schedules",
    "Karras": "schedules",
    "LogNormal": "schedules",
    "LogitNormal": "schedules",
    "Laplace": "schedules",
    "LearnedSchedule": "schedules",
    "Parameterization": "parameterization",
    "X0": "parameterization",
    "Eps": "parameterization",
    "V": "parameterization",
    "Flow": "parameterization",
    "EDM": "parameterization",
    "Weighting": "weighting",
    "Simple": "weighting",
    "PlainX0": "weighting",
    "MinSNR": "weighting",
    "P2": "weighting",
    "EDMWeight": "weighting",
    "VariationalBound": "weighting",
    "ErrorForm": "losses",
    "Squared": "losses",
    "Huber": "losses",
    "PseudoHuber": "losses",
    "LevelSampling": "losses",
    "Stratified": "losses",
    "LossAware": "losses",
    "Sampler": "samplers",
    "Step": "samplers",
    "Ancestral": "samplers",
    "AnalyticDPM": "samplers",
    "DDIM": "samplers",
    "DDIMInversion": "samplers",
    "Euler": "samplers",
    "Heun": "samplers",
    "DPMSolverPP2M": "samplers",
    "DPMSolverPP3M": "samplers",
    "DPMSolverPP2S": "samplers",
    "UniPC": "samplers",
    "LMS": "samplers",
    "DEIS": "samplers",
    "IPNDM": "samplers",
    "RePaint": "samplers",
    "Anchored": "samplers",
    "Grid": "grids",
    "UniformTime": "grids",
    "QuadraticTime": "grids",
    "UniformLogSNR": "grids",
    "KarrasSteps": "grids",
    "Sections": "grids",
    "Guidance": "guidance",
    "Unguided": "guidance",
    "ClassifierFree": "guidance",
    "ZeroStar": "guidance",
    "APG": "guidance",
    "Autoguidance": "guidance",
    "ClassifierGuidance": "guidance",
    "CLIPGuidance": "guidance",
    "LimitedInterval": "guidance",
    "Rescale": "guidance",
    "StaticThreshold": "guidance",
    "DynamicThreshold": "guidance",
}
"""Public name -> the module below that it is imported from when it is first used."""
__all__ = [*_HOMES]  # pyright: ignore[reportUnsupportedDunderAll]
__getattr__ = lazy(__name__, _HOMES)
