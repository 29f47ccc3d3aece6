"""`unclip distill`: it starts as the run's decoder, can be killed, is judged, and the run then draws with it."""

import shutil
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from tests.cli.conftest import Call, call
from tests.short import events, short

import unclip
from unclip.cli.provenance import command
from unclip.core.disk import store
from unclip.data.shapes.world import World
from unclip.diffusion.guidance import GuidanceInput, StaticThreshold
from unclip.diffusion.samplers import DDIM, Consistency
from unclip.generation.settings import Settings
from unclip.images.files import KEY
from unclip.nn.backbones.unet import UNetConfig
from unclip.recipes.add import add_stage, with_stage
from unclip.recipes.events import Gate, Progress
from unclip.recipes.run import train_stages
from unclip.recipes.settings.run import RunConfig, retrained
from unclip.recipes.stages import DDPMRecipe, DistilledRecipe
from unclip.recipes.stages.ddpm import fast_sampling
from unclip.runs.folder import RunFolder
from unclip.runs.modules import model_hash
from unclip.training.optim import OptimConfig
from unclip.training.trainer import TrainConfig

__all__ = ["call"]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run that learned next to nothing."""
    folder = tmp_path_factory.mktemp("distilled") / "run"
    list(events(folder, short(2)))
    return folder


@pytest.fixture(scope="module")
def distilled(run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same, distilled in eight steps, of which the first half is killed; its gate is taken as passed."""
    folder = tmp_path_factory.mktemp("distilled") / "run"
    shutil.copytree(run, folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("unclip.recipes.stages.distilled.PICTURES", 8)
        patch.setattr("unclip.recipes.stages.distilled.KEPT", -1e9)
        for event in add_stage(folder, "distilled", config(folder, 8), threading.Event()):
            if isinstance(event, Progress) and event.report.step == 5:
                break  # killed: the checkpoint is that of step 4
        told = list(add_stage(folder, "distilled", config(folder, 8), threading.Event()))
    assert [e.report.step for e in told if isinstance(e, Progress)] == [5, 6, 7, 8]
    [gate] = [e for e in told if isinstance(e, Gate)]
    assert {"difference", "difference_error", "kept", "teacher_matched"} <= set(gate.metrics)
    assert "4 steps: CLIP score" in gate.why and "2 steps of its teacher" in gate.why
    accept(folder)
    return folder


def accept(folder: Path) -> None:
    """So little training draws noise, which no gate passes."""
    run = RunFolder(folder)
    with run.writing():
        run.finish("distilled", {**run.state()["distilled"], "passed": True})


def config(run: Path, steps: int) -> RunConfig:
    made = with_stage(run, "distilled")
    return made.using(distilled=retrained(made.of(DistilledRecipe), steps=steps, batch=4))


def test_a_killed_distillation_ends_as_an_unbroken_one(run: Path, distilled: Path, tmp_path: Path):
    whole = tmp_path / "run"
    shutil.copytree(run, whole)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("unclip.recipes.stages.distilled.PICTURES", 8)
        list(add_stage(whole, "distilled", config(whole, 8), threading.Event()))
    assert store.load(whole / "distilled").sha256 == store.load(distilled / "distilled").sha256
    assert not RunFolder(whole).state()["distilled"]["passed"]
    assert isinstance(unclip.load(whole).resolved(None).sampler, DDIM)  # what failed its gate draws only when asked


def test_it_draws_by_default_and_is_named_in_what_it_draws(run: Path, distilled: Path):
    model = unclip.load(distilled)
    [picture] = model.generate(["a red circle"])
    about = picture.info[KEY]
    sampling = about["sampling"]
    assert (sampling["steps"], sampling["sampler"]["kind"], sampling["grid"]["kind"]) == (4, "Consistency", "Jumps")
    shas = {name: store.load(distilled / name).sha256[:12] for name in ("clip", "prior", "decoder", "distilled")}
    assert about["stages"] == shas
    assert model.hash == model_hash(RunFolder(run)) == about["model"]
    words = command({**about, "n": 1}, str(distilled))
    assert words.endswith("--steps 4 --guidance 2.0 --guidance-form jump --sampler consistency --grid jumps")
    again = Settings(steps=4, guidance=2.0, form="jump", sampler="consistency", grid="jumps")
    assert model.generate(["a red circle"], settings=again)[0].tobytes() == picture.tobytes()
    [two] = model.generate(["a red circle"], settings=Settings(steps=2))
    assert two.info[KEY]["sampling"]["steps"] == 2 and two.tobytes() != picture.tobytes()


def test_more_steps_are_those_of_the_decoder_as_before(run: Path, distilled: Path):
    asked = (Settings(form="cfg", guidance=3.0), Settings(negative="blue"))
    for settings in (Settings(steps=9), Settings(sampler="ancestral"), *asked):
        models = (unclip.load(folder) for folder in (run, distilled))
        before, after = (model.generate(["a red circle"], settings=settings)[0] for model in models)
        assert before.tobytes() == after.tobytes()
        assert "distilled" not in after.info[KEY]["stages"]


def test_its_denoiser_can_be_asked_for(distilled: Path):
    model = unclip.load(distilled)
    how = model.resolved(Settings(form="input", steps=12))
    assert how.guidance == StaticThreshold(GuidanceInput(2.0), 1.0) and how.sampler == DDIM(eta=1.0)
    jumps = model.resolved(Settings(guidance=3.0))
    assert jumps.guidance == StaticThreshold(GuidanceInput(3.0, jump=True), 1.0) and jumps.sampler == Consistency()
    assert len(model.generate(["a red circle"], settings=Settings(form="input", steps=3))) == 1


def test_what_cannot_be_is_refused(run: Path, distilled: Path):
    with pytest.raises(ValueError, match=r"guidance = 6: the distilled network has learned 1 to 4; with --steps 24"):
        unclip.load(distilled).generate(["a red circle"], settings=Settings(guidance=6.0))
    with pytest.raises(ValueError, match="has no distilled network; train one: unclip distill"):
        unclip.load(run).generate(["a red circle"], settings=Settings(form="jump"))


def test_another_decoder_than_it_was_distilled_from(distilled: Path, tmp_path: Path):
    other = tmp_path / "run"
    shutil.copytree(distilled, other)
    stored = store.load(other / "decoder")
    tensors = {name: value + 0.01 if value.is_floating_point() else value for name, value in stored.tensors.items()}
    store.save(other / "decoder", "decoder", stored.config, tensors, stored.extra)
    model = unclip.load(other)
    assert isinstance(model.resolved(None).sampler, DDIM)
    with pytest.raises(ValueError, match="was distilled from another decoder .* unclip distill .* --restart"):
        model.generate(["a red circle"], settings=Settings(form="input"))


def test_the_command(run: Path, distilled: Path, tmp_path: Path, call: Call):
    done = call("distill", tmp_path / "none")
    assert done.code == 2 and "no such run" in done.err
    done = call("distill", distilled)
    assert done.code == 2 and "is distilled already; draw with it, or distil it again with --restart" in done.err
    done = call("distill", run, "--budget", "5s")
    assert done.code == 2 and "--budget 5s: 5 s are too few to learn anything; give 30s at least" in done.err
    done = call("distill", run, "--set", "decoder.share=1")
    assert done.code == 2 and "only settings of distilled can be given" in done.err


def test_an_unfinished_run_is_refused(run: Path, tmp_path: Path, call: Call):
    half = tmp_path / "run"
    shutil.copytree(run, half)
    with RunFolder(half).writing():
        RunFolder(half).reopen("decoder")
    done = call("distill", half)
    assert done.code == 2 and "unfinished, the stage 'decoder' is missing" in done.err


def test_a_plain_ddpm_is_distilled_likewise(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Without classes it learns jumps alone, of the data's own path."""
    monkeypatch.setattr("unclip.recipes.stages.distilled.PICTURES", 8)
    few = TrainConfig(4, OptimConfig(lr=1e-3, muon_lr=1e-3, warmup=2), steps=2)
    network = UNetConfig(patch=2, widths=(8, 16), blocks=(1, 1), attention=(False, True), fine=8)
    recipe = DDPMRecipe(network=network, sampling=replace(fast_sampling(), steps=2), train=few)
    begun = RunConfig(model="ddpm", size=32, precision="float32", recipes={"ddpm": recipe})
    list(train_stages(World(32, scenes=64), tmp_path / "run", begun, threading.Event(), force=True))
    [before] = unclip.load(tmp_path / "run").generate(settings=Settings(steps=9))
    told = list(add_stage(tmp_path / "run", "distilled", config(tmp_path / "run", 4), threading.Event()))
    [gate] = [e for e in told if isinstance(e, Gate)]
    assert {"way", "teacher_way"} <= set(gate.metrics) and "2 steps of its teacher" in gate.why
    accept(tmp_path / "run")
    model = unclip.load(tmp_path / "run")
    [picture] = model.generate()
    assert picture.info[KEY]["sampling"]["sampler"]["kind"] == "Consistency"
    assert list(picture.info[KEY]["stages"]) == ["ddpm", "distilled"]
    assert model.generate(settings=Settings(steps=9))[0].tobytes() == before.tobytes()
    with pytest.raises(ValueError, match="guidance = 3.0: this model knows no classes"):
        model.generate(settings=Settings(guidance=3.0))
