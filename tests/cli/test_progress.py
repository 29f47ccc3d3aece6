import io
from collections.abc import Iterator
from pathlib import Path

from unclip.cli.screen import progress
from unclip.cli.screen.console import Screen
from unclip.recipes.events import Event, Gate, ImageSaved, Note, Progress, Stopped, Working
from unclip.training.report import Report


def training(stage: str, steps: int) -> Iterator[Event]:
    for step in range(1, steps + 1):
        report = Report(step, 1.0, {}, 1.0, 1e-3, 250.0, step / 10, 0.0, step / steps)
        yield Progress(stage, report, 125.0, 0.5 * step / steps)


def test_a_terminal_has_one_live_line():
    screen = io.StringIO()
    console = Screen(screen, width=100, terminal=True)
    events = [Note("data", "3 pairs [x]"), *training("decoder", 5), Gate("decoder", True, "fine")]
    assert progress.follow(events, console) == 0
    text = screen.getvalue()
    assert "3 pairs [x]" in text
    assert "passed" in text
    assert "decoder (3 of 3)" in text
    assert "250 images/s" in text
    assert "2m05s left" in text


def test_a_log_has_a_line_every_ten_seconds(monkeypatch):
    now = iter(range(1000))
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(now))
    log = io.StringIO()
    assert progress.follow([*training("clip", 60), ImageSaved("clip", Path("a.png"))], Screen(log, width=40)) == 0
    lines = log.getvalue().splitlines()
    assert 4 <= len(lines) <= 8
    assert all("images/s" in line and "left" in line for line in lines[:-1])
    assert lines[-1] == "clip: drew a.png"


def test_exit_codes():
    console = Screen(io.StringIO())
    assert progress.follow([Stopped("clip")], console) == 130
    assert progress.follow([Gate("decoder", False, "noise")], console) == 1
    assert progress.follow([Gate("clip", False, "no"), Stopped("prior")], console, force=True) == 130
    assert progress.follow([Gate("decoder", False, "noise")], console, force=True) == 0


def test_what_is_left_never_stands_at_nothing():
    log = io.StringIO()
    progress.follow([Working("decoder", "judging it", 0.2, 1.0)], Screen(log))
    assert log.getvalue() == "decoder (3 of 3)  100%  judging it  finishing\n"


def test_skipped_steps_are_no_want_of_time():
    for metrics in ({"skipped": 7.0}, {"distance": float("nan")}):
        log = io.StringIO()
        assert progress.follow([Gate("ddpm", False, "noise", metrics)], Screen(log)) == 1
        assert "lower learning rate" in log.getvalue() and "too little time" not in log.getvalue()


def test_weights_that_were_not_trained_are_no_want_of_time():
    out = io.StringIO()
    ended = iter([Gate("autoencoder", False, "PSNR 6.3 dB", {"steps": 0.0, "psnr": 6.3})])
    assert progress.follow(ended, Screen(out)) == 1
    assert "too little time" not in out.getvalue() and "--set autoencoder.frozen=false" in out.getvalue()
