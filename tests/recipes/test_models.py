"""A run is the stages of its model: settings, presets, classes, batches of images."""

from pathlib import Path

import numpy as np
import pytest
import torch
from tests import arrays

from unclip.data.loader import to_tensor
from unclip.data.prepare.write import Prepared
from unclip.diffusion.samplers import Ancestral
from unclip.diffusion.schedules import LinearBeta
from unclip.models.ddpm import DDPM
from unclip.nn.backbones.dit import DiTConfig
from unclip.recipes.context import Context
from unclip.recipes.feed import PictureFeed
from unclip.recipes.presets import DEFAULTS, PRESETS
from unclip.recipes.settings.recipe import models, stages_of
from unclip.recipes.settings.run import RunConfig, merge, read_settings, write_settings
from unclip.recipes.stages import CLIPRecipe, DDPMRecipe
from unclip.recipes.stages.families.classed import labels
from unclip.runs.folder import RunFolder


def prepared(folder: Path, captions: list[tuple[str, ...]]) -> Prepared:
    """Images of noise, each with its own number in the first pixel."""
    pixels = np.random.default_rng(0).integers(0, 256, (len(captions), 8, 8, 3), dtype=np.uint8)
    return arrays.prepared(folder, list(pixels), captions)


def context(folder: Path, captions: list[tuple[str, ...]]) -> Context:
    config = RunConfig(model="ddpm", size=8)
    return Context(RunFolder(folder), config, prepared(folder / "data", captions), "cpu", "float32")


@pytest.mark.parametrize("name", PRESETS)
def test_settings_hold_the_stages_of_their_model_and_come_back(name: str, tmp_path: Path):
    config = PRESETS[name](32)
    write_settings(tmp_path / "run.toml", config)
    table = read_settings(tmp_path / "run.toml")
    assert RunConfig.from_dict(table) == config
    tables = {key for key, value in table.items() if isinstance(value, dict)}
    assert tables == set(config.stages) == set(stages_of(config.model)) == set(RunFolder(tmp_path).stages)
    assert RunFolder(tmp_path).model == config.model
    assert set(DEFAULTS) == set(models()) and all(PRESETS[p](32).model == m for m, p in DEFAULTS.items())


def test_settings_of_the_first_version_are_unclips(tmp_path: Path):
    (tmp_path / "run.toml").write_text("size = 32\nseed = 3\n[clip]\nwidth = 64\n", encoding="utf-8")
    assert RunFolder(tmp_path).model == "unclip"
    config = RunConfig.from_dict(read_settings(tmp_path / "run.toml"))
    assert (config.model, config.seed, config.of(CLIPRecipe).width) == ("unclip", 3, 64)


def test_a_stage_of_another_model_is_refused():
    with pytest.raises(ValueError, match="mine: decoder: a run of model = 'ddpm' has no such stage; leave it out"):
        RunConfig.from_dict({"model": "ddpm", "size": 32, "decoder": {"share": 0.5}}, "mine")


@pytest.mark.parametrize("model, stage", [("unclip", "decoder"), ("ddpm", "ddpm"), ("latent", "latent")])
def test_guidance_by_another_model_is_no_setting_of_training(model: str, stage: str):
    settings = {"model": model, "size": 64, stage: {"sampling": {"guidance": {"kind": "Autoguidance", "scale": 2.0}}}}
    with pytest.raises(ValueError, match=rf"{stage}.sampling.guidance: Auto.* \(worse\), .* --guidance-form auto"):
        RunConfig.from_dict(settings)
    inner = {"kind": "LimitedInterval", "of": {"kind": "CLIPGuidance"}}
    with pytest.raises(ValueError, match=r"LimitedInterval needs a model \(log_p\)"):
        RunConfig.from_dict({"model": model, "size": 64, stage: {"sampling": {"guidance": inner}}})


def test_the_papers_settings():
    config = PRESETS["ddpm-cifar10"](32)
    r = config.of(DDPMRecipe)
    train, model = r.train, r.config(32, ())
    with torch.device("meta"):
        assert sum(p.numel() for p in DDPM(model).parameters()) == 35_746_307
    assert r.diffusion.schedule == LinearBeta(1e-4, 0.02, 1000)
    assert (model.sampling.steps, model.sampling.sampler) == (1000, Ancestral("beta"))
    assert (train.batch, train.steps, train.ema_decay, train.cooldown) == (128, 800_000, 0.9999, 0.0)
    optim = train.optim
    assert (optim.lr, optim.muon_lr, optim.warmup, optim.decay, optim.clip) == (2e-4, 0.0, 5000, 0.0, 1.0)
    assert (optim.beta1, optim.beta2, r.flip, r.network.block.dropout) == (0.9, 0.999, True, 0.1)  # pyright: ignore


def test_another_kind_replaces_the_table_of_settings():
    base = {"network": {"kind": "UNetConfig", "patch": 2, "channels": 3}, "seed": 1}
    assert merge(base, {"network": {"channels": 1}})["network"] == {"kind": "UNetConfig", "patch": 2, "channels": 1}
    assert merge(base, {"network": {"kind": "UNetConfig", "patch": 4}})["network"]["channels"] == 3
    assert merge(base, {"network": {"kind": "DiTConfig"}}) == {"network": {"kind": "DiTConfig"}, "seed": 1}


def test_the_network_follows_the_classes():
    config = RunConfig.from_dict({"model": "ddpm", "size": 8, "ddpm": {"network": {"kind": "DiTConfig", "width": 48}}})
    assert config.of(DDPMRecipe).config(config.size, ("a", "b")).network == DiTConfig(width=48, vector_width=2)
    assert "scale" in config.of(DDPMRecipe).config(config.size, ("a",)).sampling.to_dict()["guidance"]
    assert config.of(DDPMRecipe).config(config.size, ()).sampling.to_dict()["guidance"] == {"kind": "Unguided"}


def test_classes_are_first_captions_in_order(tmp_path: Path):
    ctx = context(tmp_path, [("dog", "a dog"), ("cat",), ("dog",)])
    assert ctx.classes == ("cat", "dog")
    assert labels(ctx).tolist() == [1, 0, 1]


def test_too_many_captions_are_no_classes(tmp_path: Path):
    ctx = context(tmp_path, [(f"caption {i}",) for i in range(1001)])
    with pytest.raises(ValueError, match="1,001 different captions .* are not classes, 1,000 at most"):
        _ = ctx.classes


def test_batches_of_pictures(tmp_path: Path):
    data = prepared(tmp_path, [("x",)] * 40)
    rows, names = np.arange(10, 40), np.arange(40)
    plain, flipped = (PictureFeed(data, rows, 16, 3, names, flip=flip) for flip in (False, True))
    a, b, again = plain(5), flipped(5), flipped(5)
    assert a.images is not None and b.images is not None and again.images is not None
    assert a.labels is not None and b.labels is not None
    assert torch.equal(a.labels, b.labels) and torch.equal(b.images, again.images)
    mirrored = [bool((x != y).any()) for x, y in zip(a.images, b.images, strict=True)]
    assert 2 < sum(mirrored) < 14
    for i, m in enumerate(mirrored):
        assert torch.equal(b.images[i], a.images[i].flip(-1) if m else a.images[i])
        assert torch.equal(a.images[i], to_tensor(data.images[int(a.labels[i])][None])[0])
    gray = PictureFeed(data, rows, 4, 3, channels=1)(0)
    assert gray.labels is None and gray.images is not None and gray.images.shape == (4, 1, 8, 8)
    with pytest.raises(ValueError, match="channels = 4"):
        PictureFeed(data, rows, 4, 3, channels=4)(0)
