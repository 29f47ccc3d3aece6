"""A folder belongs to one process at a time, and to unclip: what others put anywhere is never touched."""

import os
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from unclip.core.disk.lock import MARK, check_held, check_own, hold

HOLDER = """
import sys, time
from pathlib import Path
from unclip.core.disk.lock import hold
with hold(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


def holder(folder: Path) -> subprocess.Popen[str]:
    """Another process that holds the folder."""
    process = subprocess.Popen([sys.executable, "-c", HOLDER, folder], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_the_second_process_is_refused_by_name_and_a_kill_frees_the_folder(tmp_path: Path):
    first = holder(tmp_path / "run")
    try:
        with (
            pytest.raises(ValueError, match=rf"run: process {first.pid} on \S+ is writing there"),
            hold(tmp_path / "run"),
        ):
            pass
    finally:
        first.send_signal(signal.SIGKILL)
        first.wait()
    with hold(tmp_path / "run"):
        (tmp_path / "run" / "a").touch()
    assert (tmp_path / "run" / MARK).read_text(encoding="utf-8") == '{"made by": "unclip"}'


def test_the_thread_that_holds_it_may_hold_it_again_another_may_not(tmp_path: Path):
    said: list[str] = []

    def second() -> None:
        try:
            with hold(tmp_path):
                said.append("held")
        except ValueError as error:
            said.append(str(error))

    with hold(tmp_path):
        with hold(tmp_path):
            pass
        thread = threading.Thread(target=second)
        thread.start()
        thread.join()
    assert len(said) == 1
    assert f"process {os.getpid()}" in said[0]
    second()
    assert said[1] == "held"


def test_what_is_not_ours_is_refused_and_not_touched(tmp_path: Path):
    (tmp_path / "mine" / "clip").mkdir(parents=True)
    (tmp_path / "mine" / "clip" / "thesis.txt").write_text("work", encoding="utf-8")
    with (
        pytest.raises(ValueError, match="not empty and was not made by unclip .it holds clip"),
        hold(tmp_path / "mine"),
    ):
        pass
    assert [p.name for p in (tmp_path / "mine").iterdir()] == ["clip"]
    (tmp_path / "file").touch()
    with pytest.raises(ValueError, match="is a file"):
        check_own(tmp_path / "file")


@pytest.mark.parametrize("names", [(), (".DS_Store",), ("lost+found", "Thumbs.db")])
def test_an_empty_folder_is_taken(tmp_path: Path, names: tuple[str, ...]):
    for name in names:
        (tmp_path / name).touch()
    with hold(tmp_path):
        (tmp_path / "ours").touch()
    with hold(tmp_path):
        pass


def test_a_folder_in_which_nothing_was_written_is_taken_away_again(tmp_path: Path):
    with pytest.raises(KeyError), hold(tmp_path / "deep" / "run"):
        raise KeyError
    assert not (tmp_path / "deep" / "run").exists()


def test_a_folder_deleted_or_replaced_under_our_hands_is_noticed(tmp_path: Path):
    with hold(tmp_path / "run"):
        check_held(tmp_path / "run")
        shutil.rmtree(tmp_path / "run")
        with pytest.raises(ValueError, match="run: was deleted or replaced while it was written to"):
            check_held(tmp_path / "run")
        other = holder(tmp_path / "run")  # somebody begins another run in its place
        try:
            with pytest.raises(ValueError, match="was deleted or replaced"):
                check_held(tmp_path / "run")
        finally:
            other.kill()
            other.wait()
    assert not (tmp_path / "run").exists() or (tmp_path / "run" / MARK).exists()


def test_a_file_system_without_locks_goes_by_the_process_that_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    fcntl = pytest.importorskip("fcntl")

    def none(file: object, how: int) -> None:
        raise OSError(38, "Function not implemented")

    monkeypatch.setattr(fcntl, "flock", none)
    (tmp_path / MARK).write_text(f'{{"pid": {os.getppid()}, "host": "{os.uname().nodename}"}}', encoding="utf-8")
    with pytest.raises(ValueError, match=f"process {os.getppid()}"), hold(tmp_path):
        pass
    done = subprocess.Popen([sys.executable, "-c", ""])
    done.wait()
    (tmp_path / MARK).write_text(f'{{"pid": {done.pid}, "host": "{os.uname().nodename}"}}', encoding="utf-8")
    with hold(tmp_path):
        pass
