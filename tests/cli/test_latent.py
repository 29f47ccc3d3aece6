"""Latent diffusion from captions to images, as a person types it; a killed run equals an uninterrupted one."""

import json
import re
import shlex
import shutil
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from tests.cli.conftest import Call
from tests.paint import PAINT, folder
from tests.quick_lecture import quicken

import unclip
from unclip.core.disk import store
from unclip.data.source import open_source
from unclip.generation.latent_diffusion import LatentPipeline
from unclip.generation.settings import Settings
from unclip.images.files import KEY, read_about
from unclip.models.autoencoder.training import AutoencoderLoss
from unclip.models.codes import latent_sampling
from unclip.models.latent import LatentDiffusion
from unclip.nn.autoencoder.coder import CoderConfig
from unclip.nn.autoencoder.patch_critic import PatchCriticConfig
from unclip.nn.backbones.unet import UNetConfig
from unclip.recipes.events import Event, Progress
from unclip.recipes.run import train_stages
from unclip.recipes.settings.run import RunConfig
from unclip.recipes.stages import AutoencoderRecipe, CLIPRecipe, LatentRecipe
from unclip.studies.explain.subject import open_run
from unclip.training.optim import OptimConfig
from unclip.training.trainer import TrainConfig

STAGES = ("clip", "autoencoder", "latent")
GRAIN = 10.0


def config(clip: int, autoencoder: int, latent: int) -> RunConfig:
    """Codes of 4 x 4 cells; numbers of steps."""

    def steps(n: int) -> TrainConfig:
        return TrainConfig(8, OptimConfig(lr=6e-3, muon_lr=6e-3, warmup=5), steps=n)

    loss = AutoencoderLoss(critic=PatchCriticConfig(width=16, layers=1))
    network = UNetConfig(patch=1, widths=(32,), blocks=(1,), attention=(True,), embedding=32, fine=8)
    return RunConfig(
        model="latent",
        size=8,
        precision="float32",
        workers=1,
        checkpoint_seconds=0.0,
        held_out=0.3,
        recipes={
            "clip": CLIPRecipe(16, text_width=32, text_layers=1, vision_stem=(16,), vision_width=32, train=steps(clip)),
            "autoencoder": AutoencoderRecipe(CoderConfig(widths=(16,), fine=8), loss, train=steps(autoencoder)),
            "latent": LatentRecipe(network, sampling=replace(latent_sampling(), steps=6), train=steps(latent)),
        },
    )


def events(data: Path, run: Path, config: RunConfig) -> Iterator[Event]:
    return train_stages(open_source(data), run, config, threading.Event(), force=True)


def test_killed_run_equals_uninterrupted(tmp_path: Path) -> None:
    data, short = folder(tmp_path / "data", 8, GRAIN), config(4, 6, 4)
    list(events(data, tmp_path / "whole", short))
    # At 1 there is no checkpoint yet; at 5 the critic has entered.
    for stage, at in (("clip", 1), ("autoencoder", 1), ("autoencoder", 5), ("latent", 1), ("latent", 2)):
        for event in events(data, tmp_path / "cut", short):
            if isinstance(event, Progress) and (event.stage, event.report.step) == (stage, at):
                break
    list(events(data, tmp_path / "cut", short))
    for stage in STAGES:
        a, b = (store.load(tmp_path / name / stage) for name in ("whole", "cut"))
        assert a.sha256 == b.sha256, stage
        assert not any(name.startswith(("critic", "eyes")) for name in a.tensors)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run that knows its three colours, beside its data."""
    root = tmp_path_factory.mktemp("latent")
    list(events(folder(root / "data", grain=GRAIN), root / "run", config(40, 120, 80)))
    state = json.loads((root / "run" / "state.json").read_text(encoding="utf-8"))
    assert state["autoencoder"]["passed"] and state["latent"]["passed"], state
    return root / "run"


def nearest(pictures: list[Image.Image]) -> list[int]:
    colours = np.array([np.asarray(p, dtype=float).mean((0, 1)) for p in pictures])
    return np.linalg.norm(colours[:, None] - PAINT, axis=-1).argmin(1).tolist()


def test_it_draws_what_is_asked_for(run: Path) -> None:
    model = unclip.load(run)
    assert isinstance(model, LatentPipeline) and model.size == 8
    pictures = model.generate(["white", "blue"], n=3, seed=7)
    assert nearest(pictures) == [2, 2, 2, 0, 0, 0]
    assert [p.info[KEY]["seed"] for p in pictures] == [7, 8, 9, 7, 8, 9]
    alone = model.generate(["blue"], seed=8)[0]
    assert np.abs(np.asarray(alone, dtype=int) - np.asarray(pictures[4], dtype=int)).max() <= 1
    guided = model.generate(["red"], settings=Settings(guidance=3.0))[0]
    assert guided.info[KEY]["sampling"]["guidance"] == {"kind": "ClassifierFree", "scale": 3.0}  # codes have no range
    with pytest.raises(ValueError, match="no prompt"):
        model.generate()
    with pytest.raises(ValueError, match="dynamic.* is for data in a known range"):
        model.generate(["red"], settings=Settings(form="dynamic"))


def test_a_negative_prompt_leads_elsewhere_and_is_printed(run: Path, call: Call, tmp_path: Path) -> None:
    words = ("generate", "red", "--run", run, "--guidance", 2, "--negative", "blue", "--out", tmp_path / "out")
    assert call(*words).code == 0
    picture = tmp_path / "out" / "red-0.png"
    again = shlex.split(call("info", picture).out.splitlines()[-1])
    assert again[again.index("--negative") + 1] == "blue"
    plain, led = (
        unclip.load(run).generate(["red"], settings=Settings(guidance=2.0, negative=negative))
        for negative in (None, "blue")
    )
    with Image.open(picture) as written:
        assert np.array_equal(np.asarray(written), np.asarray(led[0]))
    assert nearest(led) == [1] and not np.array_equal(np.asarray(led[0]), np.asarray(plain[0]))


def test_every_step_is_a_picture_when_looked_at(run: Path) -> None:
    model = unclip.load(run)
    assert isinstance(model, LatentPipeline)
    *way, end = model.steps(["red", "white"], [1, 2], Settings(steps=4))
    assert len(way) == 3 and end.log_snr == torch.inf
    for step in (*way, end):
        assert step.x.shape == step.x0.shape == (2, 3, 8, 8) and step.x0.abs().max() <= 1
    assert end.x is end.x and torch.equal(end.x, end.x0)


def test_evaluate_info_and_previews_as_typed(run: Path, call: Call, tmp_path: Path) -> None:
    done = call("evaluate", run, "-n", 8, "--split", "validation", "--json", tmp_path / "s.json")
    assert done.code == 0, done.err
    scores = json.loads((tmp_path / "s.json").read_text(encoding="utf-8"))["scores"]
    assert set(scores) >= {"retrieval", "autoencoder", "clip_score", "copies"} and "prior" not in scores
    assert scores["autoencoder"]["gain"] > 9 and scores["autoencoder"]["psnr"] > 15
    assert "psnr" in done.out
    done = call("info", run)
    assert "finished, model" in done.out and "autoencoder" in done.out and "PSNR" in done.out
    names = {p.name.rpartition("-")[0] for p in (run / "samples").glob("*-*.png")}
    assert {"autoencoder", "latent"} <= names
    assert "bits/dim (bpd) are those of a run of --model ddpm" in call("evaluate", run, "--bpd").err


def test_explained_by_its_own_codes(run: Path, call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    quicken(monkeypatch)
    opened = open_run(run)
    rows = opened.rows[:4].tolist()
    images, space = opened.subject.images(rows), opened.subject.space
    codes = space.encode(images)
    assert codes.shape[1:] == opened.subject.shape and space.factor == 8 // codes.shape[-1]
    assert (space.decode(codes) - images).square().mean() < 0.1
    whole = space.encode(opened.subject.images(range(len(opened.prepared.captions))))
    assert whole.std().item() == pytest.approx(1, abs=0.2)
    small = ("--steps", 2, "--samplers", "ddim", "-n", 1)
    done = call("explain", run, "--out", tmp_path / "out", *small, "--slides")
    assert done.code == 0, done.err
    slides = sorted(path.stem[3:] for path in (tmp_path / "out" / "slides").iterdir())
    assert len(slides) == 18 and {"guidance", "contrast"} < set(slides) and "prior" not in slides


def test_its_clip_classifies_and_searches(run: Path, call: Call, tmp_path: Path) -> None:
    picture = run.parent / "data" / "red" / "0.png"
    done = call("classify", picture, "--labels", "blue", "red", "zebra", "--run", run)
    assert done.code == 0, done.err
    assert "the word 'zebra'" in done.out
    assert next(line for line in done.out.splitlines() if str(picture) in line).split()[1] == "red"
    for query in ("red", str(picture)):
        done = call("search", query, "--run", run, "-n", 3, "--out", tmp_path)
        assert done.code == 0, done.err
        assert done.out.count("red/") == 3
    about = read_about(tmp_path / "search-0.png")
    assert about["stages"] == {"clip": store.load(run / "clip").sha256[:12]}
    Image.new("RGB", (1, 1)).save(tmp_path / "tiny.png")
    for words in (["classify", tmp_path / "tiny.png", "--labels", "red", "blue"], ["search", tmp_path / "tiny.png"]):
        done = call(*words, "--run", run)
        assert done.code == 2 and "tiny.png: is 1 x 1 pixels, too small for a model of 8 x 8; take one" in done.err


def test_autoguidance_leads_away_from_the_early_weights(run: Path, tmp_path: Path) -> None:
    model = unclip.load(run)
    assert isinstance(model, LatentPipeline)

    def code(model: LatentPipeline, form: str, scale: float) -> torch.Tensor:
        how = Settings(form=form, guidance=scale, sampler="ddim", steps=1)
        *_, end = model.steps(["red", "blue"], [1, 2], how)
        return vars(end)["step"].x

    good, mixed = code(model, "cfg", 1.0), code(model, "auto", 1.5)
    worse = code(replace(model, latent=model.stages.early(LatentDiffusion)), "cfg", 1.0)
    assert (good - worse).abs().max() > 0.05
    assert torch.allclose(mixed, worse + 1.5 * (good - worse), atol=1e-4)
    [picture] = model.generate(["red"], settings=Settings(form="auto", steps=2))
    drew = ("autoencoder", "latent", "early/latent")
    assert picture.info[KEY]["stages"] == {name: store.load(run / name).sha256[:12] for name in drew}
    old = shutil.copytree(run, tmp_path / "old")
    shutil.rmtree(old / "early")
    with pytest.raises(
        ValueError, match=f"{old}/early/latent: not there.* take --guidance-form cfg, or train it again"
    ):
        unclip.load(old).generate(["red"], settings=Settings(form="auto"))


def test_what_it_lacks_is_refused_by_its_name(run: Path, call: Call) -> None:
    picture = run.parent / "data" / "red" / "0.png"
    for words in (["upsample", picture], ["edit", picture], ["extend", picture, "--by", 0.5], ["vary", picture]):
        done = call(*words, "--run", run)
        assert done.code == 2 and "a latent diffusion, and only a run of --model unclip can do this" in done.err
    assert "only a run of --model unclip has priors" in call("generate", "red", "--run", run, "--prior", "text").err
    assert "a latent diffusion, which has no prior; name a run of --model unclip" in call("compare-priors", run).err
    done = call("add", "upsampler", "--run", run)
    assert done.code == 2 and "to a run of model = 'latent' can be added: nothing" in done.err


def test_info_of_a_run_a_stage_and_what_lies_between(run: Path, call: Call) -> None:
    told = call("info", run).out
    assert "early weights of latent, for --guidance-form auto: kept" in told and "can be added" not in told
    for name in STAGES:
        sha = store.load(run / name).sha256[:12]
        assert sha in told
        done = call("info", run / name)
        assert f"{run / name}: {name}, weights {sha}" in done.out and f"`unclip info {run}`" in done.out
    assert f"{run / 'early' / 'latent'}: latent, weights " in call("info", run / "early" / "latent").out
    assert [p.name for p in (run / "early").iterdir()] == ["latent"]
    assert f"it belongs to the run {run}: `unclip info {run}`" in call("info", run / "samples").err
    assert f"name a run in it, as {run}" in call("info", run.parent).err


@pytest.mark.parametrize(
    "words, why",
    [
        (["--size", "30"], "size = 30: .* take a multiple of 4 px"),
        (["--size", "32", "--set", "autoencoder.loss.critic.layers=4"], "layers = 4 needs images of 48 px"),
        (["--set", "clip.vision=vit"], "clip.vision = 'vit': the perceptual loss looks through"),
        (["--set", "latent.diffusion.vlb_weight=0.001"], "latent.diffusion.vlb_weight = 0.001: a learned variance"),
        (["--set", "autoencoder.loss.kl=-1"], "kl = -1"),
        (["--set", "decoder.share=2"], "a run of model = 'latent' has no such stage"),
        (["--preset", "tiny"], "trains model = 'unclip', not 'latent'"),
    ],
)
def test_settings_that_cannot_work_are_refused_before_any_work(
    words: list[str], why: str, call: Call, tmp_path: Path
) -> None:
    done = call("train", "shapes", "--model", "latent", "--out", tmp_path / "run", *words)
    assert done.code == 2 and re.search(why, " ".join(done.err.split())), done.err
    assert not (tmp_path / "run").exists()
