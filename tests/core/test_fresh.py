"""New folders and files: whole or not at all, and in the place of nothing, whoever else writes at the same moment."""

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from unclip.core.disk.lock import MARK, hold
from unclip.core.disk.new import new_folder, write_new


def test_a_folder_appears_whole(tmp_path: Path):
    with new_folder(tmp_path / "a" / "b") as place:
        (place / "x").write_text("x", encoding="utf-8")
        assert not (tmp_path / "a" / "b").exists()
    assert [p.relative_to(tmp_path) for p in (tmp_path / "a").rglob("*")] == [Path("a/b"), Path("a/b/x")]


def test_a_failure_leaves_nothing(tmp_path: Path):
    def broken() -> None:
        with new_folder(tmp_path / "a") as place:
            (place / "x").write_text("x", encoding="utf-8")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        broken()
    assert not list(tmp_path.iterdir())


def test_what_is_there_stays(tmp_path: Path):
    (tmp_path / "mine").write_text("x", encoding="utf-8")
    for path in (tmp_path, tmp_path / "mine"):
        with pytest.raises(ValueError, match="is there already and not empty"), new_folder(path):
            pass


@pytest.mark.skipif(os.name == "nt", reason="links need a right there")
def test_a_link_to_nothing_is_told(tmp_path: Path):
    (tmp_path / "link").symlink_to(tmp_path / "nothing")
    with pytest.raises(ValueError, match="link to nothing"), new_folder(tmp_path / "link"):
        pass


def test_an_empty_folder_is_filled(tmp_path: Path):
    (tmp_path / "a").mkdir()
    with new_folder(tmp_path / "a") as place:
        (place / "x").write_text("x", encoding="utf-8")
    assert (tmp_path / "a" / "x").is_file()


def test_another_living_maker_refuses_and_a_dead_one_is_swept(tmp_path: Path):
    part = tmp_path / ".a.99999.part"
    with hold(part):
        (part / "x").write_text("x", encoding="utf-8")
        found: list[str] = []

        def other() -> None:
            try:
                with new_folder(tmp_path / "a"):
                    pass
            except ValueError as error:
                found.append(str(error))

        thread = threading.Thread(target=other)
        thread.start()
        thread.join()
        assert f"{tmp_path / 'a'}: process {os.getpid()} on" in found[0]
    with new_folder(tmp_path / "a") as place:
        (place / "y").write_text("y", encoding="utf-8")
    assert [p.name for p in tmp_path.iterdir()] == ["a"]


def test_whoever_is_later_at_the_same_moment_is_told(tmp_path: Path):
    def later() -> None:
        with new_folder(tmp_path / "a") as place:
            (place / "x").write_text("x", encoding="utf-8")
            (tmp_path / "a").mkdir()
            (tmp_path / "a" / "y").write_text("y", encoding="utf-8")

    with pytest.raises(ValueError, match="made by another process meanwhile"):
        later()
    assert [str(p.relative_to(tmp_path)) for p in sorted(tmp_path.rglob("*"))] == ["a", "a/y"]


def test_a_part_of_somebody_is_not_swept(tmp_path: Path):
    thesis = tmp_path / ".a.99999.part" / "thesis.txt"
    thesis.parent.mkdir()
    thesis.write_text("work", encoding="utf-8")
    with new_folder(tmp_path / "a") as place:
        (place / "x").write_text("x", encoding="utf-8")
    assert thesis.is_file() and not (tmp_path / "a" / MARK).exists()


@pytest.mark.parametrize("links", [True, False])
def test_a_file_is_written_once(tmp_path: Path, links: bool, monkeypatch: pytest.MonkeyPatch):
    if not links:
        monkeypatch.setattr(os, "link", _no_links)
    assert write_new(tmp_path / "a" / "x.png", b"1")
    assert not write_new(tmp_path / "a" / "x.png", b"2")
    assert (tmp_path / "a" / "x.png").read_bytes() == b"1"
    monkeypatch.setattr(os.path, "lexists", lambda path: False)  # the other one writes right after the question
    assert not write_new(tmp_path / "a" / "x.png", b"2")
    assert [p.name for p in (tmp_path / "a").iterdir()] == ["x.png"]
    assert (tmp_path / "a" / "x.png").read_bytes() == b"1"


def _no_links(*_: object) -> None:
    raise OSError("no links here")


def test_many_processes_write_one_name(tmp_path: Path):
    code = (
        "import sys, time; from pathlib import Path; from unclip.core.disk.new import write_new\n"
        "while not Path(sys.argv[1], 'go').exists(): time.sleep(0.001)\n"
        "print([write_new(Path(sys.argv[1], f'{i}'), sys.argv[2].encode()) for i in range(50)].count(True))"
    )
    each = [
        subprocess.Popen([sys.executable, "-c", code, str(tmp_path), name], stdout=subprocess.PIPE) for name in "abcd"
    ]
    (tmp_path / "go").touch()
    assert sum(int(process.communicate()[0]) for process in each) == 50
    assert len(list(tmp_path.iterdir())) == 51
