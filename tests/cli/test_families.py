"""VAE, flow and GAN from images to images, as a person types it; beside each other and beside a DDPM."""

import json
import re
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.cli.conftest import Call
from tests.paint import CLASSES, PAINT, folder
from tests.quick_lecture import quicken

import unclip
from unclip.core.disk import store
from unclip.data.source import open_source
from unclip.generation.one_pass import FlowPipeline, GANPipeline, VAEPipeline
from unclip.generation.settings import Settings
from unclip.images.files import KEY, read_about
from unclip.nn.backbones.unet import UNetConfig
from unclip.nn.flows.multiscale import MultiScaleConfig
from unclip.nn.generators.vector import VectorCoderConfig
from unclip.recipes.events import Event, Gate, Note, Progress, Stopped
from unclip.recipes.run import train_stages
from unclip.recipes.settings.recipe import Recipe
from unclip.recipes.settings.run import RunConfig, retrained
from unclip.recipes.stages import DDPMRecipe, FlowRecipe, GANRecipe, VAERecipe
from unclip.recipes.stages.families import gan as gan_stage

SMALL = VectorCoderConfig(patch=2, widths=(16, 16), embedding=16, fine=8)
STEPS = {"vae": 200, "flow": 200, "gan": 150, "ddpm": 60}


def config(model: str, steps: int, **chosen: object) -> RunConfig:
    network = UNetConfig(patch=2, widths=(16,), blocks=(1,), attention=(False,), embedding=32, fine=8)
    recipes: dict[str, Recipe] = {
        "vae": VAERecipe(network=SMALL, latent=8, classes=True),
        "flow": FlowRecipe(network=MultiScaleConfig(steps=(2, 2), widths=(16, 16)), classes=True),
        "gan": GANRecipe(network=SMALL, critic=SMALL, latent=8, classes=True, gamma=0.1, augment="off"),
        "ddpm": DDPMRecipe(network=network, classes=True),
    }
    recipe = replace(recipes[model], **chosen)  # pyright: ignore[reportArgumentType]
    optim = replace(recipe.train.optim, lr=5e-3, warmup=5)
    often = RunConfig(model=model, size=8, precision="float32", workers=1, checkpoint_seconds=0.0)
    return often.using(**{model: retrained(recipe, batch=8, optim=optim, steps=steps)})


def events(data: Path, run: Path, config: RunConfig, stop: threading.Event | None = None) -> Iterator[Event]:
    return train_stages(open_source(data, captioned=False), run, config, stop or threading.Event(), force=True)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A finished run of each family that knows its three colours."""
    root = tmp_path_factory.mktemp("families")
    data, found = folder(root / "data"), dict[str, Path]()
    for model, steps in STEPS.items():
        seldom = replace(config(model, steps), checkpoint_seconds=60.0)
        gates = [e for e in events(data, root / model, seldom) if isinstance(e, Gate)]
        assert [g.stage for g in gates] == [model]
        found[model] = root / model
    return found


@pytest.mark.parametrize("model", ["vae", "flow", "gan"])
def test_killed_run_equals_uninterrupted(model: str, tmp_path: Path) -> None:
    data = folder(tmp_path / "data", each=4)
    list(events(data, tmp_path / "whole", config(model, 6)))
    for event in events(data, tmp_path / "cut", config(model, 6)):
        if isinstance(event, Progress) and event.report.step == 3:
            break
    stop, seen = threading.Event(), list[Event]()
    for event in events(data, tmp_path / "cut", config(model, 6), stop):
        seen.append(event)
        stop.set()
    assert seen[-1] == Stopped(model)
    again = list(events(data, tmp_path / "cut", config(model, 6)))
    assert any(isinstance(e, Note) and "continues at step" in e.text for e in again)
    a, b = (store.load(tmp_path / name / model).sha256 for name in ("whole", "cut"))
    assert a == b


@pytest.mark.parametrize("model, kind", [("vae", VAEPipeline), ("flow", FlowPipeline), ("gan", GANPipeline)])
def test_it_draws_the_classes_that_are_asked_for(
    runs: dict[str, Path], model: str, kind: type[VAEPipeline | FlowPipeline | GANPipeline]
) -> None:
    own = unclip.load(runs[model])
    assert isinstance(own, kind) and own.classes == CLASSES
    pictures = own.generate(["white", "blue", "red"], n=3, seed=7, settings=Settings(temperature=0.5))
    colours = np.array([np.asarray(p, dtype=float).mean((0, 1)) for p in pictures])
    nearest = np.linalg.norm(colours[:, None] - PAINT, axis=-1).argmin(1)
    assert (nearest == np.repeat([2, 0, 1], 3)).sum() >= 8
    alone = own.generate(["blue"], seed=8, settings=Settings(temperature=0.5))[0]
    assert np.abs(np.asarray(alone, dtype=int) - np.asarray(pictures[4], dtype=int)).max() <= 1
    cold = own.generate(["blue"], n=4, settings=Settings(temperature=0.0))
    assert all(np.array_equal(np.asarray(cold[0]), np.asarray(p)) for p in cold)


@pytest.mark.parametrize(
    "asked, settings, why",
    [
        (["green"], None, "class 'green': known are blue, red, white"),
        (["red"], Settings(steps=5), "this is a vae, which draws an image by one pass of its network"),
        (["red"], Settings(guidance=2.0), "leave steps, sampler, grid, guidance and negative out"),
        (["red"], Settings(size=64), "size = 64 px: this model draws 8"),
    ],
)
def test_requests_that_cannot_be_met(
    runs: dict[str, Path], asked: list[str], settings: Settings | None, why: str
) -> None:
    with pytest.raises(ValueError, match=why):
        unclip.load(runs["vae"]).generate(asked, settings=settings)
    with pytest.raises(ValueError, match=r"temperature = 0.5: is of a VAE, a GAN or a flow"):
        unclip.load(runs["ddpm"]).generate(["red"], settings=Settings(temperature=0.5))


@pytest.mark.parametrize("model", ["vae", "flow", "gan"])
def test_generate_evaluate_and_info_as_typed(runs: dict[str, Path], model: str, call: Call, tmp_path: Path) -> None:
    run = runs[model]
    done = call("generate", "--run", run, "-n", 3, "--seed", 3, "--temperature", 0.7, "--out", tmp_path)
    assert done.code == 0, done.err
    assert read_about(tmp_path / "grid.png")["temperature"] == 0.7
    told = call("info", tmp_path / "grid.png").out
    assert "--temperature 0.7" in told and model in told
    told = call("info", run).out
    assert "finished, model" in told and "early weights" not in told
    bpd = () if model == "gan" else ("--bpd", "--bpd-pictures", 4)
    done = call("evaluate", run, "-n", 4, *bpd, "--json", tmp_path / "s.json")
    assert done.code == 0, done.err
    scores = json.loads((tmp_path / "s.json").read_text(encoding="utf-8"))["scores"]
    if model == "gan":
        assert "holds a GAN, which has samples but no likelihood" in call("evaluate", run, "--bpd").err
    else:
        name = {"vae": "bound", "flow": "dequantised"}[model]
        assert 0 < scores[name]["mean"] < 9 and scores[name]["error"] > 0 and "importance_64" in scores
        assert scores["class"]["gap"] > 0
    assert "reads no captions that a CLIP could judge" in call("evaluate", run, "--judge", run).err


def test_families_beside_each_other(runs: dict[str, Path], call: Call, tmp_path: Path) -> None:
    words = ("--features", "random", "-n", 8, "--split", "train", "--out", tmp_path, "--json", tmp_path / "f.json")
    done = call("compare", *runs.values(), *words)
    assert done.code == 0, done.err
    assert (tmp_path / "families.png").exists()
    scores = json.loads((tmp_path / "f.json").read_text(encoding="utf-8"))["scores"]
    by = {model: scores[str(run)] for model, run in runs.items()}
    assert {model: row["z to x, evaluations"] for model, row in by.items()} == {
        "vae": 1,
        "flow": 1,
        "gan": 1,
        "ddpm": 12,
    }
    assert {model: row["bits/dim are"] for model, row in by.items()} == {
        "vae": "a bound",
        "flow": "exact, dequantised",
        "gan": "none",
        "ddpm": "a bound",
    }
    assert by["gan"]["x to z, evaluations"] == by["gan"]["reconstruction, dB"] == "none"
    assert by["flow"]["reconstruction, dB"] > 60 > by["vae"]["reconstruction, dB"] > 5


@pytest.mark.parametrize("model", ["vae", "flow", "gan"])
def test_explained_and_diagnosed(runs: dict[str, Path], model: str, call: Call, tmp_path: Path) -> None:
    done = call("explain", "--run", runs[model], "--out", tmp_path, "--slides")
    assert done.code == 0, done.err
    names = ["title", "families", "noise-to-data", "interpolations", "numbers"]
    names += {"gan": [], "vae": ["back", "likelihood"], "flow": ["back", "likelihood"]}[model]
    slides = sorted(path.name for path in (tmp_path / "slides").iterdir())
    assert slides == [f"{i:02d}-{name}.png" for i, name in enumerate(names, 1)]
    assert (tmp_path / "slides.html").read_text(encoding="utf-8").count('<section id="') == len(names)
    names = {"temperature.png", "between.png", "traversals.png"} | (
        {"reconstructions.png"} if model != "gan" else set()
    )
    assert names == {path.name for path in tmp_path.glob("*.png")}
    page, deck = tmp_path / "explain.html", tmp_path / "slides.html"
    assert "From z to an image" in page.read_text(encoding="utf-8")
    assert links(page) == ["slides.html"] and links(deck) == ["explain.html"]
    done = call("diagnose", runs[model])
    assert done.code in (0, 1) and f"{model}" in done.out and not done.err


def links(page: Path) -> list[str]:
    """The files beside it that a page leads to."""
    return re.findall(r'<a href="([^"#]+)"', page.read_text(encoding="utf-8"))


def test_a_page_leads_to_slides_of_its_own_model_alone(runs: dict[str, Path], call: Call, tmp_path: Path) -> None:
    def explained(model: str, *more: str) -> list[str]:
        done = call("explain", "--run", runs[model], "--out", tmp_path, *more)
        assert done.code == 0, done.err
        return links(tmp_path / "explain.html")

    assert explained("gan") == []
    assert explained("gan", "--slides") == ["slides.html"]
    assert explained("gan") == ["slides.html"]
    assert explained("vae") == []


def test_a_lecture_of_a_ddpm_ends_with_its_guidance(
    runs: dict[str, Path], call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    quicken(monkeypatch)
    small = ("--steps", 2, "--samplers", "ddim", "-n", 1)
    done = call("explain", "--run", runs["ddpm"], "--out", tmp_path, *small, "--slides")
    assert done.code == 0, done.err
    slides = sorted(path.stem[3:] for path in (tmp_path / "slides").iterdir())
    assert len(slides) == 17 and {"chain", "bound", "network", "training", "guidance"} < set(slides)
    assert not {"contrast", "prior", "variations"} & set(slides)
    assert links(tmp_path / "explain.html") == ["slides.html"] and links(tmp_path / "slides.html") == ["explain.html"]


def test_what_cannot_be_trained_is_refused(call: Call, tmp_path: Path) -> None:
    data, out = folder(tmp_path / "data", each=4), tmp_path / "run"

    def refused(*words: object) -> str:
        done = call("train", data, "--out", out, *words)
        assert done.code == 2
        return done.err

    assert "a run of model = 'vae' has no such stage" in refused("--model", "vae", "--set", "clip.width=16")
    assert "size = 30: this network needs a multiple of 8; the next that works is 32" in refused(
        "--model", "flow", "--size", 30
    )
    assert "gan.critic.channels = 3, gan.network.channels = 1" in refused(
        "--model", "gan", "--set", "gan.network.channels=1"
    )
    assert "only a plain DDPM has a chain of its own" in refused("--model", "flow", "--T", 100)
    assert "steps = (4, 4), widths = (32, 64, 128): one of each" in refused(
        "--model", "flow", "--set", "flow.network.steps=[4,4]"
    )
    assert not out.exists() or not any(out.iterdir())


def test_a_gray_network_takes_colour_images_as_gray(call: Call, tmp_path: Path) -> None:
    data, out = folder(tmp_path / "data", each=8), tmp_path / "run"
    words = [
        word
        for setting in ("network.channels=1", "network.widths=[8,8]", "latent=4", "train.steps=2", "train.batch=4")
        for word in ("--set", f"vae.{setting}")
    ]
    done = call("train", data, "--model", "vae", "--classes", "--size", 8, "--out", out, "--force", *words)
    assert done.code == 0, done.err + done.out
    model = unclip.load(out)
    assert isinstance(model, VAEPipeline) and model.shape == (1, 8, 8) and model.classes == CLASSES
    assert model.generate(["red"])[0].mode == "L"


def test_a_collapse_stops_the_run_with_advice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = folder(tmp_path / "data", each=40)

    def few(made: object, real: object) -> gan_stage.Distinct:
        return gan_stage.Distinct(3, 62, 64)

    monkeypatch.setattr(gan_stage, "distinct_images", few)
    with pytest.raises(
        gan_stage.Collapsed, match=r"3 of 64 generated images are distinct, 62 .* collapsed.*gan.gamma=1 "
    ):
        list(events(data, tmp_path / "run", config("gan", 10)))


def test_other_presets_know_their_classes(call: Call, tmp_path: Path) -> None:
    data, out = folder(tmp_path / "data", each=2), tmp_path / "run"
    words = ("--set", "vae.network.widths=[8,8]", "--set", "vae.train.steps=1", "--size", 8, "--force")
    done = call("train", data, "--preset", "vae-fast", "--classes", "--out", out, *words)
    assert done.code == 0, done.err
    assert [p.info[KEY]["prompt"] for p in unclip.load(out).generate(n=3)] == list(CLASSES)


@pytest.mark.parametrize("model", ["vae", "flow", "gan"])
def test_it_is_handed_on_as_what_it_is(runs: dict[str, Path], model: str, call: Call, tmp_path: Path):
    done = call("push", runs[model], "me/mine", "--dry-run", "--out", tmp_path / "pushed")
    assert done.code == 0, done.err
    card = (tmp_path / "pushed" / "README.md").read_text(encoding="utf-8")
    assert 'pipeline_tag: "unconditional-image-generation"' in card and "the words of its captions" not in card
    assert {"vae": "variational autoencoder", "flow": "normalizing flow", "gan": "GAN"}[model] in card
    assert unclip.load(tmp_path / "pushed").generate(list(CLASSES[:1]))[0].size == (8, 8)
    for library, why in (("diffusers", "no pipeline of a"), ("transformers", "has no CLIP; try `unclip push`")):
        refused = call("export", runs[model], "--to", library, "--out", tmp_path / library)
        assert refused.code == 2 and why in refused.err
