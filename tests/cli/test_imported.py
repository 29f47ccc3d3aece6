"""Runs that were imported from diffusers, without an image tower: every command works on them, or says why not."""

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.cli.conftest import Call
from tests.interop.karlos import karlo
from tests.interop.stables import stable

os.environ.setdefault("HF_HUB_OFFLINE", "1")
pytest.importorskip("diffusers")
pytest.importorskip("transformers")

import unclip
from unclip.recipes.start.imported import import_run
from unclip.serving.tasks import Task

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")]
BLIND = "CLIP has no image tower"
LATENT = "a latent diffusion, and only a run of --model unclip can do this"
RUNS = ("karlo", "sd")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with both runs, an image, and captioned images."""
    place = tmp_path_factory.mktemp("imported")
    karlo(place / "words").save_pretrained(place / "theirs-karlo")
    stable(place / "words", "one").save_pretrained(place / "theirs-sd")
    for name in RUNS:
        import_run(place / f"theirs-{name}", place / name)
    (place / "data").mkdir()
    noise, lines = np.random.default_rng(0), []
    for i in range(24):
        Image.fromarray(noise.integers(0, 255, (128, 128, 3), np.uint8)).save(place / "data" / f"{i}.png")
        lines.append(f'{{"file_name": "{i}.png", "text": "a {"red" if i % 2 else "blue"} heart"}}\n')
    (place / "data" / "metadata.jsonl").write_text("".join(lines), encoding="utf-8")
    Image.fromarray(np.pad(np.full((64, 64), 255, np.uint8), 32)).save(place / "hole.png")
    return place


NO_DATA = "this run was imported, or handed on without its images, and this needs them"
NOTHING = "to a run of model = 'latent' can be added: nothing"
REFUSED = [
    (("search", "a red heart", "--run", "RUN"), (NO_DATA, NO_DATA)),
    (("classify", "IMAGE", "--labels", "a", "b", "--run", "RUN"), (BLIND, BLIND)),
    (("vary", "IMAGE", "--run", "RUN"), (BLIND, LATENT)),
    (("blend", "IMAGE", "IMAGE", "--run", "RUN"), (BLIND, LATENT)),
    (("diff", "IMAGE", "--from", "a heart", "--to", "a sun", "--run", "RUN"), (BLIND, LATENT)),
    (("invert", "IMAGE", "--run", "RUN"), (BLIND, LATENT)),
    (("edit", "IMAGE", "--mask", "HOLE", "--run", "RUN"), (BLIND, LATENT)),
    (("extend", "IMAGE", "--by", "0.5", "--run", "RUN"), (BLIND, LATENT)),
    (("explain", "--run", "RUN", "--slides", "--out", "OUT"), (NO_DATA, NO_DATA)),
    (("evaluate", "--run", "RUN"), (NO_DATA + "; name some: --data DATA",) * 2),
    (("compare", "RUN", "RUN"), (NO_DATA, NO_DATA)),
    (("compare-priors", "RUN"), (NO_DATA, NO_DATA)),
    (("add", "inpaint", "--run", "RUN"), (NO_DATA, NOTHING)),
    (("distill", "RUN"), (NO_DATA, NOTHING)),
    (("export", "RUN", "--to", "transformers", "--out", "OUT"), ("its CLIP has no image tower, and transformers",) * 2),
    (("push", "RUN", "me/it", "--dry-run", "--out", "OUT"), ("name some: --prompt",) * 2),
]


def said(words: tuple[str, ...], place: Path, run: str, out: Path) -> list[object]:
    stands = {"RUN": place / run, "IMAGE": place / "data" / "0.png", "HOLE": place / "hole.png", "OUT": out}
    return [stands.get(word, word) for word in words]


@pytest.mark.parametrize("words, whys", REFUSED, ids=lambda value: value[0][:10])
def test_what_cannot_be_is_said_in_a_sentence(
    place: Path,
    call: Call,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    words: tuple[str, ...],
    whys: tuple[str, str],
) -> None:
    monkeypatch.chdir(tmp_path)
    for run, why in zip(RUNS, whys, strict=True):
        before = (place / run / "run.toml").read_bytes()
        done = call(*said(words, place, run, tmp_path / "out"))
        assert done.code == 2 and why in done.err.replace("\n", " "), done
        assert (place / run / "run.toml").read_bytes() == before
        assert not (tmp_path / "out").exists()


def test_karlo_is_not_trained_on(place: Path, call: Call, tmp_path: Path) -> None:
    refused = call("train", place / "data", "--from", place / "karlo", "--out", tmp_path / "out", "--dry-run")
    assert refused.code == 2 and BLIND in refused.err


WORKS = [
    ("info", "RUN"),
    ("diagnose", "RUN"),
    ("pack-run", "RUN", "OUT"),
    ("push", "RUN", "me/it", "--dry-run", "--prompt", "a red heart", "--out", "OUT"),
    ("evaluate", "--run", "RUN", "--data", "DATA", "-n", "4"),
    ("export", "RUN", "--to", "diffusers", "--out", "OUT"),
]


@pytest.mark.parametrize("words", WORKS, ids=lambda value: value[0])
def test_what_can_be_works(
    place: Path, call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    monkeypatch.chdir(tmp_path)
    for run in RUNS:
        done = call(*said(tuple({"DATA": str(place / "data")}.get(w, w) for w in words), place, run, tmp_path / run))
        assert done.code == 0, done.err
        if words[0] == "evaluate":
            assert "the model's CLIP has no image tower" in " ".join(done.out.split()) and "kid" in done.out
            assert "clip_score" not in done.out
        if words[0] == "push":
            assert {"README.md", "samples.png"} <= {path.name for path in (tmp_path / run).iterdir()}


def test_karlo_edits_and_enlarges_by_words(place: Path, call: Call, tmp_path: Path) -> None:
    few, image = ("--steps", 2, "--out", tmp_path / "out"), place / "data" / "0.png"
    for words in (("edit", image, "a sun", "--mask", place / "hole.png", *few), ("upsample", image, "--out", tmp_path)):
        done = call(*words, "--run", place / "karlo")
        assert done.code == 0, done.err


def test_the_server_says_the_same(place: Path) -> None:
    task = Task("a sun", n=2, images=(Image.new("RGB", (64, 64)),) * 2)
    for run, why in zip(RUNS, (BLIND, "only a run of --model unclip can do"), strict=True):
        model = unclip.load(place / run)
        for work in (task.vary, task.blend, task.edit, task.diff):
            with pytest.raises(ValueError, match=why):
                work(model)
