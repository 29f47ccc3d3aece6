"""The real app, called as a person would."""

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from unclip.cli.main import app


@dataclass(frozen=True)
class Done:
    """What a command left on the screen."""

    code: int
    out: str
    err: str


Call = Callable[..., Done]


@pytest.fixture
def call(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Call:
    """Runs `unclip WORDS...` in this process; the environment holds no settings."""
    for name in ("BUDGET", "SIZE", "SEED", "PRECISION", "SET", "DEBUG"):
        monkeypatch.delenv(f"UNCLIP_{name}", raising=False)

    def run(*words: object) -> Done:
        code = 0
        try:
            app([str(word) for word in words])
        except SystemExit as stop:
            code = stop.code if isinstance(stop.code, int) else int(stop.code is not None)
        out, err = capfd.readouterr()
        return Done(code, out, err)

    return run
