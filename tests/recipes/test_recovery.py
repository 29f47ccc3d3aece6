"""A run that was killed, damaged or deleted: it goes on bit-equal from any instant, and loses nothing of anybody."""

import json
import os
import random
import shutil
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from tests.short import STAGES, events, losses, short

import unclip
from unclip.clip.model import CLIP
from unclip.core.disk import store
from unclip.core.noise import initial_weights
from unclip.data.prepare.write import load_prepared
from unclip.models.decoder import Decoder
from unclip.models.priors.diffusion import Prior
from unclip.recipes.add import add_stage, with_stage
from unclip.recipes.context import Context
from unclip.recipes.events import Event, Gate, Note, Progress
from unclip.recipes.settings.run import RunConfig
from unclip.recipes.stage_run import StageRun
from unclip.recipes.stages import AutoregressivePriorRecipe
from unclip.recipes.stages.base import build
from unclip.runs.embeddings import run_embeddings
from unclip.runs.folder import RunFolder
from unclip.runs.modules import load_stage, model_hash

STEPS = 3
SELDOM = 1e9
"""Seconds between two checkpoints: none before a stage's last step."""


class Killed(BaseException):
    """Stands for a process that ends here."""


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that nothing happened to, with a checkpoint after each step."""
    folder = tmp_path_factory.mktemp("runs") / "whole"
    list(events(folder, short(STEPS)))
    return folder


@pytest.fixture
def run(whole: Path, tmp_path: Path) -> RunFolder:
    """A copy to damage."""
    return RunFolder(shutil.copytree(whole, tmp_path / "run"))


def weights(folder: Path) -> dict[str, str]:
    return {name: store.load(folder / name).sha256 for name in STAGES}


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[-9] ^= 1
    path.write_bytes(data)


def notes(told: list[Event]) -> str:
    return "\n".join(e.text for e in told if isinstance(e, Note))


def killed_at(folder: Path, config: RunConfig, name: str, step: int) -> None:
    for event in events(folder, config):
        if isinstance(event, Progress) and (event.stage, event.report.step) == (name, step):
            break


def test_killed_before_the_first_checkpoint_of_each_stage(
    whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config, folder = replace(short(STEPS), checkpoint_seconds=SELDOM), tmp_path / "cut"
    finish = RunFolder.finish

    def killed(self: RunFolder, name: str, record: dict) -> None:
        if name == "tokenizer":
            raise Killed
        finish(self, name, record)

    monkeypatch.setattr(RunFolder, "finish", killed)
    with pytest.raises(Killed):  # between the tokenizer's file and its note
        list(events(folder, config))
    monkeypatch.undo()
    for name, step in (("clip", 1), ("prior", 2), ("decoder", 1)):
        killed_at(folder, config, name, step)
        assert not RunFolder(folder).checkpoint(name)[0].exists()
    list(events(folder, config))
    assert weights(folder) == weights(whole)
    assert all(losses(folder, name) == losses(whole, name) for name in STAGES)
    assert model_hash(RunFolder(folder)) == model_hash(RunFolder(whole))


def test_killed_before_file_operations(whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In short what `benchmarks/kills.py` does with real processes."""
    folder, left, draws = tmp_path / "cut", [0], random.Random(0)

    def deadly(real: Callable[..., None]) -> Callable[..., None]:
        def call(*about: object) -> None:
            left[0] -= 1
            if left[0] == 0:
                raise Killed
            real(*about)

        return call

    for name in ("replace", "fsync", "rmdir"):
        monkeypatch.setattr(os, name, deadly(getattr(os, name)))
    for maximum in (9, 25, 25, 60, 60):  # in preparing, in the first saves, in later ones
        left[0] = draws.randint(1, maximum)
        with pytest.raises(Killed):
            list(events(folder, short(STEPS)))
        (folder / "thesis.txt").write_text("work", encoding="utf-8")
    list(events(folder, short(STEPS)))
    assert weights(folder) == weights(whole)
    assert all(losses(folder, name) == losses(whole, name) for name in STAGES)
    assert (folder / "thesis.txt").read_text(encoding="utf-8") == "work"
    assert not [p for p in folder.rglob("*") if ".part" in p.name or p.name.endswith(".old")]


def test_an_added_stage_killed_before_its_first_checkpoint(whole: Path, tmp_path: Path) -> None:
    found = []
    for name, kill in (("once", False), ("twice", True)):
        folder = Path(shutil.copytree(whole, tmp_path / name))
        recipe = AutoregressivePriorRecipe(
            width=32, layers=1, buckets=8, waves=4, train=short(2).recipes["prior"].train
        )
        config = with_stage(folder, "autoregressive_prior").using(autoregressive_prior=recipe)
        config = replace(config, checkpoint_seconds=SELDOM)
        if kill:
            for event in add_stage(folder, "autoregressive_prior", config, threading.Event()):
                if isinstance(event, Progress):
                    break
        list(add_stage(folder, "autoregressive_prior", config, threading.Event()))
        found.append(store.load(folder / "autoregressive_prior").sha256)
    assert found[0] == found[1]


def test_what_a_stage_begins_as_does_not_depend_on_what_was_loaded_before(whole: Path) -> None:
    stages = ("prior", "decoder", "autoregressive_prior", "contrastive_prior", "noisy_clip", "inpaint")

    def fresh() -> Context:
        config = replace(short(STEPS), added=stages[2:])
        return Context(RunFolder(whole), config, load_prepared(whole / "data"), "cpu", "float32")

    warm = fresh()
    _ = warm.clip, warm.finished("prior", Prior), warm.finished("decoder", Decoder), warm.embeddings
    for name in stages:
        a, b = (build(ctx, name).module.state_dict() for ctx in (fresh(), warm))
        assert all(torch.equal(a[key], b[key]) for key in a), name


MODULES: dict[str, type[torch.nn.Module]] = {"clip": CLIP, "prior": Prior, "decoder": Decoder}


@pytest.mark.parametrize("name", [*STAGES, "early/decoder"])
def test_reading_a_stage_draws_no_random_number(whole: Path, name: str) -> None:
    with initial_weights("key"):
        before = torch.get_rng_state()
        load_stage(RunFolder(whole), name, MODULES[name.rpartition("/")[2]], "cpu")
        assert torch.equal(torch.get_rng_state(), before)


def test_without_state_json_the_stages_tell_how_they_ended(run: RunFolder, whole: Path) -> None:
    before = run.state()
    (run.root / "state.json").unlink()
    assert unclip.load(run.root).generate(["a red circle"])
    times = {name: (run.root / name / store.WEIGHTS).stat().st_mtime_ns for name in STAGES}
    told = list(events(run.root, short(STEPS)))
    assert [e.stage for e in told if isinstance(e, Gate)] == list(STAGES)
    assert times == {name: (run.root / name / store.WEIGHTS).stat().st_mtime_ns for name in STAGES}
    after = run.state()
    assert {n: (r["passed"], r["why"], r["metrics"]) for n, r in before.items()} == {
        n: (r["passed"], r["why"], r["metrics"]) for n, r in after.items()
    }


@pytest.mark.parametrize("text", ["[]", "3", '{"clip": 1}', '{"clip": {"passed": 1}}', "{", "[" * 100000])
def test_a_forged_state_is_one_line_and_its_advice_works(run: RunFolder, text: str) -> None:
    (run.root / "state.json").write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=r"state\.json: .*; delete (it|the file): how the stages ended") as error:
        list(events(run.root, short(STEPS)))
    assert "\n" not in str(error.value)
    (run.root / "state.json").unlink()
    list(events(run.root, short(STEPS)))
    assert unclip.load(run.root)


def test_a_damaged_checkpoint_gives_way_to_the_one_before(run: RunFolder, whole: Path) -> None:
    run.reopen("decoder")
    last, before = run.checkpoint("decoder")
    flip(last / store.WEIGHTS)
    step = store.load(before).extra["step"]
    told = notes(list(events(run.root, short(STEPS))))
    assert f"{last / store.WEIGHTS}: damaged" in told
    assert f"continues at step {step}" in told
    store.check(last)
    store.check(before)
    assert weights(run.root) == weights(whole)


def test_with_both_checkpoints_damaged_the_stage_begins_again(run: RunFolder, whole: Path) -> None:
    run.reopen("prior")
    for place in run.checkpoint("prior"):
        flip(place / store.WEIGHTS)
    told = notes(list(events(run.root, short(STEPS))))
    assert told.count("goes on without it") == 2
    assert weights(run.root) == weights(whole)
    assert losses(run.root, "prior") == losses(whole, "prior")


@pytest.mark.parametrize("name", ["config.json", store.WEIGHTS])
def test_a_damaged_finished_stage_is_made_again(run: RunFolder, whole: Path, name: str) -> None:
    flip(run.root / "prior" / name)
    with pytest.raises(ValueError, match="the command that trained it makes it whole again"):
        unclip.load(run.root)
    told = notes(list(events(run.root, short(STEPS))))
    assert f"{run.root / 'prior' / name}: damaged" in told or "not a model's config" in told
    assert weights(run.root) == weights(whole)
    assert unclip.load(run.root).hash == unclip.load(whole).hash


def test_stages_that_were_trained_on_another_one_are_trained_anew(run: RunFolder) -> None:
    shutil.rmtree(run.root / "clip")
    run.forget("decoder")
    state = json.loads((run.root / "state.json").read_text(encoding="utf-8"))
    state["clip"]["sha256"] = "of a CLIP whose checkpoints are gone, trained for so many minutes"
    (run.root / "state.json").write_text(json.dumps(state), encoding="utf-8")
    told = notes(list(events(run.root, short(STEPS))))
    assert "is another one than before, so prior are trained anew on it" in told
    assert unclip.load(run.root)


def test_a_damaged_cache_is_made_anew(run: RunFolder) -> None:
    cache, clip = run.checkpoints / "embeddings" / "00000", load_stage(run, "clip", CLIP, "cpu")
    whole = store.load(cache).tensors["embeddings"].clone()
    for name in (store.WEIGHTS, "config.json"):
        flip(cache / name)
        assert torch.equal(run_embeddings(run, clip, load_prepared(run.data), "cpu", "float32"), whole)
        store.check(cache)


def test_two_words_that_change_places_in_the_tokenizer_are_found(run: RunFolder, whole: Path) -> None:
    table = json.loads(run.tokenizer.read_text(encoding="utf-8"))
    words = table["model"]["vocab"]
    words["Ġred"], words["Ġblue"] = words["Ġblue"], words["Ġred"]
    run.tokenizer.write_text(json.dumps(table), encoding="utf-8")
    assert model_hash(run) != model_hash(RunFolder(whole))
    with pytest.raises(ValueError, match=r"tokenizer\.json: damaged, or of another run"):
        unclip.load(run.root)
    assert "made again from the captions" in notes(list(events(run.root, short(STEPS))))
    assert unclip.load(run.root).hash == unclip.load(whole).hash


def test_a_preview_that_a_kill_cut_is_made_up_for(whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, real, left = tmp_path / "cut", StageRun._preview, iter(range(1))

    def killed(self: StageRun, *about: object) -> object:
        if next(left, None) is not None:
            raise Killed
        return real(self, *about)  # pyright: ignore[reportArgumentType]

    monkeypatch.setattr(StageRun, "_preview", killed)
    with pytest.raises(Killed):
        list(events(folder, short(STEPS)))
    list(events(folder, short(STEPS)))
    assert {p.name for p in (folder / "samples").iterdir()} == {p.name for p in (whole / "samples").iterdir()}


def test_a_run_deleted_under_its_training_ends_in_one_line(tmp_path: Path) -> None:
    training = events(tmp_path / "run", short(STEPS))
    next(event for event in training if isinstance(event, Progress))
    shutil.rmtree(tmp_path / "run")
    with pytest.raises(ValueError, match="was deleted or replaced while it was written to"):
        list(training)
    assert not (tmp_path / "run" / "checkpoints").exists()


def test_other_data_never_take_the_place_of_a_runs_own(run: RunFolder) -> None:
    """`unclip demo --out RUN`, where RUN was trained on somebody's images."""
    about = json.loads((run.data / "prepared.json").read_text(encoding="utf-8"))
    (run.data / "prepared.json").write_text(
        json.dumps({**about, "kind": "class folders", "fingerprint": ""}), encoding="utf-8"
    )
    with pytest.raises(ValueError, match="was begun with other data"):
        list(events(run.root, short(STEPS)))
    assert load_prepared(run.data)


def test_what_others_laid_into_a_run_is_never_touched(run: RunFolder) -> None:
    places = [
        run.root,
        run.root / "prior",
        run.checkpoints,
        *run.checkpoint("prior"),
        run.samples,
        run.early / "decoder",
    ]
    for place in places:
        (place / "thesis.txt").write_text("work", encoding="utf-8")
    run.forget("prior")
    list(events(run.root, short(STEPS)))
    kept = sorted(str(p.parent.relative_to(run.root)) for p in run.root.rglob("thesis*"))
    assert len(kept) >= len(places) - 1  # of the two checkpoints, one folder may carry both
    assert {".", "prior", "checkpoints", "samples", "early/decoder"} <= set(kept)
    assert any(place.startswith("checkpoints/prior") for place in kept)


def test_what_a_kill_left_half_written_beside_the_previews_is_swept(run: RunFolder) -> None:
    """Found by 100 kills: `samples/.data.28990.part.png` stayed for ever; by 200 more: `.splits.5648.part.json` did."""
    left = [run.samples / ".data.28990.part.png", run.plots / ".loss.17.part.png", run.logs / ".clip.3.part.jsonl"]
    left += [run.root / ".splits.5648.part.json", run.plugins / ".mine.5.part.py"]
    left += [run.data / ".prepared.7.part.json", run.root / "data-64" / ".prepared.7.part.json"]
    theirs = [run.samples / "data.part.png", run.samples / ".hidden.png", run.plots / ".notes.part.d"]
    for path in (*left, *theirs):
        path.parent.mkdir(exist_ok=True)
        path.write_text("half", encoding="utf-8")
    with run.writing():
        assert not [path for path in left if path.exists()]
    assert all(path.exists() for path in theirs)
