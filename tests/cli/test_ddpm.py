"""A plain DDPM from images to images, as a person types it; and a killed run equals an uninterrupted one."""

import json
import shutil
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.cli.conftest import Call
from tests.paint import CLASSES, PAINT, folder

import unclip
from unclip.core.disk import store
from unclip.data.source import open_source
from unclip.diffusion.process import DiffusionConfig
from unclip.diffusion.schedules import LinearBeta
from unclip.generation.ddpm import DDPMPipeline
from unclip.generation.settings import Settings
from unclip.images.files import KEY, read_about
from unclip.nn.backbones.unet import UNetConfig
from unclip.recipes.events import Event, Gate, Note, Progress, Stopped
from unclip.recipes.run import train_stages
from unclip.recipes.settings.run import RunConfig
from unclip.recipes.stages import DDPMRecipe
from unclip.training.checkpoint import read_log
from unclip.training.optim import OptimConfig
from unclip.training.trainer import TrainConfig


def config(steps: int) -> RunConfig:
    network = UNetConfig(patch=2, widths=(16,), blocks=(1,), attention=(False,), embedding=32, fine=8)
    few = TrainConfig(8, OptimConfig(lr=8e-3, muon_lr=8e-3, warmup=5), steps=steps)
    recipe = DDPMRecipe(classes=True, network=network, train=few)
    coarse = DiffusionConfig(LinearBeta(1e-3, 0.2, T=50), limit=1.0)
    recipe = replace(recipe, sampling=replace(recipe.sampling, steps=8), diffusion=coarse)
    often = RunConfig(model="ddpm", size=8, precision="float32", workers=1, checkpoint_seconds=0.0)
    return often.using(ddpm=recipe)


def events(data: Path, run: Path, config: RunConfig, stop: threading.Event | None = None) -> Iterator[Event]:
    return train_stages(open_source(data, captioned=False), run, config, stop or threading.Event(), force=True)


def test_killed_run_equals_uninterrupted(tmp_path: Path) -> None:
    data = folder(tmp_path / "data", each=4)
    list(events(data, tmp_path / "whole", config(6)))
    for at in (1, 4):  # abandoned without a good-bye, first before there was a checkpoint
        for event in events(data, tmp_path / "cut", config(6)):
            if isinstance(event, Progress) and event.report.step == at:
                break
    stop = threading.Event()
    seen = []
    for event in events(data, tmp_path / "cut", config(6), stop):
        seen.append(event)
        stop.set()
    assert seen[-1] == Stopped("ddpm")
    with pytest.raises(ValueError, match="'ddpm' is missing"):
        unclip.load(tmp_path / "cut")
    again = list(events(data, tmp_path / "cut", config(6)))
    assert Note("ddpm", "continues at step 4") in again
    a, b = (store.load(tmp_path / name / "ddpm").sha256 for name in ("whole", "cut"))
    assert a == b
    logs = [[(l["step"], l["loss"]) for l in read_log(tmp_path / n / "logs" / "ddpm.jsonl")] for n in ("whole", "cut")]
    assert logs[0] == logs[1]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run that knows its three colours, beside its data."""
    root = tmp_path_factory.mktemp("ddpm")
    gates = [e for e in events(folder(root / "data"), root / "run", config(100)) if isinstance(e, Gate)]
    assert [g.stage for g in gates] == ["ddpm"]
    assert gates[0].passed, gates[0]
    return root / "run"


def test_it_draws_the_classes_that_are_asked_for(run: Path) -> None:
    model = unclip.load(run)
    assert isinstance(model, DDPMPipeline) and model.classes == CLASSES
    pictures = model.generate(["white", "blue"], n=3, seed=7)
    colours = np.array([np.asarray(p, dtype=float).mean((0, 1)) for p in pictures])
    nearest = np.linalg.norm(colours[:, None] - PAINT, axis=-1).argmin(1)
    assert nearest.tolist() == [2, 2, 2, 0, 0, 0]
    assert [p.info[KEY]["seed"] for p in pictures] == [7, 8, 9, 7, 8, 9]
    alone = model.generate(["blue"], seed=8)[0]
    assert np.abs(np.asarray(alone, dtype=int) - np.asarray(pictures[4], dtype=int)).max() <= 1
    named = [(p.info[KEY]["prompt"], p.info[KEY]["seed"]) for p in model.generate(n=4, seed=7)]
    assert named == [("blue", 7), ("red", 7), ("white", 7), ("blue", 8)]


@pytest.mark.parametrize(
    "asked, settings, why",
    [
        (["green"], None, "class 'green': known are blue, red, white"),
        (["red"], Settings(sampler="eular"), "sampler = 'eular': did you mean 'euler'"),
        (["red"], Settings(steps=51), "steps = 51: this table has T = 50; ask for at most that many"),
        (["red"], Settings(form="cgf"), "guidance form 'cgf': known are cfg"),
        (["red"], Settings(negative="blue"), "negative = 'blue': a ddpm reads no captions to lead away from"),
    ],
)
def test_requests_that_cannot_be_met(run: Path, asked: list[str], settings: Settings | None, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        unclip.load(run).generate(asked, settings=settings)


def test_generate_evaluate_and_info_as_typed(run: Path, call: Call, tmp_path: Path) -> None:
    done = call("generate", "--run", run, "-n", 5, "--seed", 3, "--sampler", "ddim", "--steps", 3, "--out", tmp_path)
    assert done.code == 0, done.err
    names = [f"{name}.png" for name in ("blue-3", "blue-4", "grid", "red-3", "red-4", "white-3")]
    assert sorted(p.name for p in tmp_path.iterdir()) == names
    assert read_about(tmp_path / "grid.png")["prompts"] == []
    done = call("info", tmp_path / "grid.png")
    assert "--seed 3 -n 5 --steps 3" in done.out and "generate --run" in done.out
    done = call("evaluate", run, "-n", 4, "--bpd", "--bpd-pictures", 4, "--json", tmp_path / "s.json")
    assert done.code == 0, done.err
    for words in ("bound", "terminal", "decoder", "flow", "class", "rate-distortion.png"):
        assert words in done.out
    assert "reads no captions that a CLIP could judge" in call("evaluate", run, "--judge", run).err
    scores = json.loads((tmp_path / "s.json").read_text(encoding="utf-8"))["scores"]
    assert 0 < scores["bound"]["total"]["mean"] < 9 and scores["bound"]["total"]["error"] > 0
    assert scores["rate_distortion"]["log_snr"][-1] is None
    assert (run / "plots" / "rate-distortion.png").exists()
    done = call("info", run)
    assert "finished, model" in done.out and "ddpm" in done.out


def test_pictures_alone(tmp_path: Path, call: Call) -> None:
    data, out = tmp_path / "photos", tmp_path / "run"
    folder(tmp_path / "sorted", each=4)
    data.mkdir()
    for i, path in enumerate(sorted((tmp_path / "sorted").rglob("*.png"))):
        shutil.copy(path, data / f"{i}.png")
    assert "--model ddpm" in call("train", data, "--out", out).err
    words = ["--set", "ddpm.train.steps=2", "--set", "ddpm.network.widths=[16,16]", "--set", "ddpm.sampling.steps=2"]
    done = call("train", data, "--model", "ddpm", "--out", out, "--size", 8, "--force", *words)
    assert done.code == 0, done.err + done.out
    assert "12 images (images without captions)" in done.out and f"unclip generate --run {out}" in done.out
    model = unclip.load(out)
    assert [p.info[KEY]["seed"] for p in model.generate(n=2, seed=5)] == [5, 6]
    with pytest.raises(ValueError, match="class 'red': this model knows none; leave the prompt out"):
        model.generate(["red"])
    with pytest.raises(ValueError, match=r"guidance = 2.0: this model knows no classes"):
        model.generate(settings=Settings(guidance=2.0))
    done = call("train", data, "--model", "ddpm", "--classes", "--out", tmp_path / "other")
    assert done.code == 2 and "no captions" in done.err


def test_a_classifier_is_added_and_guides(run: Path, call: Call, tmp_path: Path) -> None:
    mine = tmp_path / "run"
    shutil.copytree(run, mine)
    refused = call("generate", "red", "--run", mine, "--classifier-guidance", 2, "--out", tmp_path / "out")
    assert refused.code == 2 and "unclip add classifier" in refused.err
    add = ("add", "classifier", "--run", mine, "--set", "classifier.widths=[16, 32]", "--set")
    assert call(*add, "classifier.train.steps=60").code == 0
    assert json.loads((mine / "state.json").read_text(encoding="utf-8"))["classifier"]["passed"]
    again = call(*add, "classifier.train.steps=61")
    assert again.code == 2 and "classifier.train.steps = 61" in again.err and "was begun with" in again.err
    done = call("generate", "red", "--run", mine, "--classifier-guidance", 50, "--steps", 3, "--out", tmp_path / "out")
    assert done.code == 0, done.err
    told = call("info", tmp_path / "out" / "red-0.png").out
    assert "--classifier-guidance 50.0" in told
    assert f"classifier {store.load(mine / 'classifier').sha256[:12]}" in told
    free = [np.asarray(p, dtype=int) for p in unclip.load(mine).generate(["red"], settings=Settings(steps=3))]
    with Image.open(tmp_path / "out" / "red-0.png") as picture:
        assert np.abs(np.asarray(picture, dtype=int) - free[0]).max() > 1


def test_what_cannot_be_added_is_refused(run: Path, call: Call) -> None:
    assert "can be added: classifier" in call("add", "decoder", "--run", run).err
    assert "only settings of classifier" in call("add", "classifier", "--run", run, "--set", "ddpm.flip=true").err
    assert "no such run" in call("add", "classifier", "--run", run / "nowhere").err


def test_what_needs_a_clip_is_refused(run: Path, call: Call) -> None:
    picture = run.parent / "data" / "red" / "0.png"
    for words in (["classify", picture, "--labels", "red", "blue"], ["search", "red"]):
        done = call(*words, "--run", run)
        assert done.code == 2
        assert f"{run}: a plain DDPM, and only a run of --model unclip or latent can do this" in done.err


def test_autoguidance_by_early_weights_goes_on_from_the_run_itself(run: Path) -> None:
    model = unclip.load(run)
    plain, half, double = (
        model.generate(["red"], settings=Settings(form="auto", guidance=w, sampler="ddim", steps=1))
        for w in (1.0, 0.5, 2.0)
    )
    x = [np.asarray(p[0], dtype=int) for p in (plain, half, double)]
    assert np.abs(x[2] - x[0]).max() > 1
    inside = (x[2] > 0) & (x[2] < 255)  # where nothing was cut, the estimate is linear in the scale
    assert np.abs((x[2] - x[0]) - 2 * (x[0] - x[1]))[inside].max() <= 3


def test_what_only_guides_is_read_when_a_guidance_asks_for_it(run: Path, tmp_path: Path) -> None:
    mine = shutil.copytree(run, tmp_path / "run")
    weights = mine / "early" / "ddpm" / store.WEIGHTS
    weights.write_bytes(weights.read_bytes()[:-1])
    model, auto = unclip.load(mine), Settings(form="auto", steps=2)
    model.generate(["red"], settings=Settings(steps=2))
    with pytest.raises(ValueError, match=r"early.ddpm.*damaged"):
        model.generate(["red"], settings=auto)
    shutil.rmtree(mine / "early")
    with pytest.raises(ValueError, match=rf"{mine}/early/ddpm: not there.*older unclip.*--guidance-form cfg, or train"):
        model.generate(["red"], settings=auto)


def test_a_picture_names_the_stages_that_drew_it(run: Path) -> None:
    model, sha = unclip.load(run), {p: store.load(run / p).sha256[:12] for p in ("ddpm", "early/ddpm")}
    for settings, by in ((Settings(steps=2), ["ddpm"]), (Settings(steps=2, form="auto"), ["ddpm", "early/ddpm"])):
        [picture] = model.generate(["red"], settings=settings)
        assert picture.info[KEY]["stages"] == {name: sha[name] for name in by}
