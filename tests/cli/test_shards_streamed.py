"""Whole runs on tar shards that are read while they train."""

import io
import os
import shutil
import tarfile
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.cli.conftest import Call
from tests.cli.test_families import config as family
from tests.paint import CLASSES, folder
from tests.short import short

import unclip
from unclip.core.disk import store
from unclip.data.layouts.pack import pack
from unclip.data.prepare.read import read_words
from unclip.data.source import open_source
from unclip.data.stream import course, sample, texts
from unclip.recipes.events import Event, Note, Progress
from unclip.recipes.run import train_stages
from unclip.recipes.settings.run import RunConfig
from unclip.runs.folder import RunFolder
from unclip.studies.doctor.look import look
from unclip.training.checkpoint import read_log

STEPS = 12


@pytest.fixture
def shards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Nine shards of eight painted images; in windows of two."""
    monkeypatch.setattr(course, "MIXED", 16)
    pack(open_source(folder(tmp_path / "painted")), tmp_path / "shards", per_shard=8)
    return tmp_path / "shards"


def ddpm(steps: int = STEPS) -> RunConfig:
    return replace(family("ddpm", steps), stream="always")


def events(data: Path, run: Path, config: RunConfig, stop: threading.Event | None = None) -> Iterator[Event]:
    return train_stages(open_source(data), run, config, stop or threading.Event(), force=True)


def notes(data: Path, run: Path, config: RunConfig) -> list[str]:
    return [event.text for event in events(data, run, config) if isinstance(event, Note)]


def log(run: Path, stage: str = "ddpm") -> list[tuple[int, float, float]]:
    return [
        (line["step"], line["loss"], line["grad_norm"]) for line in read_log(RunFolder(run).logs / f"{stage}.jsonl")
    ]


def test_a_run_that_is_stopped_goes_on_as_if_it_was_not(shards: Path, tmp_path: Path, call: Call) -> None:
    told = notes(shards, tmp_path / "whole", ddpm())
    assert any("streamed: 7 shards" in line and "about 56 images" in line for line in told), told
    assert any("near-copies are not looked for" in line for line in told)
    for at, forgets in ((4, False), (9, True)):
        run, stop = tmp_path / f"stopped-{at}", threading.Event()
        for event in events(shards, run, ddpm(), stop):
            if isinstance(event, Progress) and event.report.step == at:
                stop.set()
        assert len(log(run)) == at
        if forgets:  # what is known of the shards only saves time
            (run / "data" / "counts.jsonl").unlink()
        moved = tmp_path / f"moved-{at}"
        shutil.copytree(shards, moved)  # with other times, as on another disk
        for path in moved.iterdir():
            path.touch()
        list(events(moved, run, ddpm()))
        assert log(run) == log(tmp_path / "whole") and len(log(run)) == STEPS
        ends = [store.load(where / "ddpm", "ddpm").tensors for where in (run, tmp_path / "whole")]
        assert all((ends[0][name] == value).all() for name, value in ends[1].items())
    assert RunFolder(tmp_path / "whole").state()["data"]["metrics"]["streamed"] == 7
    model = unclip.load(tmp_path / "whole")
    assert len(model.generate(["red"])) == 1
    few = ("--set", "classifier.train.steps=2", "--set", "classifier.train.batch=4")
    call("add", "classifier", "--run", tmp_path / "whole", *few)
    assert "classifier" in RunFolder(tmp_path / "whole").state() and len(log(tmp_path / "whole", "classifier")) == 2


def test_a_run_refuses_other_shards_than_it_began_with(shards: Path, tmp_path: Path) -> None:
    run, stop = tmp_path / "run", threading.Event()
    for event in events(shards, run, ddpm(), stop):
        if isinstance(event, Progress):
            stop.set()
    kept = tmp_path / "kept"
    shutil.copytree(shards, kept)
    trained = next(
        p for p in sorted(shards.iterdir()) if p.name not in (run / "splits.json").read_text(encoding="utf-8")
    )
    trained.unlink()
    with pytest.raises(ValueError, match="was begun with other data"):
        list(events(shards, run, ddpm()))
    shutil.rmtree(shards)
    shutil.copytree(kept, shards)
    list(events(shards, run, ddpm()))
    assert len(log(run)) == STEPS


def test_text_to_image_is_trained_on_a_stream(shards: Path, tmp_path: Path, call: Call) -> None:
    """CLIP's embeddings of a batch are made where it is needed; what follows reads the images that are prepared."""
    run, config = tmp_path / "run", replace(short(3), stream="always")
    list(events(shards, run, config))
    assert {"clip", "prior", "decoder"} <= RunFolder(run).state().keys()
    known = {word for caption in read_words(run / "data") for word in caption.split()}
    assert {"red", "blue", "white"} <= known and len(texts.read_texts(run / "data")) == 56
    for words in (["info", run], ["search", "red", "--run", run]):
        done = call(*words)
        assert done.code == 0, done.err


def test_stages_are_added_to_a_run_on_a_stream(tmp_path: Path, call: Call) -> None:
    """The upsampler reads the shards again, larger, without those that are too small, and follows them elsewhere."""
    run, place = tmp_path / "run", tmp_path / "shards"
    painted = folder(tmp_path / "painted", side=64)
    small = Image.fromarray(np.full((40, 40, 3), 200, dtype=np.uint8))
    for name in CLASSES:
        small.save(painted / name / "3.png")
    pack(open_source(painted), place, per_shard=8)
    list(events(place, run, replace(short(2), stream="always")))

    def added(stage: str, *words: object) -> str:
        few = ("--set", f"{stage}.train.steps=2", "--set", f"{stage}.train.batch=4")
        done = call("add", stage, *words, "--run", run, *few)
        return done.out + done.err

    assert "3 images smaller than 64 px were left out" in added("upsampler")
    assert len(log(run, "upsampler")) == 2 and (run / "data-64" / "prepared.json").exists()
    added("noisy_clip")
    assert len(log(run, "noisy_clip")) == 2
    place.rename(tmp_path / "moved")
    told = added("upsampler", "--restart")
    assert f"{place}{os.sep}shard-" in told and "or say where the shards lie now" in told
    added("upsampler", tmp_path / "moved", "--restart")
    assert len(log(run, "upsampler")) == 2 and "upsampler" in RunFolder(run).state()
    assert "was trained on other data" in added("upsampler", painted, "--restart")


def test_shards_in_the_order_of_their_classes_are_told_of(tmp_path: Path) -> None:
    """What is held out shows one of ten classes; class folders are mixed where they are packed."""
    pairs, classes = tmp_path / "pairs", tmp_path / "classes"
    pairs.mkdir()
    for name in "abcdefghij":
        (classes / name).mkdir(parents=True)
        for number in range(8):
            shade = Image.fromarray(np.full((8, 8, 3), 20 * ord(name) % 256 + number, dtype=np.uint8))
            shade.save(pairs / f"{name}{number}.png")
            shade.save(classes / name / f"{number}.png")
            (pairs / f"{name}{number}.txt").write_text(name, encoding="utf-8")
    told = dict[Path, str]()
    for source in (pairs, classes):
        pack(open_source(source), shards := tmp_path / f"{source.name}-shards", per_shard=8)
        told[source] = "\n".join(notes(shards, tmp_path / f"{source.name}-run", ddpm(1)))
    assert "have 1 of 10 classes" in told[pairs] and "mix them before they are packed" in told[pairs]
    assert "10: a, b, c" in told[classes] and "mix them" not in told[classes]


def test_it_is_chosen_for_many_shards_alone(shards: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = replace(ddpm(2), stream="auto")
    list(events(shards, tmp_path / "few", plain))
    assert not (tmp_path / "few" / "data" / "stream.json").exists()
    monkeypatch.setattr(sample, "MANY", 9)
    list(events(shards, tmp_path / "many", plain))
    assert (tmp_path / "many" / "data" / "stream.json").exists()
    list(events(shards, tmp_path / "never", replace(plain, stream="never")))
    assert not (tmp_path / "never" / "data" / "stream.json").exists()
    looked = look(open_source(shards), plain, tmp_path / "doctor" / "data", threading.Event())
    assert (looked.images, looked.kept) == (56, 72) and any("streamed: 7 shards" in line for line in looked.lines())
    with pytest.raises(ValueError, match="stream = always: .*only tar shards can be read as a stream"):
        list(events(tmp_path / "painted", tmp_path / "folder", ddpm()))


def test_what_is_wrong_in_the_middle_is_told(shards: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A broken image, a class that no shard before had, and a shard that is cut short."""
    monkeypatch.setattr(sample, "LOOK", 8)
    monkeypatch.setattr(texts, "MOST", 40)  # of the first five
    began = sample.choose(open_source(shards), tmp_path / "look", 0.05)  # pyright: ignore[reportArgumentType]
    _, cut, *_, broken, foreign = [file.name for file in sample.hashed(began.trained)]
    for name, change in ((broken, {0: b"no image"}), (foreign, {1: b"a new class"})):
        _changed(shards / name, change)
    whole = (shards / cut).read_bytes()
    (shards / cut).write_bytes(whole[: len(whole) // 2])
    config = replace(ddpm(), max_bad=0.5)
    told = "\n".join(notes(shards, tmp_path / "run", config))
    assert f"{broken}/" in told and "the next image takes its place" in told
    assert 'its class "a new class" is none of the' in told
    assert f"{cut}: is damaged or cut short" in told and "images before that are trained on" in told
    assert len(log(tmp_path / "run")) == STEPS
    assert f"{broken}/" in (tmp_path / "run" / "data" / "skipped.jsonl").read_text(encoding="utf-8")


def _changed(path: Path, change: dict[int, bytes]) -> None:
    """The same tar with other bytes for the files of these numbers."""
    with tarfile.open(path) as old:
        files = [(info, content.read()) for info in old if (content := old.extractfile(info)) is not None]
    with tarfile.open(path, "w", format=tarfile.USTAR_FORMAT) as out:
        for number, (info, data) in enumerate(files):
            info.size = len(data := change.get(number, data))
            out.addfile(info, io.BytesIO(data))
