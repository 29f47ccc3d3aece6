"""One tiny run, and copies of it that are broken on purpose: each fault is told by the check of its own stage."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from tests.short import events, short

from unclip.core.disk import store
from unclip.studies.diagnose import study, training
from unclip.studies.diagnose.check import Check, first_cause
from unclip.studies.diagnose.embeddings import statistics_check
from unclip.studies.diagnose.images import colours, level_check
from unclip.studies.diagnose.study import diagnose, verdict
from unclip.studies.diagnose.subject import open_subject
from unclip.studies.diagnose.words import caption_checks, clip_checks, knows


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("diagnose") / "run"
    for _ in events(place, short(6)):
        pass
    return place


@pytest.fixture
def run(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "run"))


def rewrite(place: Path, change: Callable[[dict[str, torch.Tensor]], dict[str, torch.Tensor]]) -> None:
    stored = store.load(place)
    store.save(place, stored.kind, stored.config, change(stored.tensors), stored.extra)


def log(run: Path, stage: str, losses: list[float | None]) -> None:
    lines = [{"step": i + 1, "loss": loss, "grad_norm": loss} for i, loss in enumerate(losses)]
    text = "".join(json.dumps(line) + "\n" for line in lines)
    (run / "logs" / f"{stage}.jsonl").write_text(text, encoding="utf-8")


def losses(run: Path, stage: str) -> torch.Tensor:
    return torch.tensor([float(line["loss"] or 0) for line in open_subject(run).log(stage)])


def test_too_few_steps_are_the_first_cause_of_a_tiny_run(run: Path):
    found = list(diagnose(run))
    cause = first_cause(found)
    assert cause is not None and (cause.stage, cause.name, cause.verdict) == ("clip", "enough steps", "broken")
    assert "trained for too few steps" in verdict(found)
    assert {check.verdict for check in found if check.stage == "decoder"} == {"unknown"}  # it is not accused


def test_rates(run: Path):
    log(run, "clip", [5.0, 4.0] * 60)
    subject = open_subject(run)
    assert training.rate_too_low(subject, "clip", losses(run, "clip")).verdict == "broken"
    assert training.rate_too_high(subject, "clip", subject.log("clip"), losses(run, "clip")).verdict == "good"
    log(run, "clip", [5.0, 2.0, *[None, 9.0] * 60])
    told = training.rate_too_high(subject, "clip", subject.log("clip"), losses(run, "clip"))
    assert told.verdict == "broken" and "too high" in told.cause and "clip.train.optim.lr=0.0001" in told.command


def test_steps_still_falling(run: Path):
    steep = torch.linspace(5, 1, 120)
    assert training.steps(open_subject(run), "clip", steep).verdict == "broken"
    flat = torch.cat([torch.linspace(5, 1, 40), torch.ones(80)])
    assert training.steps(open_subject(run), "clip", flat).verdict == "good"


def test_a_dead_average(run: Path):
    assert training.average(open_subject(run), "clip").verdict == "good"
    rewrite(run / "checkpoints" / "clip", lambda t: {k: 3 * v if k.startswith("ema.") else v for k, v in t.items()})
    told = training.average(open_subject(run), "clip")
    assert told.verdict == "broken" and "average" in told.cause


def test_weights_that_are_not_those_of_the_log(run: Path):
    assert training.stored(open_subject(run), "clip", losses(run, "clip")).verdict == "good"
    rewrite(run / "clip", lambda t: {k: v.flip(0) if v.dim() > 1 else v for k, v in t.items()})
    log(run, "clip", [9.0, *[0.5] * 30])
    told = training.stored(open_subject(run), "clip", losses(run, "clip"))
    assert told.verdict == "broken" and told.stage == "clip"


@pytest.mark.parametrize("stage, words", [("prior", "prior of another CLIP"), ("decoder", "normalisation is wrong")])
def test_statistics_of_other_vectors(run: Path, stage: str, words: str):
    assert statistics_check(open_subject(run), stage).verdict == "good"
    rewrite(run / stage, lambda t: t | {"statistics.mean": t["statistics.mean"].roll(1)})
    told = statistics_check(open_subject(run), stage)
    assert told.verdict == "broken" and words in told.cause


@pytest.mark.parametrize("text, words", [("", "no captions"), ("a picture", "all the same")])
def test_captions(run: Path, text: str, words: str):
    subject = open_subject(run)
    ctx = subject.ctx()
    assert [check.verdict for check in caption_checks(subject)] == ["good"]
    ctx.prepared = replace(ctx.prepared, captions=[(text,)] * len(ctx.prepared))
    [told] = caption_checks(subject)
    assert told.verdict == "broken" and words in told.cause


def test_chance():
    assert not knows({"r5": 0.06, "chance": 0.01, "pictures": 100}) and knows(
        {"r5": 0.4, "chance": 0.01, "pictures": 100}
    )


def test_the_range_of_brightness(run: Path):
    subject = open_subject(run)
    real = subject.ctx().images
    assert colours(subject, "decoder", real, real).verdict == "good"
    assert colours(subject, "decoder", (real + 1) / 2, real).verdict == "broken"
    assert level_check(subject, "decoder").verdict in ("suspicious", "broken")  # six steps


def test_without_its_data_it_says_what_it_cannot_do(run: Path):
    shutil.rmtree(run / "data")
    found = list(diagnose(run))
    assert found[0].verdict == "unknown" and "prepared" in found[0].meaning
    [told] = clip_checks(open_subject(run))
    assert told.verdict == "unknown"


def test_damaged_files_are_told_and_it_goes_on(run: Path, monkeypatch: pytest.MonkeyPatch):
    (run / "clip" / store.WEIGHTS).write_bytes(b"cut")
    monkeypatch.setattr(study, "training_checks", lambda run, name: iter(()))
    found = list(diagnose(run))
    assert "damaged" in verdict(found) and {check.stage for check in found} == {"data", "clip", "prior", "decoder"}


def test_what_a_verdict_says_of_checks_that_could_not_be_made():
    assert verdict([Check("clip", "log", "unknown")]).endswith("1 checks could not be made")
