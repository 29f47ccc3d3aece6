"""A run starts from the trained weights of another: nothing is lost at step 0, a kill costs nothing."""

import shutil
import threading
import tomllib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from tests.short import STAGES, losses, short

import unclip
from unclip.clip.model import CLIP
from unclip.core.disk import store
from unclip.data.item import Item
from unclip.data.shapes.world import World
from unclip.models.priors.diffusion import Prior
from unclip.recipes.events import Event, Note, Progress
from unclip.recipes.run import train_stages
from unclip.recipes.settings.run import RunConfig, retrained, stored_config
from unclip.recipes.start.origin import run_of
from unclip.recipes.start.settings import check_alike, settings_from
from unclip.recipes.start.weights import grown
from unclip.runs.folder import RunFolder
from unclip.runs.modules import load_stage, model_hash

STEPS = 2
SCENES = 24
"""Too few to be looked through for copies, which takes longest."""
STILL = 1e-12
"""A learning rate at which nothing moves."""


class Renamed:
    """The drawn scenes with a word that no run has read, some in captions longer than all of theirs."""

    root, kind = Path("renamed"), "renamed"

    def __init__(self, scenes: int = SCENES) -> None:
        self.world = World(32, scenes=scenes)

    def __iter__(self) -> Iterator[Item]:
        for i, item in enumerate(self.world):
            yield replace(item, captions=tuple(f"zeppelin {c}{' of brass' * (i % 3)}" for c in item.captions))

    def fingerprint(self) -> str:
        return "renamed"


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("start") / "trained"
    train(World(32, scenes=SCENES), folder, short(STEPS))
    return folder


@pytest.fixture
def run(trained: Path, tmp_path: Path) -> Path:
    """A copy to damage."""
    return shutil.copytree(trained, tmp_path / "trained")


def begun(run: Path, steps: int = STEPS, **rates: float) -> RunConfig:
    """The settings of a short run that starts from this one."""
    config = replace(settings_from(RunFolder(run), str(run)), precision="float32", checkpoint_seconds=0.0)
    for name in config.stages:
        recipe = retrained(config.recipes[name], steps=steps)
        recipe = retrained(recipe, optim=replace(recipe.train.optim, **rates)) if rates else recipe
        config = config.using(**{name: recipe})
    return config


def train(source: World | Renamed, out: Path, config: RunConfig, stop: threading.Event | None = None) -> list[Event]:
    return list(train_stages(source, out, config, stop or threading.Event(), force=True))


def notes(told: list[Event]) -> str:
    return "\n".join(e.text for e in told if isinstance(e, Note))


def test_at_step_0_it_is_the_run_that_it_started_from(trained: Path, tmp_path: Path) -> None:
    """At a rate of nothing, on the same data, every stage keeps the other's averaged weights, and so their losses."""
    out = tmp_path / "still"
    told = train(World(32, scenes=SCENES), out, begun(trained, 1, lr=STILL, muon_lr=STILL))
    assert f"starts from the weights of {trained}, model {model_hash(RunFolder(trained))}" in notes(told)
    for name in STAGES:
        before, after = (store.load(folder / name).tensors for folder in (trained, out))
        assert before.keys() == after.keys()
        for key, value in before.items():
            torch.testing.assert_close(after[key], value, rtol=0, atol=1e-6)
    again = tmp_path / "again"  # the same batches once more: the first losses are those of its weights, not of random
    train(World(32, scenes=SCENES), again, begun(out, 1, lr=STILL, muon_lr=STILL))
    for name in STAGES:
        was, now, random = (losses(folder, name) for folder in (out, again, trained))
        assert [loss for _, loss in now] == pytest.approx([loss for _, loss in was], abs=1e-6)
        assert now[0][1] != pytest.approx(random[0][1], abs=1e-4)


def test_words_and_lengths_are_added_and_what_was_known_stays_to_the_bit(trained: Path, tmp_path: Path) -> None:
    out, known = tmp_path / "out", [c for item in World(32, scenes=SCENES) for c in item.captions]
    train(Renamed(), out, begun(trained, 1, lr=STILL, muon_lr=STILL))
    old, new = unclip.load(trained), unclip.load(out)
    assert new.tokenizer.size > old.tokenizer.size and new.tokenizer.context > old.tokenizer.context
    assert len(new.tokenizer(["zeppelin"])[0][0]) == 3
    clips = [load_stage(folder, "clip", CLIP) for folder in (trained, out)]
    wider = CLIP(clips[1].config)
    spelled = [[5, 6]] * (new.tokenizer.size - old.tokenizer.size)
    wider.load_state_dict(grown(wider, clips[0].state_dict(), spelled))
    wider.eval().requires_grad_(False)
    for caption in known:
        ids, mask = new.tokenizer([caption])
        assert ids.tolist() == old.tokenizer([caption])[0].tolist()
        assert torch.equal(wider.embed_text(ids, mask)[0], clips[0].embed_text(ids, mask)[0])
    table = wider.text.state_dict()["embedding.weight"]
    assert torch.equal(table[-1], table[[5, 6]].mean(0))
    prior, was = load_stage(out, "prior", Prior), load_stage(trained, "prior", Prior)
    longer = prior.state_dict()["diffusion.denoiser.network.position"]
    short_ = was.state_dict()["diffusion.denoiser.network.position"]
    torch.testing.assert_close(longer[-4:], short_[-4:], rtol=0, atol=1e-6)
    assert len(longer) - len(short_) == new.tokenizer.context - old.tokenizer.context


def test_a_kill_costs_nothing_and_the_other_run_may_be_gone(run: Path, tmp_path: Path) -> None:
    config, whole, cut = begun(run), tmp_path / "whole", tmp_path / "cut"
    train(Renamed(), whole, config)
    stop = threading.Event()
    for event in train_stages(Renamed(), cut, config, stop, force=True):
        if isinstance(event, Progress) and (event.stage, event.report.step) == ("prior", 1):
            stop.set()
    shutil.rmtree(run)
    train(Renamed(), cut, stored_config(cut / "run.toml"))
    for name in STAGES:
        assert store.load(cut / name).sha256 == store.load(whole / name).sha256
        assert losses(cut, name) == losses(whole, name)
    table = tomllib.loads((cut / "run.toml").read_text(encoding="utf-8"))
    assert table["start"] == str(run) and table["start_hash"] == config.start_hash
    shutil.rmtree(cut / "checkpoints")  # the decoder has to begin again, and cannot
    (cut / "decoder" / store.WEIGHTS).unlink()
    with pytest.raises(ValueError, match=r"start: gone or damaged.*restore it, or the model .* no such run"):
        train(Renamed(), cut, stored_config(cut / "run.toml"))


def test_gentler_rates_and_the_other_runs_networks(trained: Path) -> None:
    there, config = stored_config(trained / "run.toml"), begun(trained)
    for name in STAGES:
        was, now = there.recipes[name].train.optim, config.recipes[name].train.optim
        assert (now.lr, now.muon_lr) == pytest.approx((0.3 * was.lr, 0.3 * was.muon_lr))
    assert settings_from(RunFolder(trained), "x").recipes["clip"].train.steps == 0


def wrong(config: RunConfig, out: Path) -> str:
    with pytest.raises(ValueError, match=str(config.start)) as error:
        train(World(32, scenes=SCENES), out, config)
    assert not (out / "run.toml").exists() and not (out / "data").exists()
    return str(error.value)


def test_weights_of_other_networks_are_refused_by_name(trained: Path, tmp_path: Path) -> None:
    config, out = begun(trained), tmp_path / "out"
    wider = config.using(prior=replace(config.recipes["prior"], width=64))
    assert f"prior.width = 64: the weights of {trained} were trained with prior.width = 32" in wrong(wider, out)
    assert "size = 64: the weights of" in wrong(replace(config, size=64), out)
    other = RunConfig(model="ddpm", size=32, start=str(trained))
    assert f"model = 'ddpm': the weights of {trained} were trained with model = 'unclip'" in wrong(other, out)
    assert "and these settings are for 0123" in wrong(replace(config, start_hash="0123"), out)


def test_where_drawing_takes_its_last_step_may_be_another() -> None:
    has, wanted = ({"diffusion": {"schedule": {"mean": 0.8, "s_last": last}}} for last in (0.0, 0.1))
    check_alike("decoder", wanted, has, "runs/other")
    wanted["diffusion"]["schedule"]["mean"] = 0.3
    with pytest.raises(ValueError, match=r"decoder.diffusion.schedule.mean = 0.3: the weights of runs/other"):
        check_alike("decoder", wanted, has, "runs/other")


def test_runs_that_nothing_can_start_from(run: Path, tmp_path: Path) -> None:
    config, out = begun(run), tmp_path / "out"
    with pytest.raises(ValueError, match="--from .*none: no such run"):
        run_of(str(tmp_path / "none"))
    (run / "tokenizer.json").write_bytes((run / "tokenizer.json").read_bytes() + b" ")
    assert "tokenizer.json: damaged, or of another run" in wrong(config, out)
    (run / "tokenizer.json").unlink()
    assert "tokenizer.json: not found" in wrong(config, out)
    (run / "prior" / store.WEIGHTS).write_bytes(b"x")
    assert f"--from {run / 'prior' / store.WEIGHTS}: damaged" in wrong(config, out) or "tokenizer" in wrong(config, out)
    RunFolder(run).reopen("decoder")
    assert f"--from {run}: unfinished, the stage 'decoder' is missing" in wrong(config, out)


def test_in_python_start_and_more(trained: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="preset = 'small': the networks are those of start"):
        unclip.train("shapes", tmp_path / "x", start=trained, preset="small")
    with pytest.raises(ValueError, match="size = 64: the weights of"):
        unclip.train("shapes", tmp_path / "x", start=trained, size=64)
    with pytest.raises(ValueError, match="start: config says this, too"):
        unclip.train("shapes", tmp_path / "x", start=trained, config=begun(trained))
    with pytest.raises(ValueError, match="--more: .*x holds no finished run"):
        unclip.train("shapes", tmp_path / "x", more="3m")
    with pytest.raises(ValueError, match="was begun from random weights; leave --from out"):
        unclip.train(World(32, scenes=SCENES), trained, start=tmp_path / "other")
