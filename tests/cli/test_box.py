"""A model in the box: tiny runs, packed as those that ship, and the commands that take one where --run is not given."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from PIL import Image
from tests.cli.conftest import Call
from tests.short import finished
from tools import box

import unclip
from unclip.box import shipped
from unclip.core.disk import store
from unclip.generation.settings import Settings
from unclip.generation.text_to_image import TextToImage
from unclip.runs.folder import RunFolder
from unclip.runs.modules import model_hash
from unclip.runs.pack import pack_run
from unclip.studies.shown_box import box_pictures, box_sections

RED = "a large red circle"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run: 64 drawn scenes, one step a stage."""
    folder = finished(tmp_path_factory.mktemp("box") / "run")
    place = folder / "evaluation" / "test"
    place.mkdir(parents=True)
    (place / "scores.json").write_text(
        json.dumps({"run": str(folder), "scores": {"retrieval": {"r1": 0.5}}}), encoding="utf-8"
    )
    return folder


@pytest.fixture(scope="module")
def packed(run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A box with two models: the run, and the same with a decoder of other weights."""
    other = tmp_path_factory.mktemp("other") / "run"
    shutil.copytree(run, other, ignore=shutil.ignore_patterns("evaluation"))
    kept = store.load(other / "decoder")
    moved = {name: value + 0.01 if value.is_floating_point() else value for name, value in kept.tensors.items()}
    store.save(other / "decoder", kept.kind, kept.config, moved, kept.extra)
    place = tmp_path_factory.mktemp("models")
    for name, of in (("emoji", run), ("shapes", other)):
        assert box.main([name, str(of), "--place", str(place), "--about", f"tiny {name}", "--images", "16"]) == 0
    return place


@pytest.fixture
def models(packed: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The box of this test."""
    monkeypatch.setattr(shipped, "PLACE", packed)
    monkeypatch.chdir(tmp_path)
    return packed


def copied(models: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A box that may be damaged."""
    place = tmp_path / "models"
    shutil.copytree(models, place)
    monkeypatch.setattr(shipped, "PLACE", place)
    return place


def test_names_lead_to_runs(models: Path, tmp_path: Path):
    assert shipped.names() == ["emoji", "shapes"]
    assert shipped.find() == shipped.find("box") == shipped.find("box:emoji") == models / "emoji"
    assert shipped.find("box:shapes") == shipped.find(Path("box:shapes")) == models / "shapes"
    assert shipped.find("runs/mine") == Path("runs/mine")
    mine = tmp_path / "box"  # a run of the user's of that name is meant before the one that ships
    shutil.copytree(models / "shapes", mine)
    assert shipped.find("box") == Path("box") and shipped.find() == models / "emoji"
    with pytest.raises(ValueError, match="box:cats: no such model ships with unclip; these do: box:emoji, box:shapes"):
        shipped.find("box:cats")


def test_matrices_are_bfloat16_on_disk_and_float32_in_use(models: Path):
    stored = store.load(models / "emoji" / "decoder").tensors
    kinds = {(value.ndim > 1, value.dtype) for value in stored.values() if value.is_floating_point()}
    assert kinds == {(True, torch.bfloat16), (False, torch.float32)}
    model = unclip.load()
    assert isinstance(model, TextToImage)
    assert model.decoder is not None and {p.dtype for p in model.decoder.parameters()} == {torch.float32}
    assert model.hash == shipped.shipped().model != unclip.load("box:shapes").hash


def test_what_is_clips_is_kept_once(run: Path, tmp_path: Path):
    frozen, clips = tmp_path / "frozen", store.load(run / "clip").tensors
    shutil.copytree(run, frozen)
    kept = store.load(frozen / "decoder")
    words = {name: value for name, value in clips.items() if name.startswith("text.")}
    store.save(frozen / "decoder", kept.kind, kept.config, kept.tensors | words, kept.extra)
    assert box.main(["shapes", str(frozen), "--place", str(tmp_path / "models"), "--images", "16"]) == 0
    packed, whole = tmp_path / "models" / "shapes", tmp_path / "whole"
    assert [one.folder for one in store.load(packed / "decoder").elsewhere] == ["clip"]
    assert not (packed / ".unclip").exists()
    pack_run(packed, whole)
    pack_run(packed, tmp_path / "half", half=True)
    alone = [store.load(place / "decoder") for place in (whole, tmp_path / "half")]
    assert all(one.elsewhere == () and one.tensors.keys() == kept.tensors.keys() for one in alone)
    drawn = [unclip.load(place).generate([RED], settings=Settings(steps=2))[0] for place in (packed, whole)]
    assert drawn[0].tobytes() == drawn[1].tobytes()
    assert model_hash(RunFolder(packed)) == model_hash(RunFolder(whole))


def test_every_command_draws_and_asks_without_a_run(call: Call, models: Path):
    done = call("generate", RED, "--steps", 2)
    assert done.code == 0, done.err
    told = "using the model that ships with unclip (emoji, 32 px); yours: --run RUN"
    assert done.err.splitlines() == [told]
    picture, mask = "out/a-large-red-circle-0.png", "mask.png"
    half = Image.new("L", (32, 32), 0)
    half.paste(255, (0, 0, 16, 32))
    half.save(mask)
    few = ("--steps", 2, "-n", 2)
    for words in (
        ("vary", picture, *few),
        ("blend", picture, picture, *few),
        ("diff", picture, "--to", "a blue circle", *few),
        ("invert", picture, "--steps", 2),
        ("probe", picture, "--steps", 2),
        ("edit", picture, RED, "--mask", mask, *few),
        ("extend", picture, RED, "--right", 0.5, *few),
        ("classify", picture, "--labels", "red", "blue"),
        ("search", picture, "-n", 3),
    ):
        done = call(*words)
        assert done.code == 0, (words, done.err)
        assert f"and drew {picture} (emoji, 32 px); yours: --run RUN" in done.err, (words, done.err)
    done = call("search", "a red circle", "-n", 3)
    assert done.code == 0 and told in done.err
    assert "upsampler" in call("upsample", picture).err
    assert not [path for path in models.rglob("*") if path.name in (".unclip", "checkpoints", "evaluation")]


def test_an_image_is_worked_on_by_the_model_that_drew_it(call: Call, models: Path):
    assert call("generate", RED, "--run", "box:shapes", "--steps", 2).err == ""
    picture = "out/a-large-red-circle-0.png"
    assert "again:\n  unclip generate 'a large red circle' --run box:shapes --seed 0" in call("info", picture).out
    done = call("vary", picture, "--steps", 2, "-n", 1)
    assert f"and drew {picture} (shapes, 32 px)" in done.err
    assert "--run box:shapes" in call("info", "out/a-large-red-circle-0-vary.png").out


def test_info_shows_what_ships(call: Call, models: Path):
    done = call("info")
    assert "ships with unclip as box:emoji: tiny emoji" in done.out and "can be added" not in done.out
    assert "others    box:shapes" in done.out
    assert "box:shapes: tiny shapes" in call("info", "box:shapes").out
    card = (models / "emoji" / "card.md").read_text(encoding="utf-8")
    assert "| retrieval | r1 | 0.5 |" in card and "| seed | 0 |" in card
    scores = json.loads((models / "emoji" / "box.json").read_text(encoding="utf-8"))["scores"]
    assert [told["run"] for told in scores.values()] == ["run"]  # no folder of the machine that made it


def test_evaluate_writes_no_page_into_the_package(call: Call, models: Path):
    done = call("evaluate", "--data", "shapes", "-n", 2)
    assert done.code == 0, done.err
    assert Path("runs/box/emoji/evaluation/test/report.html").exists()
    assert not (models / "emoji" / "evaluation").exists()


def test_nothing_is_written_into_a_model_that_ships(call: Call, models: Path, tmp_path: Path):
    with (
        pytest.raises(ValueError, match="ships with unclip, which writes nothing into it"),
        RunFolder(models / "emoji").writing(),
    ):
        pass
    assert call("pack-run", "box", tmp_path / "mine").code == 0
    assert shipped.find(tmp_path / "mine") == tmp_path / "mine" and not RunFolder(tmp_path / "mine").sealed


@pytest.mark.parametrize(
    "words",
    [
        "add upsampler shapes --run",
        "distill",
        "diagnose",
        "compare-priors --run",
        "study --out out",
        "compare box:shapes",
    ],
)
def test_what_needs_the_data_of_a_training_says_so(call: Call, models: Path, words: str):
    done = call(*words.split(), "box:emoji")
    assert done.code == 2 and done.err.count("\n") == 1
    assert "it ships without the images and logs of its training" in done.err


@pytest.mark.parametrize("file", ["decoder/model.safetensors", "run.toml", "tokenizer.json", "data/captions.jsonl"])
def test_damage_is_told(call: Call, models: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, file: str):
    broken = copied(models, monkeypatch, tmp_path) / "emoji" / file
    broken.write_bytes(broken.read_bytes()[:-1] + b"?")
    done = call("generate", RED)
    assert done.code == 2 and done.err.count("\n") == 1
    assert f"{broken}: damaged (SHA-256" in done.err and "install unclip again" in done.err
    broken.unlink()
    assert f"{broken}: not found; install unclip again" in call("generate", RED).err
    assert call("generate", RED, "--run", "box:shapes", "--steps", 1).code == 0


def test_a_damaged_sheet(models: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    sheet = copied(models, monkeypatch, tmp_path) / "emoji" / "box.json"
    for text, words in (("{", "not what a model"), ('{"format": 9}', "format 9"), ('{"format": 1}', "size = None")):
        sheet.write_text(text, encoding="utf-8")
        with pytest.raises(store.Damaged, match=words):
            shipped.find()
    assert shipped.drew("abc") is None


def test_an_installation_without_weights(call: Call, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setattr(shipped, "PLACE", tmp_path / "none")
    for words in (("generate", RED), ("info",), ("search", "red"), ("generate", RED, "--run", "box:emoji")):
        done = call(*words)
        assert done.code == 2 and done.err.count("\n") == 1, words
        assert "no model in the box; train one and name its folder: `unclip demo`" in done.err
    with pytest.raises(ValueError, match="no model in the box"):
        unclip.load()


def test_a_box_that_is_too_large_is_refused(run: Path, models: Path, tmp_path: Path):
    with pytest.raises(ValueError, match="and the box may hold 0.1"):
        box.main(["big", str(run), "--place", str(tmp_path / "models"), "--megabytes", "0.1"])
    assert not list((tmp_path / "models").iterdir())


def test_scores_of_another_model_are_refused(run: Path, tmp_path: Path):
    scores = tmp_path / "scores.json"
    scores.write_text('{"model": "abc", "scores": {}}', encoding="utf-8")
    with pytest.raises(ValueError, match="scores of the model abc, not of this run"):
        box.main(["x", str(run), "--place", str(tmp_path / "models"), "--scores", str(scores)])


def test_what_ships_is_whole():
    """Nothing, where this checkout has no weights."""
    models = [shipped.shipped(name) for name in shipped.names()]
    assert sum(file.stat().st_size for model in models for file in model.folder.rglob("*") if file.is_file()) < 24e6
    assert all((model.folder / "card.md").is_file() for model in models)


def test_the_demo_shows_what_ships(models: Path, tmp_path: Path):
    drawn = list(box_pictures(tmp_path, [RED]))
    assert drawn == [tmp_path / "box-emoji.png", tmp_path / "box-shapes.png"]
    heads = [section.heading for section in box_sections(tmp_path)]
    assert heads == [f"Drawn by the model that ships: {name}, 32 px" for name in ("emoji", "shapes")]
