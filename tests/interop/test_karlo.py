"""Karlo's folder, as diffusers keeps it, is a run that draws what diffusers draws from the same noise."""

import copy
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.cli.conftest import Call, call  # noqa: F401  # a fixture
from tests.interop.changes import changed
from tests.interop.karlos import DECODER, PUBLISHED, SIDE, UPSAMPLER, WIDTH, exact, karlo

os.environ.setdefault("HF_HUB_OFFLINE", "1")
diffusers = pytest.importorskip("diffusers")
pytest.importorskip("transformers")

from torch._subclasses.fake_tensor import FakeTensorMode  # noqa: E402

import unclip  # noqa: E402
from unclip.core.noise import Noise  # noqa: E402
from unclip.diffusion.schedules import CosineBeta  # noqa: E402
from unclip.generation.settings import Settings  # noqa: E402
from unclip.interop.ddpm.conditional import DEFAULTS as MADE_OF  # noqa: E402
from unclip.interop.ddpm.names import pairs as unet_pairs  # noqa: E402
from unclip.interop.ddpm.read import DEFAULTS, to_network  # noqa: E402
from unclip.interop.ddpm.scheduler import levels  # noqa: E402
from unclip.interop.karlo.decoder import as_plain  # noqa: E402
from unclip.interop.karlo.prior import NET  # noqa: E402
from unclip.interop.karlo.prior import pairs as prior_pairs  # noqa: E402
from unclip.interop.karlo.read import read  # noqa: E402
from unclip.interop.weights import to_ours  # noqa: E402
from unclip.nn.backbones.diffusion_unet import DiffusionUNet  # noqa: E402
from unclip.nn.blocks.embed import Standardize  # noqa: E402
from unclip.nn.prior.caption_net import PriorNetConfig  # noqa: E402
from unclip.nn.prior.prior_net import PriorNet  # noqa: E402
from unclip.recipes.start.imported import import_run  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
PROMPTS, SEEDS = ["a red heart", "the sun and a blue circle"], [3, 4]


@pytest.fixture(scope="module")
def theirs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Path]:
    """The pipeline, and where it is saved."""
    place = tmp_path_factory.mktemp("karlo")
    pipe = karlo(place / "words")
    pipe.set_progress_bar_config(disable=True)
    pipe.save_pretrained(place / "theirs")
    return pipe, place / "theirs"


@pytest.fixture(scope="module")
def run(theirs: tuple[Any, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("run") / "run"
    import_run(theirs[1], place)
    return place


def same_noise(monkeypatch: pytest.MonkeyPatch) -> dict[str, torch.Tensor]:
    """Lets diffusers draw as unclip does; returns the states that it starts from."""
    root = Noise.per_sample(SEEDS)
    streams = {
        (2, WIDTH): root.fork("prior0"),
        (2, 3, SIDE, SIDE): root.fork("decoder"),
        (2, 3, 4 * SIDE, 4 * SIDE): root.fork("upsampler1"),
    }
    names = ("prior_latents", "decoder_latents", "super_res_latents")
    start = {name: stream.normal(shape) for name, (shape, stream) in zip(names, streams.items(), strict=True)}
    drawn = lambda shape, **how: streams[tuple(shape)].normal(tuple(shape))  # noqa: E731
    monkeypatch.setattr("diffusers.schedulers.scheduling_unclip.randn_tensor", drawn)
    return start


def their_pictures(pipe: Any, monkeypatch: pytest.MonkeyPatch, **scales: float) -> torch.Tensor:
    made = pipe(PROMPTS, **same_noise(monkeypatch), **scales, output_type="np").images
    return torch.from_numpy(made).permute(0, 3, 1, 2) * 2 - 1


@pytest.mark.usefixtures("in_float32")
@torch.no_grad()
def test_the_same_pictures_from_the_same_noise(
    theirs: tuple[Any, Path], run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = unclip.load(run).sample_images(PROMPTS, SEEDS, Settings())
    assert found.shape == (2, 3, 4 * SIDE, 4 * SIDE)
    assert found.std() > 0.1 and (found[0] - found[1]).abs().max() > 0.1
    away = (found - their_pictures(theirs[0], monkeypatch)).abs()  # their tables are float32; few pixels show it
    assert away.mean() < 1e-3 and away.max() < 0.1
    pipe = exact(copy.deepcopy(theirs[0]))
    assert (found - their_pictures(pipe, monkeypatch)).abs().max() < 1e-3
    found = unclip.load(run).sample_images(PROMPTS, SEEDS, Settings(guidance=1.0, size=SIDE))
    assert (found - unclip.load(run).sample_images(PROMPTS, SEEDS, Settings(size=SIDE))).abs().max() > 1e-2


@torch.no_grad()
def test_its_networks_say_the_same_at_every_level(theirs: tuple[Any, Path]) -> None:
    pipe, ours = theirs[0], read(theirs[1])
    told = pipe.tokenizer(PROMPTS, padding="max_length", return_tensors="pt")
    read_by, seen = pipe.text_encoder(told.input_ids), told.attention_mask.bool()
    ids, mask = ours.tokenizer(PROMPTS)
    _, tokens = ours.clip.embed_text(ids, mask)
    z, noisy = 3 * Noise.shared("z").normal((2, WIDTH)), Noise.shared("x").normal((2, 3, SIDE, SIDE))
    hidden, vector = pipe.text_proj(
        image_embeddings=z, prompt_embeds=read_by.text_embeds, text_encoder_hidden_states=read_by.last_hidden_state,
        do_classifier_free_guidance=False,
    )  # fmt: skip
    cond, large = ours.upsampler.condition(noisy, torch.zeros(2)), Noise.shared("y").normal((2, 3, 4 * SIDE, 4 * SIDE))
    for t in (0, 1, 500, 999):
        level = levels(ours.prior.config.diffusion.schedule)[t].float().expand(2)
        expected = pipe.prior(
            z, torch.tensor(t), read_by.text_embeds, read_by.last_hidden_state, seen
        ).predicted_image_embedding
        assert ours.prior.unscaled is not None
        found = ours.prior.diffusion.denoiser.network(z, level, ours.prior.unscaled(tokens, mask)[0])
        assert (found - expected).abs().max() < 1e-5
        wide = torch.nn.functional.pad(seen, (4, 0), value=True)
        expected = pipe.decoder(noisy, t, hidden, class_labels=vector, attention_mask=wide).sample
        found = ours.decoder.diffusion.denoiser.network(noisy, level, ours.decoder.conditions(z, ids, mask)[0])
        assert (found - expected).abs().max() < 1e-5
        assert cond.image is not None
        larger = pipe.super_res_first if t else pipe.super_res_last
        expected = larger(torch.cat([large, cond.image], dim=1), t).sample
        assert (ours.upsampler.diffusion.denoiser.network(large, level, cond) - expected).abs().max() < 1e-5


def test_weights_of_the_published_sizes_have_their_places() -> None:
    entries = levels(CosineBeta())
    with torch.device("meta"):
        prior = diffusers.PriorTransformer()
        decoder = diffusers.UNet2DConditionModel(**{**DECODER, **PUBLISHED["decoder"]})
        larger = diffusers.UNet2DModel(**{**UPSAMPLER, **PUBLISHED["super_res_first"]})
    assert round(sum(p.numel() for p in prior.parameters()) / 1e9, 2) == 1.02
    net = PriorNetConfig(768, 768, 77, width=2048, layers=20, heads=32, level="table")
    unet = to_network(as_plain({**MADE_OF, **decoder.config}), "", entries)
    unet = unet.changed(vector_width=2 * 768, token_width=1536)
    steep = to_network({**DEFAULTS, **larger.config, "in_channels": 3}, "", entries).changed(image_channels=3)
    with FakeTensorMode():  # a "meta" device is not every library's: some put functions of torch's own in its place
        prior_net, ours = (
            PriorNet(net).state_dict(),
            [DiffusionUNet(unet).state_dict(), DiffusionUNet(steep).state_dict()],
        )
        scaling = {f"statistics.{name}": tensor for name, tensor in Standardize(768).state_dict().items()}
    ours = [{f"{NET}.{name}": tensor for name, tensor in prior_net.items()} | scaling, *ours]
    named = prior_pairs(net), unet_pairs(unet), unet_pairs(steep)
    for theirs, pairs, own in zip((prior, decoder, larger), named, ours, strict=True):
        found = to_ours(theirs.state_dict(), pairs, Path())
        for name, tensor in found.items():
            assert tensor.numel() == own[name].numel() and tensor.shape[-1] == own[name].shape[-1], name
        left = own.keys() - found.keys()
        assert all("embedding.vector" in name or ".level." in name for name in left), left


def test_a_person_takes_it_in_and_draws(theirs: tuple[Any, Path], call: Call, tmp_path: Path) -> None:  # noqa: F811
    run = tmp_path / "run"
    done = call("import", theirs[1], "--out", run)
    assert (done.code, done.err) == (0, "")
    assert f"a text-to-image model of {SIDE} px, enlarged to {4 * SIDE}" in done.out
    done = call("generate", "a red heart", "--run", run, "-n", 2, "--steps", 2, "--out", tmp_path / "out")
    assert done.code == 0, done.err
    assert "not judged: imported from theirs" in call("info", run).out
    done = call("classify", tmp_path / "out" / "grid.png", "--labels", "a", "b", "--run", run)
    assert "this model's CLIP has no image tower" in done.err
    (tmp_path / "data").mkdir()
    refused = call("train", tmp_path / "data", "--from", run, "--out", tmp_path / "on")
    assert refused.code == 2 and "has no image tower" in refused.err


BAD = [
    ("model_index.json", {"_class_name": "UnCLIPImageVariationPipeline"}, "unclip takes in DDPMPipeline"),
    ("prior/config.json", {"embedding_dim": 48}, "embedding_dim = 48: the text encoder beside it has embeddings of 24"),
    ("prior/config.json", {"num_layers": 3}, "holds no transformer_blocks.2"),
    ("prior/config.json", {"num_layers": 1}, "transformer_blocks.1.* has no place"),
    ("prior/config.json", {"added_emb_type": "none"}, "added_emb_type = 'none': unclip's network has prd"),
    ("decoder/config.json", {"sample_size": 48}, "sample_size = 48: unclip's decoders draw 32 or 64 px"),
    ("decoder/config.json", {"layers_per_block": 3}, "holds no down_blocks.0.resnets.2"),
    ("decoder/config.json", {"class_embed_type": "timestep"}, "class_embed_type = 'timestep'"),
    (
        "decoder/config.json",
        {"_class_name": "UNet2DModel"},
        "a 'UNet2DModel', and this part of the pipeline is a UNet2DConditionModel",
    ),
    ("text_proj/config.json", {"cross_attention_dim": 32}, "cross_attention_dim = 32: the parts beside it mean 40"),
    ("text_encoder/config.json", {"model_type": "t5"}, "model_type = 't5'"),
    ("super_res_first/config.json", {"sample_size": 100}, "sample_size = 100: must be a multiple of"),
    ("super_res_last/config.json", {"layers_per_block": 2}, "layers_per_block = 2, and super_res_first has 1"),
    ("prior_scheduler/scheduler_config.json", {"_class_name": "DDIMScheduler"}, "Karlo's is an UnCLIPScheduler"),
]


@pytest.mark.parametrize("part, changes, why", BAD, ids=lambda value: str(value)[:40])
def test_what_does_not_fit_is_named(
    theirs: tuple[Any, Path], tmp_path: Path, part: str, changes: dict, why: str
) -> None:
    place = Path(shutil.copytree(theirs[1], tmp_path / "bad"))
    changed(place, part, **changes)
    with pytest.raises(ValueError, match=why):
        import_run(place, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_what_is_missing_or_a_pickle_is_named(theirs: tuple[Any, Path], tmp_path: Path) -> None:
    place = Path(shutil.copytree(theirs[1], tmp_path / "bad"))
    (place / "tokenizer" / "tokenizer.json").unlink()
    with pytest.raises(ValueError, match="tokenizer: holds no tokenizer; copy the one"):
        read(place)
    for part in ("prior", "decoder", "super_res_last", "text_proj"):
        place = Path(shutil.copytree(theirs[1], tmp_path / part))
        file = place / part / "diffusion_pytorch_model.safetensors"
        file.rename(file.with_suffix(".bin"))
        with pytest.raises(ValueError, match=f"{part}/diffusion_pytorch_model.bin: a pickle, which can run code"):
            read(place)
