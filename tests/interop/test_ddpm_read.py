"""A DDPM of diffusers as a run of ours draws what it draws there, from the same noise."""

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from tests.cli.conftest import Call, call  # noqa: F401  # a fixture
from tests.fakes import built
from tests.interop.changes import changed

os.environ.setdefault("HF_HUB_OFFLINE", "1")
diffusers = pytest.importorskip("diffusers")

import unclip  # noqa: E402
from unclip.core.condition import Condition  # noqa: E402
from unclip.core.noise import Noise  # noqa: E402
from unclip.core.watching import last_of  # noqa: E402
from unclip.diffusion.process import Sampling  # noqa: E402
from unclip.diffusion.samplers import DDIM  # noqa: E402
from unclip.generation.ddpm import DDPMPipeline  # noqa: E402
from unclip.interop.ddpm import folder as ours  # noqa: E402
from unclip.interop.ddpm.read import read  # noqa: E402
from unclip.models.ddpm import DDPM  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
COURSE = {  # the network of the Hugging Face course, narrower
    "sample_size": 16,
    "block_out_channels": (32, 64, 64),
    "down_block_types": ("DownBlock2D", "AttnDownBlock2D", "AttnDownBlock2D"),
    "up_block_types": ("AttnUpBlock2D", "AttnUpBlock2D", "UpBlock2D"),
}
PAPER = {  # google/ddpm-cifar10-32, narrower
    **COURSE,
    "down_block_types": ("DownBlock2D", "AttnDownBlock2D", "DownBlock2D"),
    "up_block_types": ("UpBlock2D", "AttnUpBlock2D", "UpBlock2D"),
    "attention_head_dim": None,
    "norm_eps": 1e-6,
    "flip_sin_to_cos": False,
    "freq_shift": 1,
    "downsample_padding": 0,
}
ADM = {
    **PAPER,
    "down_block_types": ("ResnetDownsampleBlock2D", "AttnDownBlock2D", "ResnetDownsampleBlock2D"),
    "up_block_types": ("ResnetUpsampleBlock2D", "AttnUpBlock2D", "ResnetUpsampleBlock2D"),
    "resnet_time_scale_shift": "scale_shift",
    "attn_norm_num_groups": 32,
    "downsample_type": "resnet",
    "upsample_type": "resnet",
    "attention_head_dim": 16,
}
BETAS = [0.0005 * 1.08**t for t in range(80)]
CASES = {
    "course": (COURSE, {}),
    "course, cosine and v": (COURSE, {"beta_schedule": "squaredcos_cap_v2", "prediction_type": "v_prediction"}),
    "paper": (PAPER, {"variance_type": "fixed_large"}),
    "paper, short table": (PAPER, {"num_train_timesteps": 200, "beta_end": 0.1}),
    "a table of its own": (COURSE, {"trained_betas": BETAS, "num_train_timesteps": len(BETAS)}),
    "ADM": (ADM, {"beta_schedule": "scaled_linear", "prediction_type": "sample"}),
    "classes": ({**COURSE, "num_class_embeds": 3}, {}),
    "no attention": ({**COURSE, "down_block_types": ("DownBlock2D",) * 3, "up_block_types": ("UpBlock2D",) * 3,
                      "add_attention": False}, {}),
}  # fmt: skip


def saved(folder: Path, network: dict, steps: dict) -> Path:
    unet = built(lambda: diffusers.UNet2DModel(**network)).eval()
    with torch.no_grad():
        for i, parameter in enumerate(unet.parameters()):  # their norms and biases start as 1 and 0
            parameter.add_(0.03 * Noise.shared("lively", i).normal(tuple(parameter.shape)))
    if network.get("num_class_embeds"):  # their DDPMPipeline knows no classes, but saves such a network
        unet.register_to_config(class_embed_type=None)
    diffusers.DDPMPipeline(unet, diffusers.DDPMScheduler(**steps)).save_pretrained(folder)
    return folder


@pytest.mark.parametrize("case", CASES)
@torch.no_grad()
def test_the_same_picture_from_the_same_noise(case: str, tmp_path: Path):
    network, steps = CASES[case]
    place = saved(tmp_path, network, steps)
    theirs, model = diffusers.DDPMPipeline.from_pretrained(place), read(place)
    scheduler = diffusers.DDIMScheduler.from_config(theirs.scheduler.config, timestep_spacing="trailing")
    scheduler.set_timesteps(20)
    x = start = Noise.per_sample([3, 4]).normal((2, 3, 16, 16))
    labels = torch.tensor([2, 0])
    for t in scheduler.timesteps:
        told = {"class_labels": labels} if model.config.classes else {}
        x = scheduler.step(theirs.unet(x, t, **told).sample, t, x, use_clipped_model_output=True).prev_sample
    found = drawn(model, start, labels)
    assert (x - found).abs().max() < 1e-4
    assert found.std() > 0.1


def drawn(model: DDPM, start: torch.Tensor, labels: torch.Tensor | None = None) -> torch.Tensor:
    cond = Condition() if labels is None else model.condition(labels)
    how = Sampling(steps=20, sampler=DDIM())
    return last_of(model.diffusion.walk(start, cond, Condition(), Noise.shared("unused"), how)).x


@pytest.mark.parametrize("case", ["course, cosine and v", "ADM", "paper"])
@torch.no_grad()
def test_out_again_and_in_again(case: str, tmp_path: Path):
    model = read(saved(tmp_path / "theirs", *CASES[case]))
    ours.write(DDPMPipeline(model), tmp_path / "ours")
    again = read(tmp_path / "ours")
    start = Noise.per_sample([3, 4]).normal((2, 3, 16, 16))
    assert (drawn(model, start) - drawn(again, start)).abs().max() < 1e-5
    diffusers.DDPMPipeline.from_pretrained(tmp_path / "ours")


@pytest.mark.slow
def test_a_run_that_draws_is_scored_and_trained_on(call: Call, tmp_path: Path):  # noqa: F811
    place = saved(tmp_path / "theirs", {**PAPER, "block_out_channels": (32, 32, 32)}, {"num_train_timesteps": 100})
    done = call("import", place, "--out", tmp_path / "run")
    assert (done.code, done.err) == (0, "")
    done = call("generate", "--run", tmp_path / "run", "-n", 2, "--steps", 2, "--out", tmp_path / "out")
    assert done.code == 0, done.err
    assert "not judged: imported from theirs" in call("info", tmp_path / "run").out
    rng = np.random.default_rng(0)
    (tmp_path / "data").mkdir()
    for i in range(24):
        Image.fromarray(rng.integers(0, 255, (16, 16, 3), dtype=np.uint8)).save(tmp_path / "data" / f"{i}.png")
    done = call("evaluate", "--run", tmp_path / "run", "--data", tmp_path / "data", "-n", 4)
    assert done.code == 0, done.err
    few = ["--set", "ddpm.train.batch=2", "--set", "ddpm.train.steps=2", "--set", "ddpm.sampling.steps=4"]
    done = call("train", tmp_path / "data", "--from", tmp_path / "run", "--out", tmp_path / "on", "--force", *few)
    assert done.code in (0, 1), done.err
    assert "starts from the weights of" in done.out
    unclip.load(tmp_path / "on").generate(n=1)


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return saved(tmp_path_factory.mktemp("plain"), PAPER, {})


@pytest.mark.parametrize(
    "part, changes, why",
    [
        ("model_index.json", {"_class_name": "StableDiffusionPipeline"}, "unclip takes in DDPMPipeline"),
        ("unet/config.json", {"act_fn": "relu"}, "act_fn = 'relu': unclip's network has silu"),
        ("unet/config.json", {"add_attention": False}, "add_attention = False: unclip's core attends"),
        ("unet/config.json", {"block_out_channels": [32, 48, 64]}, "block_out_channels = .*: must be multiples of 32"),
        ("unet/config.json", {"sample_size": [16, 32]}, "sample_size = .*: unclip's images are square"),
        ("unet/config.json", {"layers_per_block": 1}, "down_blocks.0.resnets.1.* has no place"),
        ("unet/config.json", {"layers_per_block": 3}, "holds no down_blocks.0.resnets.2"),
        (
            "unet/config.json",
            {"in_channels": 1, "out_channels": 1},
            r"for stem.weight are \(.*\), and its config means",
        ),
        ("scheduler/scheduler_config.json", {"beta_schedule": "new"}, "beta_schedule = 'new': known are linear"),
        ("scheduler/scheduler_config.json", {"prediction_type": "flow"}, "prediction_type = 'flow': known are"),
        ("scheduler/scheduler_config.json", {"thresholding": True}, "thresholding"),
        ("scheduler/scheduler_config.json", {"trained_betas": [0.1, 0.2]}, "a list of num_train_timesteps = 1000 num"),
        (
            "scheduler/scheduler_config.json",
            {"trained_betas": [0.1, 1.5, 0.2], "num_train_timesteps": 3},
            "trained_betas: GivenBetas.values.* = 1.5",
        ),
    ],
    ids=lambda value: str(value)[:40],
)
def test_what_has_no_counterpart_is_named(plain: Path, tmp_path: Path, part: str, changes: dict, why: str):
    place = changed(Path(shutil.copytree(plain, tmp_path / "bad")), part, **changes)
    with pytest.raises(ValueError, match=why):
        read(place)


def test_pickles_are_refused_with_the_way_out(plain: Path, tmp_path: Path):
    place = Path(shutil.copytree(plain, tmp_path / "bad"))
    (place / "unet" / "diffusion_pytorch_model.safetensors").rename(place / "unet" / "diffusion_pytorch_model.bin")
    with pytest.raises(ValueError, match=r"model.bin: a pickle, .*save_pretrained\(DIR, safe_serialization=True\)"):
        read(place)
    with pytest.raises(ValueError, match="model_index.json: not the index of a pipeline"):
        read(tmp_path / "nowhere")
