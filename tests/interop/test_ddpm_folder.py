"""Our DDPM, written as diffusers keeps one, draws there what it draws here, from the same noise."""

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from tests.fakes import awake, built, tiny_unet

os.environ.setdefault("HF_HUB_OFFLINE", "1")
diffusers = pytest.importorskip("diffusers")

from unclip.core.condition import Condition  # noqa: E402
from unclip.core.noise import Noise, seeded  # noqa: E402
from unclip.core.watching import last_of  # noqa: E402
from unclip.diffusion.parameterization import EDM, X0, Eps, Parameterization, V  # noqa: E402
from unclip.diffusion.process import DiffusionConfig, Sampling  # noqa: E402
from unclip.diffusion.samplers import DDIM, Ancestral  # noqa: E402
from unclip.diffusion.schedules import Cosine, CosineBeta, LinearBeta, ScaledLinearBeta, Schedule, SigmoidBeta  # noqa: E402
from unclip.generation.ddpm import DDPMPipeline  # noqa: E402
from unclip.interop.ddpm import folder  # noqa: E402
from unclip.models.ddpm import DDPM, DDPMConfig  # noqa: E402
from unclip.nn.backbones.config import ImageNetworkConfig  # noqa: E402
from unclip.nn.backbones.diffusion_unet import DiffusionUNetConfig, ddpm_cifar10  # noqa: E402
from unclip.nn.blocks.resblock import ResBlockConfig  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
SMALL = {"width": 32, "multipliers": (1, 2, 2), "attention": (False, True, False)}
DDPM_NET = replace(ddpm_cifar10(), **SMALL, block=ResBlockConfig(groups=8, eps=1e-6, scale_shift=False, dropout=0.1))
ADM_NET = DiffusionUNetConfig(**SMALL, head_width=16, block=ResBlockConfig(groups=8))
BARE = replace(DDPM_NET, multipliers=(2, 2), attention=(False, False), channels=1)


def model(
    network: ImageNetworkConfig,
    schedule: Schedule = LinearBeta(),
    predicts: Parameterization = Eps(),
    sampling: Sampling = Sampling(steps=20, sampler=DDIM(eta=1.0)),
) -> DDPMPipeline:
    """A DDPM with weights that are not trained, of two classes where its network hears of classes."""
    learned = 0.001 if network.learned_variance else 0.0
    process = DiffusionConfig(schedule, predicts, limit=1.0, vlb_weight=learned)
    classes = ("cat", "dog")[: network.vector_width]
    config = DDPMConfig(network=network, diffusion=process, sampling=sampling, size=16, classes=classes)
    made = awake(built(lambda: DDPM(config)))
    assert isinstance(made, DDPM)
    return DDPMPipeline(made)


CASES = {
    "DDPM": (DDPM_NET, LinearBeta(), Eps(), "positional"),
    "ADM on a cosine table": (ADM_NET, CosineBeta(), V(), "learned"),
    "learned variance": (replace(ADM_NET, learned_variance=True, level="timestep"), LinearBeta(), Eps(), "positional"),
    "short table": (DDPM_NET, LinearBeta(1e-3, 0.1, T=100), Eps(), "learned"),
    "wide finest level, no attention, gray": (BARE, SigmoidBeta(), X0(), "learned"),
    "scaled linear": (ADM_NET, ScaledLinearBeta(), V(), "learned"),
    "continuous time": (ADM_NET, Cosine(), V(), "learned"),
    "one of two classes": (replace(ADM_NET, vector_width=2), CosineBeta(), V(), "learned"),
}


@pytest.mark.parametrize("case", CASES)
@torch.no_grad()
def test_ddim_draws_the_same_picture(case: str, tmp_path: Path):
    network, schedule, predicts, time = CASES[case]
    ours = model(network, schedule, predicts)
    folder.write(ours, tmp_path, "dog" if ours.classes else "")
    pipe = diffusers.DDPMPipeline.from_pretrained(tmp_path)
    assert pipe.unet.config.time_embedding_type == time
    scheduler = diffusers.DDIMScheduler.from_config(pipe.scheduler.config)
    scheduler.set_timesteps(20)
    x = start = Noise.per_sample([3, 4]).normal((2, network.channels, 16, 16))
    for t in scheduler.timesteps:
        out = pipe.unet(x, t).sample[:, : network.channels]
        x = scheduler.step(out, t, x, use_clipped_model_output=True).prev_sample
    assert (x - drawn(ours, start, DDIM())).abs().max() < 1e-4
    if ours.classes:
        assert (x - drawn(ours, start, DDIM(), "cat")).abs().max() > 1e-2


def drawn(
    ours: DDPMPipeline, start: torch.Tensor, sampler: DDIM | Ancestral, label: str = "dog", seed: int = 3
) -> torch.Tensor:
    labels = ours.labels([label if ours.classes else ""] * len(start))
    how = Sampling(steps=20, sampler=sampler)
    noise = Noise.shared("test", seed)
    return last_of(ours.model.diffusion.walk(start, ours.model.condition(labels), Condition(), noise, how)).x


@torch.no_grad()
def test_their_ancestral_steps_are_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The pipeline itself, from the same generator: its start and every step's noise are what `Noise` draws."""
    ours = model(DDPM_NET)
    folder.write(ours, tmp_path)
    pipe = diffusers.DDPMPipeline.from_pretrained(tmp_path)
    pipe.set_progress_bar_config(disable=True)
    noise = Noise.shared("test", 3)
    twin = seeded(torch.Generator(), noise.seeds[0])
    found = torch.from_numpy(pipe(2, twin, num_inference_steps=20, output_type="np").images).permute(0, 3, 1, 2)
    how = Sampling(steps=20, sampler=DDIM(eta=1.0))
    expected = last_of(ours.model.diffusion.sample((2, 3, 16, 16), Condition(), Condition(), noise, how)).x
    assert ((expected / 2 + 0.5).clamp(0, 1) - found).abs().max() < 1e-4


@pytest.mark.parametrize("variance, name", [("beta", "fixed_large"), ("beta_tilde", "fixed_small")])
def test_the_variance_of_a_step_goes_along(variance: str, name: str, tmp_path: Path):
    folder.write(model(DDPM_NET, sampling=Sampling(1000, Ancestral(variance))), tmp_path)  # pyright: ignore
    table = json.loads((tmp_path / "scheduler" / "scheduler_config.json").read_text(encoding="utf-8"))
    assert table["variance_type"] == name
    assert (table["beta_schedule"], table["trained_betas"]) == ("linear", None)


@pytest.mark.parametrize(
    "ours, label, why",
    [
        (model(tiny_unet()), "", "its network is UNet, and diffusers has no class for it; .* --preset ddpm-cifar10"),
        (
            model(DDPM_NET, predicts=EDM()),
            "",
            "parameterization = EDM: diffusers' DDPM predicts eps, x0 or v; .* --predict eps",
        ),
        (model(replace(ADM_NET, vector_width=2)), "", "knows 2 of them: cat, dog; say which .* --class NAME"),
        (model(replace(ADM_NET, vector_width=2)), "cow", "class 'cow': known are cat, dog"),
        (model(DDPM_NET), "cat", "class 'cat': this model knows none"),
    ],
    ids=["hourglass", "EDM", "no class named", "another class", "class without classes"],
)
def test_what_has_no_counterpart_is_refused_before_anything_is_written(
    ours: DDPMPipeline, label: str, why: str, tmp_path: Path
):
    with pytest.raises(ValueError, match=why):
        folder.write(ours, tmp_path, label)
    assert not any(tmp_path.iterdir())
