"""A Stable-Diffusion-like folder of diffusers is a run that draws what diffusers draws from the same noise."""

import os
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.interop.changes import changed
from tests.interop.karlos import CONTEXT
from tests.interop.stables import FACTOR, FORMS, PUBLISHED, SIDE, STEPS, stable

os.environ.setdefault("HF_HUB_OFFLINE", "1")
diffusers = pytest.importorskip("diffusers")
pytest.importorskip("transformers")

from torch._subclasses.fake_tensor import FakeTensorMode  # noqa: E402

import unclip  # noqa: E402
from unclip.core.noise import Noise  # noqa: E402
from unclip.diffusion.grids import BothEnds, Leading, ToFirstEntry, UniformTime  # noqa: E402
from unclip.diffusion.weighting import EDMWeight, Simple  # noqa: E402
from unclip.generation.settings import Settings  # noqa: E402
from unclip.interop.ddpm.names import pairs as unet_pairs  # noqa: E402
from unclip.interop.ddpm.scheduler import levels  # noqa: E402
from unclip.interop.stable_diffusion import autoencoder, network, steps  # noqa: E402
from unclip.interop.stable_diffusion.read import read  # noqa: E402
from unclip.interop.weights import to_ours  # noqa: E402
from unclip.models.autoencoder.model import Autoencoder  # noqa: E402
from unclip.nn.autoencoder.coder import stable_diffusion_coder  # noqa: E402
from unclip.nn.backbones.diffusion_unet import DiffusionUNet, stable_diffusion  # noqa: E402
from unclip.recipes.start.imported import import_run  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
PROMPTS, SEEDS = ["a red heart!", "the sun and a blue circle and a red heart and the sun"], [3, 4]
SIZE = FACTOR * SIDE


@pytest.fixture(scope="module", params=FORMS)
def theirs(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Path]:
    """The pipeline, and where it is saved."""
    place = tmp_path_factory.mktemp(request.param)
    pipe = stable(place / "words", request.param)
    pipe.save_pretrained(place / "theirs")
    return pipe, place / "theirs"


@pytest.fixture(scope="module")
def run(theirs: tuple[Any, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("run") / "run"
    import_run(theirs[1], place)
    return place


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of the first version."""
    place = tmp_path_factory.mktemp("first")
    stable(place / "words", "one").save_pretrained(place / "theirs")
    return place / "theirs"


def their_pictures(pipe: Any, **how: Any) -> torch.Tensor:
    start = Noise.per_sample(SEEDS).fork("latent").normal((2, 4, SIDE, SIDE))
    made = pipe(PROMPTS, latents=start, output_type="np", **{"num_inference_steps": STEPS, **how}).images
    return torch.from_numpy(made).permute(0, 3, 1, 2) * 2 - 1


@torch.no_grad()
def test_its_parts_say_the_same(theirs: tuple[Any, Path]) -> None:
    pipe, ours = theirs[0], read(theirs[1])
    asked = {"padding": "max_length", "truncation": True, "max_length": CONTEXT, "return_tensors": "pt"}
    features = pipe.text_encoder(pipe.tokenizer(PROMPTS, **asked).input_ids)[0]
    cond = ours.latent.condition(*ours.tokenizer(PROMPTS))
    assert cond.tokens is not None and (cond.tokens - features).abs().max() < 1e-5
    images, z = Noise.shared("x").normal((2, 3, SIZE, SIZE)), Noise.shared("z").normal((2, 4, SIDE, SIDE))
    expected, found = pipe.vae.encode(images).latent_dist, ours.autoencoder.encode(images)
    assert (found.mean - expected.mean).abs().max() < 1e-5
    assert (found.log_variance - expected.logvar).abs().max() < 1e-5
    assert torch.allclose(ours.latent.standardized(found.mean), expected.mean * 0.18215, atol=1e-6)
    expected = pipe.vae.decode(z).sample
    assert (ours.autoencoder.decode(z) - expected).abs().max() < 1e-5 * max(1.0, expected.abs().max().item())
    for t in (0, 1, 500, 999):
        level = levels(ours.latent.config.diffusion.schedule)[t].float().expand(2)
        expected = pipe.unet(z, t, features).sample
        assert (ours.latent.diffusion.denoiser.network(z, level, cond) - expected).abs().max() < 1e-5


@pytest.mark.usefixtures("in_float32")
@pytest.mark.parametrize("how", [{}, {"guidance_scale": 1.0, "num_inference_steps": 7}, {"negative_prompt": "circle"}])
def test_the_same_pictures_from_the_same_noise(theirs: tuple[Any, Path], run: Path, how: dict[str, Any]) -> None:
    ours = Settings(
        steps=how.get("num_inference_steps", STEPS), guidance=how.get("guidance_scale"),
        negative=how.get("negative_prompt"),
    )  # fmt: skip
    several = {**how, "negative_prompt": [how["negative_prompt"]] * 2} if "negative_prompt" in how else how
    found = unclip.load(run).sample_images(PROMPTS, SEEDS, ours)
    assert found.shape == (2, 3, SIZE, SIZE)
    assert found.std() > 0.1 and (found[0] - found[1]).abs().max() > 0.1
    assert (found - their_pictures(theirs[0], **several)).abs().max() < 1e-3


@pytest.mark.usefixtures("in_float32")
def test_the_pictures_of_another_spacing(tmp_path: Path) -> None:
    for spacing, clean in (("trailing", True), ("leading", True), ("trailing", False)):
        said = {"timestep_spacing": spacing, "set_alpha_to_one": clean}
        pipe = stable(tmp_path / "words", "one", scheduler=said)
        place = tmp_path / f"{spacing}-{clean}"
        pipe.save_pretrained(place)
        import_run(place, tmp_path / f"run-{spacing}-{clean}")
        found = unclip.load(tmp_path / f"run-{spacing}-{clean}").sample_images(PROMPTS, SEEDS, Settings(steps=STEPS))
        assert (found - their_pictures(pipe)).abs().max() < 1e-3, said


def test_any_scheduler_of_betas_means_its_table(theirs: tuple[Any, Path], tmp_path: Path) -> None:
    place, config = tmp_path, dict(theirs[0].scheduler.config)
    prediction = config["prediction_type"]
    for name, grid in (
        ("PNDMScheduler", ToFirstEntry(Leading())),
        ("EulerDiscreteScheduler", Leading()),
        ("DPMSolverMultistepScheduler", Leading()),
        ("UniPCMultistepScheduler", Leading()),
        ("EulerAncestralDiscreteScheduler", Leading()),
    ):
        kind = getattr(diffusers, name)
        own = {k: v for k, v in config.items() if k != "set_alpha_to_one"}
        kind.from_config(own, timestep_spacing="leading").save_pretrained(place / "scheduler")
        process, how = steps.read(place)
        assert how.grid == grid and how.steps == 50, name
        assert torch.allclose(levels(process.schedule), levels(read(theirs[1]).latent.config.diffusion.schedule))
        assert process.weighting == (Simple() if prediction == "epsilon" else EDMWeight(1.0))
    changed(place, "scheduler/scheduler_config.json", timestep_spacing="linspace")
    assert steps.read(place)[1].grid == BothEnds()
    changed(place, "scheduler/scheduler_config.json", timestep_spacing="trailing")
    assert steps.read(place)[1].grid == UniformTime()


@pytest.mark.parametrize("form", PUBLISHED)
def test_weights_of_the_published_sizes_have_their_places(form: str) -> None:
    with torch.device("meta"):
        unet = diffusers.UNet2DConditionModel(**{"cross_attention_dim": 768, "sample_size": 64, **PUBLISHED[form]})
        vae = diffusers.AutoencoderKL(
            block_out_channels=(128, 256, 512, 512), layers_per_block=2,
            down_block_types=("DownEncoderBlock2D",) * 4, up_block_types=("UpDecoderBlock2D",) * 4,
        )  # fmt: skip
    entries = levels(steps.read_table({"beta_schedule": "scaled_linear"}, Path()).schedule)
    spatial = network.to_spatial({**network.DEFAULTS, **unet.config}, Path(), entries)
    coder = autoencoder.to_coder({**autoencoder.DEFAULTS, **vae.config}, Path())
    assert coder == stable_diffusion_coder() and coder.factor == 8
    if form == "one":
        assert spatial == stable_diffusion().changed(level="table")
    with FakeTensorMode():
        ours = [DiffusionUNet(spatial).state_dict(), Autoencoder(coder).state_dict()]
    for their, pairs, own in zip((unet, vae), (unet_pairs(spatial), autoencoder.pairs(coder)), ours, strict=True):
        state = {
            n: t[..., 0, 0] if n.endswith(network.SQUARE) and t.dim() == 4 else t for n, t in their.state_dict().items()
        }
        found = to_ours(state, pairs, Path())
        for name, tensor in found.items():
            assert tensor.shape == own[name].shape, name
        assert all(".level." in name for name in own.keys() - found.keys())
    millions = [round(sum(p.numel() for p in their.parameters()) / 1e6, 1) for their in (unet, vae)]
    assert millions == [859.5 if form == "one" else 865.9, 83.7]


XL, OTHER = "StableDiffusionXLPipeline", "StableDiffusionInpaintPipeline"
BAD = [
    ("model_index.json", {"_class_name": XL}, f"a '{XL}', which is not read: it has two text encoders"),
    ("model_index.json", {"_class_name": "StableDiffusion3Pipeline"}, "which is not read: it has three text encoders"),
    ("model_index.json", {"_class_name": "FluxPipeline"}, "a 'FluxPipeline', which is not read"),
    ("model_index.json", {"_class_name": OTHER}, "takes an image besides the words, or another network"),
    ("unet/config.json", {"_class_name": "UNet2DModel"}, "this part of the pipeline is a UNet2DConditionModel"),
    ("unet/config.json", {"addition_embed_type": "text_time"}, "addition_embed_type = 'text_time'"),
    ("unet/config.json", {"layers_per_block": 3}, "holds no down_blocks.0.resnets.2"),
    ("unet/config.json", {"transformer_layers_per_block": 2}, "holds no mid_block.*transformer_blocks.1"),
    ("unet/config.json", {"transformer_layers_per_block": [1, 2, 10]}, r"transformer_layers_per_block = \[1, 2, 10\]"),
    ("unet/config.json", {"in_channels": 9}, "in_channels, out_channels = 9"),
    ("unet/config.json", {"cross_attention_dim": 40}, "cross_attention_dim = 40: the text encoder beside it"),
    ("unet/config.json", {"sample_size": None}, "sample_size = None: the side of a square code"),
    ("unet/config.json", {"attention_head_dim": [3, 4, 4]}, r"heads = \(3, 4, 4\): must divide the widths"),
    ("vae/config.json", {"_class_name": "AutoencoderTiny"}, "a 'AutoencoderTiny'"),
    ("vae/config.json", {"shift_factor": 0.1}, "shift_factor = 0.1"),
    ("vae/config.json", {"latent_channels": 8}, "the weights for encoder.out.weight are"),
    ("vae/config.json", {"layers_per_block": 3}, "holds no encoder.down_blocks.0.resnets.2"),
    ("vae/config.json", {"scaling_factor": 0}, "scaling_factor = 0: must be a number above 0"),
    ("text_encoder/config.json", {"model_type": "t5"}, "model_type = 't5'"),
    ("text_encoder/config.json", {"num_hidden_layers": 5}, "holds no text_model.encoder.layers"),
    ("tokenizer/tokenizer_config.json", {"model_max_length": 10}, "model_max_length = 10: the text tower beside it"),
    ("tokenizer/tokenizer_config.json", {"pad_token": "<nothing>"}, "pad_token = '<nothing>'"),
    (
        "scheduler/scheduler_config.json",
        {"_class_name": "FlowMatchEulerDiscreteScheduler"},
        "which is no table of betas",
    ),
    ("scheduler/scheduler_config.json", {"rescale_betas_zero_snr": True}, "rescale_betas_zero_snr"),
    ("scheduler/scheduler_config.json", {"timestep_spacing": "odd"}, "timestep_spacing = 'odd': known are"),
]


@pytest.mark.parametrize("part, changes, why", BAD, ids=lambda value: str(value)[:40])
def test_what_does_not_fit_is_named(
    first: Path, tmp_path: Path, part: str, changes: dict[str, object], why: str
) -> None:
    place = Path(shutil.copytree(first, tmp_path / "bad"))
    changed(place, part, **changes)
    with pytest.raises(ValueError, match=why):
        import_run(place, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_what_is_missing_or_a_pickle_is_named(first: Path, tmp_path: Path) -> None:
    place = Path(shutil.copytree(first, tmp_path / "bad"))
    (place / "tokenizer" / "tokenizer.json").unlink()
    with pytest.raises(ValueError, match="tokenizer: holds no tokenizer; copy the one"):
        read(place)
    for part, name in (
        ("unet", "diffusion_pytorch_model"),
        ("vae", "diffusion_pytorch_model"),
        ("text_encoder", "model"),
    ):
        place = Path(shutil.copytree(first, tmp_path / part))
        (place / part / f"{name}.safetensors").rename(place / part / f"{name}.bin")
        with pytest.raises(ValueError, match=f"{part}/{name}.bin: a pickle, which can run code"):
            read(place)
    (tmp_path / "model.ckpt").touch()
    with pytest.raises(ValueError, match="model.ckpt: a pickle"):
        import_run(tmp_path / "model.ckpt", tmp_path / "run")


def test_half_precision_and_older_names_are_read(theirs: tuple[Any, Path], tmp_path: Path) -> None:
    """Variants end in .fp16; attention's parts once had other names, and towers stood in a text_model."""
    from safetensors.torch import load_file, save_file

    place, plain = Path(shutil.copytree(theirs[1], tmp_path / "half")), read(theirs[1])
    old = {"to_q": "query", "to_k": "key", "to_v": "value", "to_out.0": "proj_attn"}
    for part, name in (
        ("unet", "diffusion_pytorch_model"),
        ("vae", "diffusion_pytorch_model"),
        ("text_encoder", "model"),
    ):
        file = place / part / f"{name}.safetensors"
        state = {key: tensor.half() for key, tensor in load_file(file).items()}
        if part == "text_encoder":
            state = {f"text_model.{key}": tensor for key, tensor in state.items()}
        if part == "vae":
            for new, before in old.items():
                state = {k.replace(f"0.{new}.", f"0.{before}."): t for k, t in state.items()}
        file.unlink()
        save_file(state, place / part / f"{name}.fp16.safetensors")
    found = read(place)
    for ours in ("latent", "autoencoder", "clip"):
        other = getattr(plain, ours).state_dict()
        for key, tensor in getattr(found, ours).state_dict().items():
            assert tensor.dtype == torch.float32 and torch.allclose(tensor, other[key], atol=2e-3, rtol=1e-3), key
