"""`--plugin` and UNCLIP_PLUGINS on the command line: what is wrong with a plugin is one line."""

from pathlib import Path

import pytest
from tests.alone import alone
from tests.cli.conftest import Call

BROKEN = "import math\n\nmath.nothing()\n"


@pytest.fixture
def broken(tmp_path: Path) -> Path:
    path = tmp_path / "broken.py"
    path.write_text(BROKEN, encoding="utf-8")
    return path


@pytest.mark.parametrize("words", [("generate", "x", "--run"), ("train", "shapes", "--out"), ("info",)], ids=" ".join)
def test_its_own_error_is_shown_before_anything_is_done(call: Call, tmp_path: Path, broken: Path, words: list[str]):
    done = call(*words, tmp_path / "run", "--plugin", broken)
    assert done.code == 2
    assert done.err == (
        f"error: --plugin {broken}: does not import: {broken}, line 3: AttributeError: module 'math' has no attribute "
        "'nothing'\n"
    )
    assert not (tmp_path / "run").exists()


@alone
def test_the_variable_is_read_and_named(
    call: Call, tmp_path: Path, broken: Path, monkeypatch: pytest.MonkeyPatch, config_folder: Path
):
    fine = tmp_path / "fine.py"
    fine.write_text("", encoding="utf-8")
    monkeypatch.setenv("UNCLIP_PLUGINS", f"{fine}:{broken}")
    assert call("info", tmp_path).err.startswith(f"error: UNCLIP_PLUGINS {broken}: does not import: ")
    assert "fine.py" in (config_folder / "plugins.json").read_text(encoding="utf-8")
    assert "broken.py" not in (config_folder / "plugins.json").read_text(encoding="utf-8")


@alone
def test_a_list_that_cannot_be_written_is_told(call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    file = tmp_path / "file"
    file.write_text("", encoding="utf-8")
    monkeypatch.setenv("UNCLIP_CONFIG_DIR", str(file / "below"))
    (tmp_path / "empty.py").write_text("# empty", encoding="utf-8")
    done = call("info", tmp_path, "--plugin", tmp_path / "empty.py")
    assert f"! {file}/below/plugins.json: cannot be written (not a directory): runs with this plugin" in done.out


def test_commands_that_need_none_take_none(call: Call):
    for command in ("data", "pack", "shapes", "demo", "pack-run", "course"):
        assert "--plugin" not in call(command, "--help").out
    assert "--plugin" in call("generate", "--help").out
