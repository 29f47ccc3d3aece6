"""Everything about noise and denoising, for images or any other tensor.

`Diffusion` ties a network to a schedule, a parameterization and a weighting; `Sampling` says how it draws.

    from unclip.diffusion import DDIM, ClassifierFree, Cosine, Diffusion, DiffusionConfig, Sampling

Names that two families share are left to their own rooms: the schedule and the weighting `Sigmoid`
(`unclip.diffusion.schedules`, `.weighting`), the ODE solver `Heun` (`unclip.diffusion.likelihood`).
"""

from typing import TYPE_CHECKING

from unclip.core.imports.lazy import lazy

if TYPE_CHECKING:
    from unclip.core.config.ranges import Fraction as Fraction
    from unclip.core.config.ranges import Positive as Positive
    from unclip.core.config.ranges import Signed as Signed
    from unclip.core.config.ranges import Spread as Spread
    from unclip.core.config.ranges import Weight as Weight
    from unclip.core.typing import LogSNR as LogSNR
    from unclip.core.typing import State as State
    from unclip.diffusion.denoiser import ConditionalDenoise as ConditionalDenoise
    from unclip.diffusion.denoiser import Denoise as Denoise
    from unclip.diffusion.denoiser import Denoiser as Denoiser
    from unclip.diffusion.denoiser import Prediction as Prediction
    from unclip.diffusion.empirical import Empirical as Empirical
    from unclip.diffusion.grids import BothEnds as BothEnds
    from unclip.diffusion.grids import FixedLevels as FixedLevels
    from unclip.diffusion.grids import Grid as Grid
    from unclip.diffusion.grids import Jumps as Jumps
    from unclip.diffusion.grids import KarrasSteps as KarrasSteps
    from unclip.diffusion.grids import Leading as Leading
    from unclip.diffusion.grids import QuadraticTime as QuadraticTime
    from unclip.diffusion.grids import Sections as Sections
    from unclip.diffusion.grids import ToFirstEntry as ToFirstEntry
    from unclip.diffusion.grids import UniformLogSNR as UniformLogSNR
    from unclip.diffusion.grids import UniformTime as UniformTime
    from unclip.diffusion.grids import ends as ends
    from unclip.diffusion.guidance import APG as APG
    from unclip.diffusion.guidance import Autoguidance as Autoguidance
    from unclip.diffusion.guidance import ClassifierFree as ClassifierFree
    from unclip.diffusion.guidance import ClassifierGuidance as ClassifierGuidance
    from unclip.diffusion.guidance import CLIPGuidance as CLIPGuidance
    from unclip.diffusion.guidance import DynamicThreshold as DynamicThreshold
    from unclip.diffusion.guidance import Guidance as Guidance
    from unclip.diffusion.guidance import GuidanceInput as GuidanceInput
    from unclip.diffusion.guidance import LimitedInterval as LimitedInterval
    from unclip.diffusion.guidance import NegativePrompt as NegativePrompt
    from unclip.diffusion.guidance import Rescale as Rescale
    from unclip.diffusion.guidance import StaticThreshold as StaticThreshold
    from unclip.diffusion.guidance import Unguided as Unguided
    from unclip.diffusion.guidance import ZeroStar as ZeroStar
    from unclip.diffusion.guidance.base import Guide as Guide
    from unclip.diffusion.guidance.base import Guided as Guided
    from unclip.diffusion.guidance.base import branches as branches
    from unclip.diffusion.guidance.base import guided as guided
    from unclip.diffusion.level import alpha as alpha
    from unclip.diffusion.level import like as like
    from unclip.diffusion.level import sigma as sigma
    from unclip.diffusion.likelihood import RK4 as RK4
    from unclip.diffusion.likelihood import RK45 as RK45
    from unclip.diffusion.likelihood import Bound as Bound
    from unclip.diffusion.likelihood import BoundSettings as BoundSettings
    from unclip.diffusion.likelihood import BoundSummary as BoundSummary
    from unclip.diffusion.likelihood import DiscretisedGaussian as DiscretisedGaussian
    from unclip.diffusion.likelihood import DiscretisedLogistic as DiscretisedLogistic
    from unclip.diffusion.likelihood import Estimate as Estimate
    from unclip.diffusion.likelihood import ExactTrace as ExactTrace
    from unclip.diffusion.likelihood import FlowBits as FlowBits
    from unclip.diffusion.likelihood import FlowSettings as FlowSettings
    from unclip.diffusion.likelihood import GaussianDensity as GaussianDensity
    from unclip.diffusion.likelihood import GaussianProbes as GaussianProbes
    from unclip.diffusion.likelihood import Rademacher as Rademacher
    from unclip.diffusion.likelihood import RateDistortion as RateDistortion
    from unclip.diffusion.likelihood import continuous_bound as continuous_bound
    from unclip.diffusion.likelihood import flow_likelihood as flow_likelihood
    from unclip.diffusion.likelihood import rate_distortion as rate_distortion
    from unclip.diffusion.likelihood import summarise as summarise
    from unclip.diffusion.likelihood import variational_bound as variational_bound
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
    from unclip.diffusion.samplers import Consistency as Consistency
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
    from unclip.diffusion.samplers import mean_square_eps as mean_square_eps
    from unclip.diffusion.schedules import BetaTable as BetaTable
    from unclip.diffusion.schedules import Cosine as Cosine
    from unclip.diffusion.schedules import CosineBeta as CosineBeta
    from unclip.diffusion.schedules import GivenBetas as GivenBetas
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
    from unclip.diffusion.schedules.base import Levels as Levels
    from unclip.diffusion.search import Search as Search
    from unclip.diffusion.weighting import P2 as P2
    from unclip.diffusion.weighting import EDMWeight as EDMWeight
    from unclip.diffusion.weighting import MinSNR as MinSNR
    from unclip.diffusion.weighting import PlainX0 as PlainX0
    from unclip.diffusion.weighting import Simple as Simple
    from unclip.diffusion.weighting import VariationalBound as VariationalBound
    from unclip.diffusion.weighting import Weighting as Weighting
else:
    __all__, __getattr__, __dir__ = lazy(
        __name__,
        {
            "unclip.diffusion.process": "Diffusion DiffusionConfig Sampling",
            "unclip.diffusion.denoiser": "Denoise ConditionalDenoise Denoiser Prediction",
            "unclip.diffusion.empirical": "Empirical",
            "unclip.core.typing": "State LogSNR",
            "unclip.core.config.ranges": "Fraction Positive Weight Signed Spread",
            "unclip.diffusion.level": "alpha sigma like",
            "unclip.diffusion.schedules.base": "Levels",
            "unclip.diffusion.schedules": (
                "Schedule BetaTable LinearBeta QuadraticBeta ScaledLinearBeta SigmoidBeta CosineBeta GivenBetas "
                "ZeroTerminalSNR "
                "Cosine RectifiedFlow Tabulated Shifted Karras LogNormal LogitNormal Laplace LearnedSchedule"
            ),
            "unclip.diffusion.parameterization": "Parameterization X0 Eps V Flow EDM",
            "unclip.diffusion.weighting": "Weighting Simple PlainX0 MinSNR P2 EDMWeight VariationalBound",
            "unclip.diffusion.losses": "ErrorForm Squared Huber PseudoHuber LevelSampling Stratified LossAware",
            "unclip.diffusion.samplers": (
                "Sampler Step Ancestral AnalyticDPM mean_square_eps DDIM DDIMInversion Euler Heun DPMSolverPP2M "
                "DPMSolverPP3M DPMSolverPP2S UniPC LMS DEIS IPNDM RePaint Anchored Consistency"
            ),
            "unclip.diffusion.grids": (
                "Grid UniformTime BothEnds Leading QuadraticTime UniformLogSNR KarrasSteps Sections Jumps FixedLevels "
                "ToFirstEntry ends"
            ),
            "unclip.diffusion.guidance.base": "Guide Guided branches guided",
            "unclip.diffusion.search": "Search",
            "unclip.diffusion.guidance": (
                "Guidance Unguided ClassifierFree ZeroStar APG Autoguidance GuidanceInput ClassifierGuidance "
                "CLIPGuidance LimitedInterval Rescale StaticThreshold DynamicThreshold NegativePrompt"
            ),
            "unclip.diffusion.likelihood": (
                "BoundSettings Bound BoundSummary variational_bound summarise continuous_bound FlowSettings FlowBits "
                "flow_likelihood RateDistortion rate_distortion Estimate DiscretisedGaussian GaussianDensity RK4 RK45 "
                "DiscretisedLogistic "
                "Rademacher GaussianProbes ExactTrace"
            ),
        },
    )
