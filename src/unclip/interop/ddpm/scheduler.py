"""The levels of a DDPM as diffusers' `DDPMScheduler` keeps them, and what it predicts."""

from collections.abc import Mapping
from typing import Any

import torch

from unclip.core.config.ranges import is_number, quote
from unclip.core.config.tables import is_list
from unclip.core.typing import Float, Tensor
from unclip.core.untyped import floats
from unclip.diffusion.level import resolvable
from unclip.diffusion.parameterization import X0, Eps, Parameterization, V
from unclip.diffusion.process import DiffusionConfig, Sampling
from unclip.diffusion.samplers import DDIM, Ancestral, Sampler
from unclip.diffusion.schedules import (
    CosineBeta,
    GivenBetas,
    LinearBeta,
    QuadraticBeta,
    ScaledLinearBeta,
    Schedule,
    SigmoidBeta,
)
from unclip.diffusion.schedules.base import trailing
from unclip.diffusion.schedules.tables import BetaTable

PREDICTS: dict[type[Parameterization], str] = {Eps: "epsilon", X0: "sample", V: "v_prediction"}
NAMED: dict[type[Schedule], str] = {
    LinearBeta: "linear",
    QuadraticBeta: "scaled_linear",
    ScaledLinearBeta: "scaled_linear",
}
"""Tables that all of diffusers' schedulers know by name, beside the cosine; its DDIM knows no sigmoid."""
Entries = Float[Tensor, " T"]


def levels(schedule: Schedule) -> Entries:
    """The log-SNR of each of the T timesteps, clean to noisy; where time is continuous, at 1000 even ones."""
    entries = schedule.table if isinstance(schedule, BetaTable) else schedule.sampled(trailing(1000)).flip(0)
    return resolvable(entries)


def to_scheduler(config: DiffusionConfig, sampling: Sampling) -> dict[str, Any]:
    """The scheduler's settings. Raises ValueError for what it cannot predict."""
    kind = PREDICTS.get(type(config.parameterization))
    if kind is None:
        raise ValueError(
            f"diffusion.parameterization = {type(config.parameterization).__name__}: diffusers' DDPM predicts "
            "eps, x0 or v; `unclip train DATA --model ddpm --predict eps` (or --preset ddpm-cifar10) does"
        )
    small = "fixed_large" if sampling.sampler == Ancestral("beta") else "fixed_small"
    return {
        "_class_name": "DDPMScheduler",
        **_betas(config.schedule),
        "prediction_type": kind,
        "variance_type": "learned_range" if config.vlb_weight > 0 else small,
        "clip_sample": config.limit is not None,
        "clip_sample_range": config.limit or 1.0,
        "timestep_spacing": "trailing",
        "steps_offset": 0,
        "thresholding": False,
        "rescale_betas_zero_snr": False,
    }


def _betas(schedule: Schedule) -> dict[str, Any]:
    name = NAMED.get(type(schedule))
    if name is not None and isinstance(schedule, LinearBeta | QuadraticBeta):
        return {
            "num_train_timesteps": schedule.T,
            "beta_schedule": name,
            "beta_start": schedule.beta_1,
            "beta_end": schedule.beta_T,
            "trained_betas": None,
        }
    if isinstance(schedule, CosineBeta) and schedule == CosineBeta(schedule.T):
        return {"num_train_timesteps": schedule.T, "beta_schedule": "squaredcos_cap_v2", "trained_betas": None}
    bar = torch.sigmoid(levels(schedule).double())
    betas = 1 - bar / torch.cat([bar.new_ones(1), bar[:-1]])
    return {"num_train_timesteps": len(betas), "beta_schedule": "linear", "trained_betas": floats(betas)}


def from_scheduler(table: Mapping[str, Any], where: str) -> tuple[DiffusionConfig, Sampling]:
    """The process that a scheduler's settings mean, and how they sample it.

    Raises ValueError that names the setting where there is no such process here.
    """
    kind = table.get("prediction_type", "epsilon")
    found = next((ours for ours, theirs in PREDICTS.items() if theirs == kind), None)
    if found is None:
        raise ValueError(f"{where}: prediction_type = {quote(kind)}: known are {', '.join(PREDICTS.values())}")
    variance = table.get("variance_type", "fixed_small")
    learned = variance in ("learned", "learned_range")
    limit = float(table.get("clip_sample_range", 1.0)) if table.get("clip_sample", True) else None
    if table.get("thresholding") or table.get("rescale_betas_zero_snr") or variance == "learned":
        raise ValueError(f"{where}: thresholding, rescale_betas_zero_snr and variance_type = 'learned' are not read")
    schedule = _schedule(table, where)
    config = DiffusionConfig(schedule, found(), limit=limit, vlb_weight=0.001 if learned else 0.0)
    return config, Sampling(steps=min(1000, schedule.length), sampler=_sampler(str(variance)))


def _sampler(variance: str) -> Sampler:
    if variance == "learned_range":
        return Ancestral("learned")
    return Ancestral("beta") if variance.startswith("fixed_large") else DDIM(eta=1.0)


def _schedule(table: Mapping[str, Any], where: str) -> BetaTable:
    T, kind = table.get("num_train_timesteps", 1000), table.get("beta_schedule", "linear")
    if (betas := table.get("trained_betas")) is not None:
        return _given(betas, T, where)
    if kind == "squaredcos_cap_v2":
        return CosineBeta(T)
    made = {"linear": LinearBeta, "scaled_linear": QuadraticBeta, "sigmoid": SigmoidBeta}.get(str(kind))
    if made is None:
        raise ValueError(
            f"{where}: beta_schedule = {quote(kind)}: known are linear, scaled_linear, sigmoid, squaredcos_cap_v2"
        )
    return made(float(table.get("beta_start", 1e-4)), float(table.get("beta_end", 0.02)), T)


def _given(betas: Any, T: int, where: str) -> GivenBetas:
    """A table that the scheduler writes out, which its named one has no say beside."""
    if not is_list(betas) or not all(is_number(beta, float) for beta in betas) or len(betas) != T:
        raise ValueError(f"{where}: trained_betas: expected a list of num_train_timesteps = {T} numbers")
    try:
        schedule = GivenBetas(tuple(map(float, betas)))
        _ = schedule.betas
    except ValueError as error:
        raise ValueError(f"{where}: trained_betas: {error}") from error
    return schedule
