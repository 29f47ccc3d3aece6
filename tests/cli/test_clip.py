"""`unclip classify`, `search`, `add noisy_clip`, `generate --clip-guidance`, `evaluate` on a tiny run of shapes."""

import json
import shlex
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from tests.cli.conftest import Call

import unclip
from unclip.data.loader import to_tensor
from unclip.data.shapes.world import World
from unclip.data.source import open_source
from unclip.generation.settings import Settings
from unclip.images.files import read_about
from unclip.models.decoder import decoder_sampling
from unclip.models.priors.diffusion import prior_sampling
from unclip.nn.backbones.unet import UNetConfig
from unclip.recipes.run import train_stages
from unclip.recipes.settings.run import RunConfig
from unclip.recipes.stages import CLIPRecipe, DecoderRecipe, PriorRecipe
from unclip.training.optim import OptimConfig
from unclip.training.trainer import TrainConfig

NARROW = UNetConfig(patch=2, widths=(8, 16), blocks=(1, 1), attention=(False, True), fine=8)


def steps(n: int, batch: int = 4) -> TrainConfig:
    return TrainConfig(batch, OptimConfig(lr=1e-3, muon_lr=1e-3, warmup=5), steps=n)


def tiny() -> RunConfig:
    """A CLIP that learns something; a prior and a decoder that only exist."""
    vit = CLIPRecipe(
        width=24,
        text_width=32,
        text_layers=1,
        vision="vit",
        vision_width=48,
        vision_layers=1,
        train=steps(150, 32),
    )
    return RunConfig(
        size=32,
        precision="float32",
        held_out=0.2,
        recipes={
            "clip": vit,
            "prior": PriorRecipe(width=32, layers=1, sampling=replace(prior_sampling(), steps=2), train=steps(2)),
            "decoder": DecoderRecipe(network=NARROW, sampling=replace(decoder_sampling(), steps=4), train=steps(2)),
        },
    )


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folders of shapes by colour: the captions are six classes."""
    root = tmp_path_factory.mktemp("clip")
    for i, (pixels, _, scene) in enumerate(World(32, counts={1: 1.0}).sample(360, 0)):
        path = root / "data" / scene.objects[0].colour / f"{i}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(path)
    list(train_stages(open_source(root / "data"), root / "run", tiny(), threading.Event(), force=True))
    return root / "run"


@pytest.fixture(scope="module")
def guided(run: Path) -> Path:
    """The same with a noise-aware CLIP."""
    from unclip.cli.main import app

    with pytest.raises(SystemExit) as end:
        app(["add", "noisy_clip", "--run", str(run), "--set", "noisy_clip.train.steps=140"])
    assert end.value.code == 0
    return run


def of_colour(run: Path, colour: str) -> Path:
    return next((run.parent / "data" / colour).iterdir())


def test_classify(call: Call, run: Path):
    words = ["classify", of_colour(run, "red"), of_colour(run, "blue"), "--labels", "red", "blue", "green"]
    done = call(*words, "--run", run, "--template", "{}", "--template", "a {} one")
    assert done.code == 0, done.err
    rows = [line.split() for line in done.out.splitlines() if line.rstrip().endswith("%")]
    assert len(rows) == 6
    shares = [float(row[-1].rstrip("%")) for row in rows]
    assert sum(shares[:3]) == pytest.approx(100, abs=0.3) and shares[:3] == sorted(shares[:3], reverse=True)
    assert {row[-2] for row in rows} == {"red", "blue", "green"}
    assert rows[0][-2] == "red" or rows[3][-2] == "blue"


def test_classify_refuses(call: Call, run: Path, tmp_path: Path):
    picture = of_colour(run, "red")
    (tmp_path / "bad.png").write_text("words", encoding="utf-8")
    for words, why in (
        ([picture, "--labels", "red"], "name at least 2"),
        ([picture, "--labels", "red", "blue", "--template", "a heart"], "where the label belongs"),
        (["--labels", "red", "blue"], "no image"),
        ([tmp_path / "bad.png", "--labels", "red", "blue"], "bad.png: no image in a supported format"),
    ):
        done = call("classify", *words, "--run", run)
        assert done.code == 2 and why in done.err, done.err


def test_search_by_words_and_by_picture(call: Call, run: Path, tmp_path: Path):
    for query in ("red", str(of_colour(run, "red"))):
        done = call("search", query, "--run", run, "-n", 4, "--out", tmp_path)
        assert done.code == 0, done.err
        sheet = Path(done.out.splitlines()[-1])
        about = read_about(sheet)
        assert about["made"] == {"command": "search", "of": [query], "options": {"n": 4}}
        with Image.open(sheet) as picture:
            assert picture.height > 4 * 32
        told = call("info", sheet)
        assert told.code == 0, told.err
        assert shlex.split(told.out.splitlines()[-1])[:3] == ["unclip", "search", query]
    assert "caption of the image" in done.out
    assert "1.000" in done.out  # an image of the run is nearest to itself
    assert call("search", "missing.png", "--run", run).err.count("missing.png: no such image")
    assert "ask for at least 1" in call("search", "red", "--run", run, "-n", 0).err


def test_evaluate_reports_zero_shot_accuracy_where_captions_are_classes(call: Call, run: Path, tmp_path: Path):
    done = call("evaluate", run, "-n", 4, "--json", tmp_path / "s.json")
    assert done.code == 0, done.err
    found = json.loads((tmp_path / "s.json").read_text(encoding="utf-8"))["scores"]["zero_shot"]
    assert (found["classes"], found["chance"]) == (6, pytest.approx(1 / 6))
    assert found["accuracy"] > 0.5


def test_guidance_by_a_clip_that_is_not_there_is_refused(call: Call, run: Path, tmp_path: Path):
    if "noisy_clip" in json.loads((run / "state.json").read_text(encoding="utf-8")):
        pytest.skip("the run has one by now")
    done = call("generate", "red", "--run", run, "--clip-guidance", 2, "--out", tmp_path)
    assert done.code == 2
    assert "this run has no noise-aware CLIP; train one: unclip add noisy_clip --run RUN" in done.err


def test_the_noise_aware_clip_is_added_and_judged_by_level(guided: Path):
    end = json.loads((guided / "state.json").read_text(encoding="utf-8"))["noisy_clip"]
    assert end["passed"], end
    metrics = end["metrics"]
    assert metrics["r1_at_6"] > 0.5
    assert metrics["r1_at_0"] > 2 * metrics["chance"]
    model = unclip.load(guided)
    assert model.noisy_clip is not None
    assert model.noisy_clip.config.schedule == model.decoder.config.diffusion.schedule


def test_clip_guidance_leads_to_the_prompt(guided: Path):
    """The decoder knows nothing; what there is of the prompt comes from the noise-aware CLIP alone."""
    model, prompts = unclip.load(guided), ["red", "blue", "green", "yellow"]
    ids, mask = model.tokenizer(prompts)

    def score(scale: float | None) -> float:
        pictures = model.generate(prompts, seed=3, settings=Settings(steps=8, guidance=1.0, clip=scale))
        x = to_tensor(np.stack([np.asarray(p) for p in pictures]))
        return model.noisy_clip.log_p(ids, mask)(x, torch.tensor(10.0)).mean().item()

    free = score(None)
    assert score(0.0) == pytest.approx(free, abs=0.05)
    assert score(4.0) > free + 1


def test_a_guided_picture_does_not_depend_on_its_neighbours_and_says_what_made_it(
    call: Call, guided: Path, tmp_path: Path
):
    how = ("--run", guided, "--clip-guidance", 1.5, "--guidance", 2, "--steps", 4, "--out")
    assert call("generate", "red", "blue", *how, tmp_path / "both").code == 0
    assert call("generate", "blue", *how, tmp_path / "alone").code == 0
    both, alone = (np.asarray(Image.open(tmp_path / d / "blue-0.png"), dtype=int) for d in ("both", "alone"))
    assert np.abs(both - alone).max() <= 1
    told = call("info", tmp_path / "both" / "red-0.png").out.splitlines()[-1]
    assert "--clip-guidance 1.5" in told and "--guidance 2.0" in told


def test_a_study_compares_the_scales(call: Call, guided: Path, tmp_path: Path):
    how = ("--what", "clip-guidance", "--scales", "0,4", "-n", 6, "--out", tmp_path / "out")
    assert call("study", guided, *how).code == 0
    found = json.loads((tmp_path / "out" / "study.json").read_text(encoding="utf-8"))["clip-guidance"]
    assert list(found) == ["0", "4"]
    assert found["4"]["clip_score"]["matched"] > found["0"]["clip_score"]["matched"]


def test_scales_and_models_that_cannot_be_guided_so_are_refused(call: Call, guided: Path, tmp_path: Path):
    words = ("generate", "red", "--run", guided, "--out", tmp_path)
    assert "clip = -1.0: expected a number from 0" in call(*words, "--clip-guidance", "-1").err
    assert "here: --clip-guidance" in call(*words, "--classifier-guidance", 1).err


def test_the_recipe_chooses_the_papers_clip(run: Path):
    model = unclip.load(run)
    config = model.clip.config
    assert (config.vision.to_dict()["kind"], config.form, config.text.activation) == (
        "ViTConfig",
        "softmax",
        "quick_gelu",
    )
    small = replace(tiny().of(CLIPRecipe), vision="conv")
    ours = small.config(32, model.tokenizer)
    assert (ours.vision.to_dict()["kind"], ours.form, ours.text.activation) == ("VisionConfig", "sigmoid", "gelu")
    assert replace(small, form="softmax").config(32, model.tokenizer).form == "softmax"
