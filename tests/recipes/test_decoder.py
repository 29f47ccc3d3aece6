"""The decoder's settings: the presets' numbers, the paper's, a text tower of its own, run files of before."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from tests import arrays

from unclip.clip.model import CLIP, CLIPConfig
from unclip.clip.text import TextConfig
from unclip.clip.vision import VisionConfig
from unclip.core.noise import Noise, initial_weights
from unclip.data.loader import to_tensor
from unclip.data.prepare.write import prepare
from unclip.data.shapes.world import World
from unclip.diffusion.guidance import ClassifierFree
from unclip.diffusion.process import DiffusionConfig, Sampling
from unclip.diffusion.samplers import DDIM, Ancestral
from unclip.diffusion.schedules import CosineBeta, LogNormal
from unclip.editing.fill import Painter, Request
from unclip.evaluation.fidelity.reconstruction import score_reconstruction
from unclip.generation.settings import Settings
from unclip.generation.text_to_image import TextToImage
from unclip.models.autoencoder.shipped import shipped_autoencoder, shipped_coder
from unclip.models.autoencoder.space import CodeSpace
from unclip.models.decoder import Decoder, DecoderConfig
from unclip.nn.backbones.diffusion_unet import DiffusionUNetConfig
from unclip.nn.backbones.unet import UNetConfig
from unclip.recipes.context import Context
from unclip.recipes.presets import PRESETS
from unclip.recipes.settings.run import RunConfig, merge, read_settings, write_settings
from unclip.recipes.stages import CLIPRecipe, DecoderRecipe
from unclip.recipes.stages.base import build
from unclip.recipes.stages.noisy_clip import NoisyCLIPRecipe
from unclip.runs.folder import RunFolder
from unclip.studies.demo import demo_config
from unclip.text.tokenizer import Tokenizer

CLIPS = CLIPConfig(TextConfig(300, 20, 128, 3, 4), VisionConfig(32), width=128)


def test_above_32_px_the_tiny_preset_denoises_codes_at_8_positions():
    assert PRESETS["tiny"](32) == PRESETS["pixels-tiny"](32) and PRESETS["tiny"](64) == PRESETS["codes-tiny"](64)
    for size, patch in ((32, 1), (64, 2)):
        config = PRESETS["codes-tiny"](size).of(DecoderRecipe).config(size, replace(CLIPS, vision=VisionConfig(size)))
        assert isinstance(config.network, UNetConfig) and config.coder == shipped_coder()
        assert (config.network.patch, config.network.channels, config.side) == (
            patch,
            shipped_coder().latent,
            size // 4,
        )
        assert config.side // config.network.multiple == 8


def test_settings_of_codes_come_back_from_a_file_without_the_limits_of_images(tmp_path: Path):
    asked = PRESETS["codes-tiny"](64)
    write_settings(tmp_path / "run.toml", asked)
    back = RunConfig.from_dict(read_settings(tmp_path / "run.toml"))
    assert back == asked
    r = back.of(DecoderRecipe)
    assert r.diffusion.limit is None and r.sampling.guidance == ClassifierFree(2.0)


@pytest.mark.parametrize(
    "config, size, network, mean, std, train",
    [
        (PRESETS["tiny"](32), 32, UNetConfig(3, 2, (32, 64), (1, 4), (False, True)), 0.8, 1.2, (32, 2e-3, 3e-3)),
        (demo_config(60.0), 32, UNetConfig(3, 2, (32, 48), (1, 4), (False, True)), 0.8, 1.2, (32, 2e-3, 3e-3)),
        (
            PRESETS["pixels-tiny"](64),
            64,
            UNetConfig(3, 2, (24, 48, 96), (1, 1, 4), (False, False, True)),
            0.6,
            1.4,
            (32, 2e-3, 3e-3),
        ),
        (
            PRESETS["small"](64),
            64,
            UNetConfig(3, 4, (128, 256, 384), (2, 2, 4), (False, True, True)),
            0.8,
            1.2,
            (256, 5e-4, 0.0),
        ),
    ],
    ids=["tiny32", "demo", "pixels64", "small"],
)
def test_the_presets_keep_their_numbers(
    config: RunConfig, size: int, network: UNetConfig, mean: float, std: float, train: tuple[float, ...]
):
    r = config.of(DecoderRecipe)
    assert r.config(config.size, CLIPS) == DecoderConfig(
        size=size,
        embedding_width=128,
        text=CLIPS.text,
        network=replace(network, vector_width=256, token_width=128),
        diffusion=DiffusionConfig(LogNormal(mean, std, s_min=0.01, s_max=80.0, s_last=0.1), limit=1.0),
        sampling=Sampling(steps=24, sampler=DDIM(eta=1.0), guidance=ClassifierFree(2.0, limit=1.0)),
        drop_embedding=0.1,
        drop_caption=0.5,
        image_tokens=4,
    )
    assert (r.train.batch, r.train.optim.lr, r.train.optim.muon_lr) == train
    assert (r.share, r.text) == ((0.61, "frozen") if config.budget == 60.0 else (0.75, "clip"))


@pytest.mark.parametrize("size, attention", [(64, (False, True, True, True)), (32, (True, True, True, False))])
def test_the_papers_settings(size: int, attention: tuple[bool, ...]):
    run = PRESETS["paper"](size)
    r = run.of(DecoderRecipe)
    config = r.config(size, CLIPS)
    network, diffusion = config.network, config.diffusion
    assert isinstance(network, DiffusionUNetConfig)
    assert (network.multipliers, network.blocks, network.head_width) == ((1, 2, 3, 4), 3, 64)
    assert (network.attention, network.block.dropout, network.learned_variance) == (attention, 0.1, True)
    assert (diffusion.schedule, type(diffusion.parameterization).__name__) == (CosineBeta(1000), "Eps")
    assert (diffusion.vlb_weight, config.sampling.steps) == (0.001, 250)
    assert (config.sampling.sampler, config.text.width, config.text.heads) == (Ancestral("learned"), 512, 8)
    assert (config.drop_embedding, config.drop_caption, config.image_tokens) == (0.1, 0.5, 4)
    optim = r.train.optim
    assert (optim.lr, optim.beta2, optim.decay, optim.muon_lr, r.train.ema_decay) == (1.2e-4, 0.999, 0.0, 0.0, 0.9999)


def test_at_the_papers_size_it_has_the_papers_parameters():
    """Width 512, text 2048 x 24: "3.5 B" in table 3 of unCLIP, of which 1.2 B are the text transformer (GLIDE, 4.1)."""
    paper = PRESETS["paper"](64).of(DecoderRecipe)
    wide = replace(paper, network=paper.network.changed(width=512), text_width=2048, text_layers=24)
    clip = replace(CLIPS, width=1024, text=replace(CLIPS.text, context=256))
    config = wide.config(64, clip)
    plain = replace(  # a learned variance reads its schedule's numbers, which `meta` has none of
        config, diffusion=DiffusionConfig(), network=config.network.changed(learned_variance=False)
    )
    with torch.device("meta"):
        model = Decoder(plain)
    assert config.text.heads == 32
    assert sum(p.numel() for p in model.parameters()) == pytest.approx(3.5e9, rel=0.02)
    assert sum(p.numel() for p in model.text.transformer.parameters()) == pytest.approx(1.2e9, rel=0.02)


def test_another_network_and_a_learned_variance_from_the_command_line():
    table = {"decoder": {"network": {"kind": "DiffusionUNetConfig", "width": 64}, "diffusion": {"vlb_weight": 0.001}}}
    r = RunConfig.from_dict(merge(PRESETS["tiny"](32).to_dict(), table)).of(DecoderRecipe)
    found = r.config(32, CLIPS)
    assert found.network == DiffusionUNetConfig(width=64, vector_width=256, token_width=128, learned_variance=True)
    assert found.sampling == replace(r.sampling, sampler=Ancestral("learned"))
    other = replace(r, sampling=Sampling(sampler=DDIM()))
    assert other.config(32, CLIPS).sampling.sampler == DDIM()
    network = {"kind": "UNetConfig", "patch": 64, "widths": [16], "blocks": [1], "attention": [False]}
    with pytest.raises(ValueError, match="size = 32: .* draws multiples of 64 px"):
        RunConfig.from_dict({"size": 32, "decoder": {"network": network}})


def context(folder: Path, decoder: DecoderRecipe) -> Context:
    """A run of 8 images whose CLIP has random weights."""
    pixels = np.random.default_rng(0).integers(0, 256, (8, 32, 32, 3), dtype=np.uint8)
    words = [("a red heart",), ("a blue star",)] * 4
    data = arrays.prepared(folder / "data", list(pixels), words)
    clips = CLIPRecipe(width=16, text_width=32, text_layers=1)
    config = RunConfig(size=32, recipes={"clip": clips, "decoder": decoder})
    ctx = Context(RunFolder(folder), config, data, "cpu", "float32")
    tokens = Tokenizer.train([c for row in words for c in row])
    text = TextConfig(tokens.size, tokens.context, 32, 1, 1)
    with initial_weights("test"):
        clip = CLIP(CLIPConfig(text, VisionConfig(32, stem=(8, 16), width=32, layers=1, heads=1), width=16))
    ctx.modules["clip"] = clip
    vars(ctx).update(tokenizer=tokens, embeddings=Noise.shared("z").normal((8, 16)))
    return ctx


@pytest.mark.parametrize("text", ["clip", "frozen", "own"])
def test_the_text_tower_starts_as_clips_or_on_its_own(tmp_path: Path, text: str):
    network = UNetConfig(patch=4, widths=(16,), blocks=(1,), attention=(True,), head_width=16, embedding=32, fine=0)
    ctx = context(tmp_path, DecoderRecipe(network=network, text=text, text_width=64, text_layers=2))  # pyright: ignore
    stage = build(ctx, "decoder")
    assert isinstance(stage.module, Decoder)
    tower, clips = stage.module.text, ctx.clip.text
    if text != "own":
        assert all(torch.equal(a, b) for a, b in zip(tower.parameters(), clips.parameters(), strict=True))
    else:
        assert tower.config == replace(clips.config, width=64, layers=2, heads=1)
    loss = stage.module.loss(stage.feed(0), Noise.shared(0)).total
    loss.backward()
    assert torch.isfinite(loss)
    learns = {p.grad is not None for p in tower.parameters()}
    assert learns == {text != "frozen"}


def test_a_decoder_of_codes_takes_the_autoencoder_that_ships_and_codes_made_once(tmp_path: Path):
    network = UNetConfig(patch=1, widths=(16,), blocks=(1,), attention=(True,), head_width=16, embedding=32, fine=0)
    ctx = context(tmp_path, DecoderRecipe(network=network, space="codes"))
    ctx.folder.root.mkdir(exist_ok=True)
    stage = build(ctx, "decoder")
    assert isinstance(stage.module, Decoder) and isinstance(stage.module.space, CodeSpace)
    shipped = shipped_autoencoder()
    images = to_tensor(ctx.prepared.images[:4])
    moments = shipped.encode(images).moments
    torch.testing.assert_close(ctx.codes_by(shipped)[:4], moments, atol=1e-4, rtol=1e-4)
    batch = stage.feed(0)
    assert batch.images is None and batch.latents is not None
    loss = stage.module.loss(batch, Noise.shared(0)).total
    loss.backward()
    assert torch.isfinite(loss)
    made = stage.module.space.decode(stage.module.space.encode(images))
    torch.testing.assert_close(made, shipped.reconstruct(images), atol=1e-3, rtol=0)
    ctx.modules["decoder"] = stage.module
    with pytest.raises(ValueError, match="guides a decoder of pixels, and this run's denoises codes"):
        NoisyCLIPRecipe().build(ctx, "noisy_clip")
    model = TextToImage(ctx.tokenizer, ctx.clip, decoder=stage.module)
    assert model.limit is None and model.resolved(Settings(guidance=3.0)).guidance == ClassifierFree(3.0)
    painter = Painter(model, Request(settings=Settings(guidance=3.0)), torch.zeros(1, 16), "repaint")
    assert painter.how.guidance == ClassifierFree(3.0)
    how, words = model.resolved(Settings(clip=2.0)), ctx.tokenizer(["a red heart"])
    with pytest.raises(ValueError, match="CLIP guidance sees noisy images"):
        model.guided(how, torch.zeros(1, 16), *words)


def test_the_autoencoder_that_ships_keeps_images_that_it_never_saw(tmp_path: Path):
    shipped = shipped_autoencoder()
    world = prepare(World(32, scenes=64, seed=17), tmp_path, 32)
    found = score_reconstruction(shipped.reconstruct, to_tensor(world.images[:64]))
    assert found["psnr"] > 32 and 0.9 < found["roughness"] < 1.15
