"""`unclip study` on a model in closed form: figures, plots and the page."""

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from tests import arrays
from tests.cli.conftest import Call
from tests.latents.gaussian import SIZE, gaussian, picture

from unclip.generation.ddpm import DDPMPipeline
from unclip.studies.explain.subject import OpenedRun, UnclipSubject
from unclip.studies.manipulation import study

CAPTIONS = ("a red heart", "a blue heart", "a green leaf", "two cups")


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    images = [np.asarray(picture(key)) for key in range(4)]
    assert images[0].shape[1] == SIZE
    prepared = arrays.prepared(tmp_path / "data", images, [(c,) for c in CAPTIONS])
    opened = OpenedRun(
        UnclipSubject(gaussian(), prepared), prepared, np.arange(4), " (4 held-out pairs)", "cpu", tmp_path
    )
    monkeypatch.setattr(study, "open_run", lambda root: opened)


@pytest.mark.usefixtures("run")
def test_figures_plots_and_page(call: Call, tmp_path: Path):
    out = tmp_path / "out"
    done = call("study", "runs/x", "--out", out, "-n", 3, "--pairs", 2, "--steps", "5,10", "--scales", "1,2")
    assert done.code == 0, done.err
    assert "10: PSNR" in done.out
    metrics = json.loads((out / "study.json").read_text(encoding="utf-8"))
    assert list(metrics["inversion"]) == ["5", "10"]
    assert list(metrics["interpolation"]) == ["slerp", "fixed"]
    assert list(metrics["guidance"]) == ["1", "2"]
    assert metrics["ask"]["n"] == 3
    assert all((out / f"{part}.png").exists() for part in ("inversion", "interpolation", "guidance"))
    page = (out / "study.html").read_text(encoding="utf-8")
    assert page.count("<img ") == 3
    assert page.count("<table>") == 6 and page.count(": differences</h2>") == 3
    less = metrics["paired"]["guidance"]["CLIP score"]["less"]
    assert len(less) == 1 and set(*less.values()) == {"mean", "error", "low", "high", "z", "clear"}
    assert "CLIP score: best at" in page and "CLIP score: best at" in done.out
    assert "(4 held-out pairs)" in page


@pytest.mark.usefixtures("run")
def test_without_matplotlib_there_are_tables(call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(study, "available", lambda: False)
    done = call("study", "runs/x", "--out", tmp_path / "out", "-n", 2, "--steps", "2", "--what", "inversion")
    assert done.code == 0, done.err
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == [".unclip", "study.html", "study.json"]


@pytest.mark.parametrize(
    "words, why",
    [
        (["--what", "colour"], "known are inversion, interpolation, guidance"),
        (["--steps", "many"], "--steps: 'many' is not a number"),
        (["--steps", "0"], "steps = (0,)"),
        (["-n", 1], "a standard error needs at least 2"),
    ],
)
def test_errors(call: Call, tmp_path: Path, words: list[object], why: str):
    done = call("study", "runs/x", "--out", tmp_path / "out", *words)
    assert done.code == 2
    assert why in done.err
    assert not (tmp_path / "out").exists()


def test_a_ddpm_cannot_be_studied(call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    class Plain:
        subject = SimpleNamespace(model=object.__new__(DDPMPipeline))

    monkeypatch.setattr(study, "open_run", lambda root: Plain())
    assert (
        "a plain DDPM draws from no embeddings of images; study a run of --model unclip"
        in call("study", "runs/x", "--out", tmp_path / "out").err
    )
