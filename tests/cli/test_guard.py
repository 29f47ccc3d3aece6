"""Whatever goes wrong becomes one line; a fault of unclip's own leaves its traceback in a file."""

import inspect
import re
from pathlib import Path

import pytest
from tests.cli.conftest import Call

from unclip.cli.main import app
from unclip.core import machine
from unclip.core.shown import shell_command


def failing(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    def load(run: object, kind: type, **_: object) -> None:
        raise error

    monkeypatch.setattr("unclip.generation.load.load", load)


@pytest.mark.parametrize(
    "error, code, told",
    [
        (ValueError("run.toml: bad"), 2, "error: run.toml: bad\n"),
        (OSError(28, "No space left on device", "a/b"), 2, "error: a/b: no space left on device\n"),
        (MemoryError(), 2, "error: not enough memory for this"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried"), 2, "error: not enough memory for this"),
        (ModuleNotFoundError("no", name="pyarrow.parquet"), 2, "error: this needs pyarrow: "),
        (KeyError("tokenizer"), 3, "error: unclip made a mistake (KeyError: 'tokenizer'); its traceback is in "),
        (RecursionError("too deep"), 3, "error: unclip made a mistake (RecursionError: too deep)"),
        (ZeroDivisionError("\x1b[31m"), 3, "(ZeroDivisionError: \\x1b[31m)"),
        (KeyboardInterrupt(), 130, "error: stopped\n"),
    ],
)
def test_one_line(
    call: Call, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, error: BaseException, code: int, told: str
):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    failing(monkeypatch, error)
    done = call("generate", "x", "--run", "none", "--out", tmp_path / "out")
    assert done.code == code
    assert told in done.err
    assert done.err.count("\n") == 1
    if code == 3:
        found = re.search(r"traceback is in (\S+):", done.err)
        assert found and "Traceback" in Path(found[1]).read_text(encoding="utf-8")


def test_debug_shows_the_traceback(call: Call, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    failing(monkeypatch, KeyError("x"))
    monkeypatch.setenv("UNCLIP_DEBUG", "1")
    with pytest.raises(KeyError):
        app(["generate", "x", "--run", "none", "--out", str(tmp_path)])


@pytest.mark.parametrize(
    "words, told",
    [
        (["generate", "-5 degrees", "--run", "x"], "stand last, after --: unclip generate --run RUN -- '-5 degrees'"),
        (["generate", "x", "--run", "x", "--steps", "2.5"], "'2.5' is not a whole number"),
        (["generate", "x", "--run", "x", "--seed", "1.5"], "'1.5' is not a whole number"),
        (["vary", "x.png", "--run", "x", "-n", "1e3"], "'1e3' is not a whole number"),
        (["evaluate", "x", "-n", "0x10"], "'0x10' is not a whole number"),
        (["generate", "x", "--run", "x", "--foo", "[/b] :heart:"], "Unknown option"),
        (["generate", "x", "--run", "x", "--guidance", "[red]"], "[red]"),
    ],
)
def test_what_cannot_be_understood(call: Call, words: list[str], told: str):
    done = call(*words)
    assert (done.code, done.err.count("\n"), done.out) == (2, 1, "")
    assert told in done.err


def test_a_prompt_that_is_not_utf_8(call: Call, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    from unclip.text.tokenizer import Tokenizer

    tokenizer = Tokenizer.train(["a cat"])
    for ask in (tokenizer.lengths, tokenizer, tokenizer.split):
        with pytest.raises(ValueError, match=r"caf\\udce9: not UTF-8 text \(letter 4\)"):
            ask(["caf\udce9"] if ask != tokenizer.split else "caf\udce9")  # pyright: ignore


def test_names_with_control_letters_are_shown(call: Call, tmp_path: Path):
    bad = tmp_path / "a\x1b[31m\u202e [red] :heart:"
    bad.mkdir()
    for words in (["info", bad], ["data", bad], ["generate", "x", "--run", bad], ["vary", bad, "--run", bad]):
        done = call(*words)
        assert done.code == 2
        assert r"a\x1b[31m\u202e [red] :heart:" in done.err
        assert "\x1b" not in done.out + done.err


def test_commands_are_quoted():
    assert shell_command("unclip", "info", Path("runs/my run [x]")) == "unclip info 'runs/my run [x]'"


@pytest.mark.parametrize(
    "device, words",
    [("tpu", "device = 'tpu': known are cpu, cuda"), ("cuda:7", "device = 'cuda:7': this machine has no such device")],
)
@pytest.mark.parametrize("command", [["generate", "x", "--run", "x"], ["train", "shapes", "--out", "x"]], ids=str)
def test_a_device_that_is_not_there_is_named(call: Call, command: list[str], device: str, words: str):
    done = call(*command, "--device", device)
    assert (done.code, words in done.err) == (2, True), done.err


def test_every_command_that_runs_a_model_takes_a_device():
    """The others read or write files alone."""
    without = {"data", "pack", "shapes", "info", "pack-run", "import", "course"}
    for name in app:
        if not name.startswith("-") and name not in without:
            assert "device" in inspect.signature(app[name].default_command).parameters, name


def test_the_device_that_was_chosen(monkeypatch: pytest.MonkeyPatch):
    with machine.using("cpu"):
        assert machine.device() == "cpu"
    monkeypatch.setattr(machine, "check_device", lambda name: None)
    with machine.using("mps"):
        assert machine.device() == "mps"
    assert machine.device() != "mps"
