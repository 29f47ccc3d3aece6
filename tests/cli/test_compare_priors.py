"""The prior laboratory on a tiny run: add, generate with, compare, trace; what is refused."""

import json
import shutil
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from tests.cli.conftest import Call

import unclip
from unclip.core.disk.store import load as load_stored
from unclip.data.shapes.world import World
from unclip.generation.priors import PRIORS, with_prior
from unclip.images.files import read_about
from unclip.models.decoder import decoder_sampling
from unclip.models.priors.diffusion import prior_sampling
from unclip.nn.backbones.unet import UNetConfig
from unclip.recipes.run import train_stages
from unclip.recipes.settings.run import RunConfig
from unclip.recipes.stages import CLIPRecipe, DecoderRecipe, PriorRecipe
from unclip.runs.modules import Stages
from unclip.training.optim import OptimConfig
from unclip.training.trainer import TrainConfig

FEW = TrainConfig(4, OptimConfig(lr=1e-3, muon_lr=1e-3, warmup=2), steps=3)
NARROW = UNetConfig(patch=2, widths=(8, 16), blocks=(1, 1), attention=(False, True), fine=8)
SMALL = ("width=32", "layers=1", "train.batch=4")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three steps a stage on 64 drawn scenes: knows nothing, has everything."""
    folder = tmp_path_factory.mktemp("runs") / "tiny"
    config = RunConfig(
        size=32,
        precision="float32",
        workers=1,
        recipes={
            "clip": CLIPRecipe(width=16, text_width=32, text_layers=1, vision_stem=(8, 16), vision_width=32, train=FEW),
            "prior": PriorRecipe(width=32, layers=1, sampling=replace(prior_sampling(), steps=2), train=FEW),
            "decoder": DecoderRecipe(network=NARROW, sampling=replace(decoder_sampling(), steps=2), train=FEW),
        },
    )
    list(train_stages(World(32, scenes=64), folder, config, threading.Event(), force=True))
    return folder


@pytest.fixture
def mine(run: Path, tmp_path: Path) -> Path:
    return shutil.copytree(run, tmp_path / "run")


def add(call: Call, run: Path, stage: str, *more: str) -> None:
    settings = [word for setting in (*SMALL, "train.steps=3", *more) for word in ("--set", f"{stage}.{setting}")]
    done = call("add", stage, "--run", run, *settings)
    assert done.code in (0, 1), done.err  # three steps pass no gate


def test_priors_are_added_and_chosen(call: Call, mine: Path, tmp_path: Path):
    for name in ("autoregressive", "contrastive"):
        refused = call("generate", "a red circle", "--run", mine, "--prior", name)
        assert refused.code == 2 and f"unclip add {name}_prior --run {mine}" in refused.err
    add(call, mine, "autoregressive_prior", "explained=0.9", "buckets=16", "waves=8")
    add(call, mine, "contrastive_prior")
    assert 1 <= load_stored(mine / "autoregressive_prior").config["dims"] < 16
    words = ("generate", "a red circle", "--run", mine, "--steps", 1, "--out", tmp_path / "out")
    made = {}
    for name in PRIORS:
        done = call(*words, *(() if name == "diffusion" else ("--prior", name)))
        assert done.code == 0, done.err
        path = Path(done.out.splitlines()[0])
        made[name] = path.read_bytes()
        about = read_about(path)
        assert about.get("prior", "diffusion") == name
        drew = {"diffusion": "prior", "text-shifted": "prior", "text": "", "none": ""}.get(name, f"{name}_prior")
        drew = [stage for stage in ("clip", drew, "decoder") if stage]
        assert about["stages"] == {stage: load_stored(mine / stage).sha256[:12] for stage in drew}
    assert len(set(made.values())) == len(PRIORS)
    assert f"--prior {[*PRIORS][-1]}" in call("info", path).out
    assert len(list((tmp_path / "out").glob("a-red-circle-0*.png"))) == len(PRIORS)  # none replaced another


def test_info_knows_a_prior_that_was_trained_again(
    call: Call, run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    mine = shutil.copytree(run, Path("runs") / "mine")
    add(call, mine, "contrastive_prior")
    assert call("generate", "a red circle", "--run", mine, "--prior", "contrastive", "--steps", 1).code == 0
    told = call("info", "out/a-red-circle-0.png").out
    sha = load_stored(mine / "contrastive_prior").sha256[:12]
    assert f"contrastive_prior {sha}" in told and "--run runs/mine" in told and "changed since" not in told
    assert sha in call("info", mine).out
    call("add", "contrastive_prior", "--run", mine, "--restart", "--set", "contrastive_prior.train.steps=1")
    told = call("info", "out/a-red-circle-0.png").out
    assert "! contrastive_prior of runs/mine has changed since: the command draws another image" in told


def test_what_cannot_be_chosen_is_refused(call: Call, mine: Path):
    assert (
        "known are none, text, text-shifted, autoregressive"
        in call("generate", "x", "--run", mine, "--prior", "magic").err
    )
    model = unclip.load(mine)
    shutil.rmtree(mine / "data")
    with pytest.raises(ValueError, match="'text-shifted': .*data is gone.*take --prior text"):
        with_prior(model, "text-shifted")
    with pytest.raises(ValueError, match="not loaded from a run folder"):
        with_prior(replace(model, stages=Stages()), "contrastive")
    assert "prepared images are gone" in call("compare-priors", mine).err


def test_compare_trains_what_is_missing_and_judges_all(call: Call, mine: Path, tmp_path: Path):
    add(call, mine, "contrastive_prior")
    kept = load_stored(mine / "contrastive_prior").sha256
    done = call("compare-priors", mine, "-n", 4, "--budget", "1s", "--json", tmp_path / "f.json")
    assert done.code == 0, done.err
    assert load_stored(mine / "contrastive_prior").sha256 == kept
    found = json.loads((tmp_path / "f.json").read_text(encoding="utf-8"))
    assert found == json.loads((mine / "priors" / "priors.json").read_text(encoding="utf-8"))
    names = ["caption alone", "text embedding", "text embedding, shifted", "autoregressive prior", "diffusion prior"]
    assert list(found["priors"]) == [*names, "contrastive prior", "true embedding"]
    assert 0.5 < found["priors"]["autoregressive prior"]["trained"] < 60
    assert found["priors"]["true embedding"]["embedding"]["matched"] == pytest.approx(1, abs=1e-4)
    for metrics in found["priors"].values():
        assert {"one_seen", "one_unseen", "two_seen"} == set(metrics["exact"])
        assert {"mean", "error"} == set(metrics["kid"]) and metrics["clip_score"]["n"] == 4
    assert "caption alone" in done.out and "gate failed" in done.out
    own = found["priors"]["diffusion prior"]
    assert {"mean", "error", "z"} < set(own["repeat_less_cosine"]) and own["calibration"].split()[0] in done.out
    assert own["repeat_less_cosine"]["mean"] == pytest.approx(
        own["repeat"]["mean"] - own["embedding"]["matched"], abs=1e-5
    )
    assert found["priors"]["text embedding"]["repeat"]["mean"] == pytest.approx(1, abs=1e-5)
    assert "calibration" not in found["priors"]["true embedding"]
    compared = found["paired"]["CLIP"]
    assert (compared["base"], compared["best"], len(compared["less"])) == ("diffusion prior", False, 6)
    score = {name: metrics["clip_score"]["matched"] for name, metrics in found["priors"].items()}
    truth = compared["less"]["true embedding"]["mean"]
    assert truth == pytest.approx(score["true embedding"] - score["diffusion prior"], abs=1e-5)
    assert set(found["paired"]) == {"cosine", "CLIP", "KID", "one_seen", "one_unseen", "two_seen"}
    assert "CLIP, less that of diffusion prior" in " ".join(done.out.split())
    about = read_about(mine / "priors" / "priors.png")
    assert (about["model"], about["stages"]) == (found["model"], found["stages"])
    assert about["stages"]["contrastive_prior"] == kept[:12] and "autoregressive_prior" in about["stages"]
    assert (
        call("info", mine / "priors" / "priors.png").out.splitlines()[-1].strip()
        == f"unclip compare-priors RUN-{about['model']} -n 4 --seed 0"
    )
    again = call("compare-priors", mine, "-n", 4, "--json", tmp_path / "g.json")
    assert again.code == 0 and "contrastive_prior: failed" in again.out
    same = json.loads((tmp_path / "g.json").read_text(encoding="utf-8"))["priors"]
    assert same["diffusion prior"]["clip_score"] == found["priors"]["diffusion prior"]["clip_score"]


def test_trace(call: Call, run: Path, tmp_path: Path):
    done = call("evaluate", run, "--trace", "-n", 4, "--json", tmp_path / "t.json")
    assert done.code == 0, done.err
    scores = json.loads((tmp_path / "t.json").read_text(encoding="utf-8"))["scores"]
    assert len(scores) == 7 and "caption alone" in done.out
    paired = json.loads((tmp_path / "t.json").read_text(encoding="utf-8"))["paired"]
    assert paired["CLIP"]["base"] == "prior + caption" and len(paired["CLIP"]["less"]) == 6
    assert scores["caption alone"].keys() == {"clip_score", "kid", "exact"}
    assert "leave out --data" in call("evaluate", run, "--trace", "--data", "shapes").err


def test_bad_numbers(call: Call, run: Path, tmp_path: Path):
    assert "at least 4 pairs" in call("compare-priors", run, "-n", 3).err
    assert "no such run" in call("compare-priors", tmp_path / "none").err
