"""`unclip export`, `push`: a finished run handed to other libraries and to the Hub, as a person types it."""

import json
import os
import re
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from PIL import Image
from tests.cli.conftest import Call
from tests.interop import hub
from tests.short import events, short

import unclip
from unclip.generation.text_to_image import TextToImage
from unclip.runs.folder import RunFolder
from unclip.runs.modules import model_hash


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run with the paper's CLIP: 64 drawn scenes, one step a stage; with scores."""
    folder, config = tmp_path_factory.mktemp("share") / "run", short(1)
    clip = replace(config.recipes["clip"], vision="vit", vision_width=64, text_width=64)
    list(events(folder, config.using(clip=clip), threading.Event()))
    place = folder / "evaluation" / "test"
    place.mkdir(parents=True)
    scores = {"retrieval": {"r1": 0.5}, "copies": {"pixels": {"near_copies": {"mean": 0.25, "error": 0.1}}}}
    about = {"model": model_hash(RunFolder(folder)), "n": 64, "seed": 3, "scores": scores}
    (place / "scores.json").write_text(json.dumps(about), encoding="utf-8")
    return folder


@pytest.mark.usefixtures("in_float32")
def test_a_clip_becomes_a_folder_of_transformers(run: Path, call: Call, tmp_path: Path):
    transformers = pytest.importorskip("transformers")
    done = call("export", run, "--to", "transformers", "--out", tmp_path / "clip")
    assert (done.code, done.err) == (0, "")
    assert "CLIPModel.from_pretrained" in done.out
    model = unclip.load(run, kind=TextToImage)
    theirs = transformers.CLIPModel.from_pretrained(tmp_path / "clip")
    words = transformers.AutoTokenizer.from_pretrained(tmp_path / "clip")(["a large red circle"], return_tensors="pt")
    with torch.no_grad():
        found = theirs.get_text_features(**words)
    found = getattr(found, "pooler_output", found)
    assert (torch.nn.functional.normalize(found) - model.embed_captions(["a large red circle"])).abs().max() < 1e-5


@pytest.mark.parametrize(
    "words, why",
    [
        (["--to", "diffusers", "--class", "cat"], "--class 'cat': a text-to-image model has no classes"),
        (["--to", "onnxx"], "--to 'onnxx': known are diffusers, transformers, onnx"),
        (["--to", "transformers", "--class", "cat"], "--class 'cat': a CLIP has no classes"),
    ],
    ids=str,
)
def test_what_cannot_be_exported_is_told_in_a_line(run: Path, call: Call, tmp_path: Path, words: list[str], why: str):
    done = call("export", run, *words, "--out", tmp_path / "out")
    assert done.code == 2 and why in done.err
    assert not (tmp_path / "out").exists()


def test_a_clip_with_a_stem_is_refused_with_the_setting_that_works(call: Call, tmp_path: Path):
    done = call("export", "box:emoji", "--to", "transformers", "--out", tmp_path / "out")
    assert done.code == 2
    assert "has a convolutional stem" in done.err and "--set clip.vision=vit" in done.err


def test_a_dry_run_writes_what_would_be_uploaded(
    run: Path, call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    done = call("push", run, "me/shapes", "--dry-run", "--license", "CC BY 4.0", "--data", "drawn [shapes]")
    assert (done.code, done.err) == (0, "")
    pushed = tmp_path / "shapes"
    assert not (pushed / "data").exists()
    text = (pushed / "README.md").read_text(encoding="utf-8")
    for part in (
        'license: "other"\nlicense_name: "CC BY 4.0"',
        'pipeline_tag: "text-to-image"',
        "drawn \\[shapes\\]",
        "64 images, of which are held out",
        "unclip evaluate --run RUN --split test -n 64 --seed 3",
        "| retrieval | r1 | 0.5 |",
        "| copies (test) | pixels.near\\_copies | 0.25 ± 0.1 |",
        'clip.vision = "vit"',
    ):
        assert part in text, part
    model = unclip.load(pushed)
    assert isinstance(model, TextToImage) and model.hash == model_hash(RunFolder(run))
    with Image.open(pushed / "samples.png") as sheet:
        assert sheet.width > 4 * 32


def test_the_card_is_read_by_the_library_of_the_hub(run: Path, call: Call, tmp_path: Path):
    library = pytest.importorskip("huggingface_hub")
    assert call("push", run, "me/shapes", "--dry-run", "--out", tmp_path / "run", "--prompt", "a red circle").code == 0
    card = library.ModelCard.load(tmp_path / "run" / "README.md")
    assert card.data.library_name == "unclip" and card.data.license == "unknown"
    assert card.data.tags == ["unclip", "diffusion", "pytorch", "dalle2"]
    assert '"a red circle"' in card.text


def pushed(words: list[object], hub_address: str, cache: Path, **more: str) -> subprocess.CompletedProcess[str]:
    """`unclip push` in a process of its own: the library reads its environment when it is imported."""
    quiet = {name: value for name, value in os.environ.items() if not name.startswith("HF_")}
    env = {**quiet, "HF_ENDPOINT": hub_address, "HF_HOME": str(cache), "HF_HUB_DISABLE_XET": "1", **more}
    line = (
        [sys.executable, "-m", "unclip", *map(str, words)] if words[0] != "-c" else [sys.executable, *map(str, words)]
    )
    return subprocess.run(line, env=env, capture_output=True, text=True, timeout=240, cwd=cache, check=False)


@pytest.mark.slow
def test_upload_and_download_by_the_library_of_the_hub(run: Path, tmp_path: Path):
    """Through HTTP to a stand-in of the Hub's endpoint; the card's own snippet then draws from what lies there."""
    pytest.importorskip("huggingface_hub")
    words = ["push", run, "me/shapes", "--private", "--license", "apache-2.0", "--prompt", "a large red circle"]
    with hub.running() as server:
        done = pushed(words, server.address, tmp_path, HF_TOKEN=hub.TOKEN)
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.split() == [f"{server.address}/me/shapes"]
        assert server.private == {"me/shapes": True}
        files = server.repos["me/shapes"]
        assert {"README.md", "samples.png", "run.toml", "decoder/model.safetensors"} <= set(files)
        assert not any(name.startswith("data") or name.endswith((".bin", ".pt")) for name in files)
        [snippet] = re.findall(r"```python\n(.*?)```", files["README.md"].decode(), re.DOTALL)
        drawn = pushed(["-c", snippet], server.address, tmp_path, HF_TOKEN=hub.TOKEN)
        assert drawn.returncode == 0, drawn.stderr
    with Image.open(tmp_path / "image.png") as found:
        [expected] = unclip.load(run).generate(["a large red circle"], seed=0)
        assert found.tobytes() == expected.tobytes()


@pytest.mark.slow
def test_what_the_hub_refuses_is_told_in_a_line(run: Path, tmp_path: Path):
    pytest.importorskip("huggingface_hub")
    words = ["push", run, "you/shapes", "--prompt", "a large red circle"]
    with hub.running() as server:
        other = pushed(words, server.address, tmp_path, HF_TOKEN=hub.TOKEN)
        unknown = pushed(words, server.address, tmp_path, HF_TOKEN="hf_wrong")
    assert (other.returncode, unknown.returncode) == (2, 2)
    assert "error: you/shapes: this token may not write there" in other.stderr
    assert "the Hub does not know this token" in unknown.stderr and "hf auth login" in unknown.stderr
    assert "hf_wrong" not in unknown.stderr


@pytest.mark.parametrize(
    "repo, env, why",
    [
        ("shapes", {}, "shapes: not a name that the Hub takes; it is OWNER/NAME"),
        ("me/a--b", {}, "me/a--b: not a name that the Hub takes"),
        ("me/shapes", {"HF_HUB_OFFLINE": "1"}, "HF_HUB_OFFLINE is set, so nothing is uploaded"),
        ("me/shapes", {}, "no token of the Hub is here: log in with `hf auth login`"),
    ],
    ids=["no owner", "dashes", "offline", "no token"],
)
def test_before_anything_is_drawn(run: Path, tmp_path: Path, repo: str, env: dict[str, str], why: str):
    pytest.importorskip("huggingface_hub")
    done = pushed(["push", run, repo], "http://127.0.0.1:9", tmp_path, **env)
    assert done.returncode == 2 and why in done.stderr


@pytest.mark.parametrize(
    "words",
    [["generate", "a red heart", "--steps", "1"], ["vary", "PICTURE", "--steps", "1"], ["search", "a red heart"]],
    ids=["generate", "vary", "search"],
)
def test_no_metadata_writes_none(words: list[str], call: Call, tmp_path: Path):
    Image.new("RGB", (64, 64), "red").save(tmp_path / "red.png")
    words = [str(tmp_path / "red.png") if word == "PICTURE" else word for word in words]
    for name, more in (("with", []), ("without", ["--no-metadata"])):
        done = call(*words, "--run", "box:emoji", "--out", tmp_path / name, *more)
        assert done.code == 0, done.err
    files = sorted((tmp_path / "with").glob("*.png"))
    for file in files:
        with Image.open(file) as signed, Image.open(tmp_path / "without" / file.name) as bare:
            assert "unclip" in signed.info and bare.info == {}
            assert signed.tobytes() == bare.tobytes()
    assert len(files) >= (1 if words[0] == "search" else 2)
