"""A user's own modules: imported by name, refused with their own error, kept by a run, and trusted only once given."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.alone import alone

from unclip.core.plugins.given import import_plugin
from unclip.core.plugins.noted import PluginNote
from unclip.core.plugins.trust import remember, trust_file

CLOCK = """
from abc import ABC, abstractmethod
from unclip.core.config.base import Config
class Clock(Config, ABC):
    @abstractmethod
    def tick(self) -> str: ...
"""
BELL = """
from dataclasses import dataclass
from clock import Clock
@dataclass(frozen=True)
class {name}(Clock):
    def tick(self) -> str:
        return "{sound}"
"""


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to work in, with a family `Clock` that can be imported from it."""
    (tmp_path / "clock.py").write_text(CLOCK, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), *sys.path]))
    return tmp_path


def bell(path: Path, name: str = "Bell", sound: str = "ding") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(BELL.format(name=name, sound=sound), encoding="utf-8")
    return path


HEAD = """
from pathlib import Path
import tomli_w
from unclip.core.config.families import members
from unclip.core.plugins.given import import_plugin, plugins
from unclip.core.plugins.noted import keep, provide
from unclip.core.plugins.trust import remember
from clock import Clock
run = Path("run/run.toml")
def give(name):
    remember(import_plugin(name))
def train(**settings):
    run.parent.mkdir(exist_ok=True)
    run.write_text(tomli_w.dumps({**keep(run, settings), **settings}))
def said(name="Bell"):
    return members(Clock)[name]().tick()
try:
    exec(open("code").read())
except ValueError as error:
    print(f"refused: {error}")
"""


def python(code: str) -> str:
    """What a process of its own prints; a ValueError is one line."""
    Path("code").write_text(code, encoding="utf-8")
    done = subprocess.run([sys.executable, "-c", HEAD], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_a_file_is_imported_once(place: Path):
    path = bell(place / "mine.py")
    found = python(f"give('mine.py'); give({str(path)!r}); print(said(), len(plugins()))")
    assert found == "ding 1"
    assert python("import mine\ngive('mine.py'); print(said())") == "ding"  # also not beside a script's own import


def test_a_module_is_imported_by_its_name(place: Path):
    bell(place / "my_clocks" / "bells.py")
    assert python("give('my_clocks.bells'); give('my_clocks.bells'); print(said())") == "ding"


WRONG = {
    "nowhere.py": "there is no such file",
    "nowhere.at.all": "there is no module of this name",
    "folder/": "is a folder; name a file in it",
    "mine.txt": "there is no module of this name",
    "./mine.txt": "is not a Python file",
    "beside": "there is no module of this name; did you mean beside.py?",
    "no-name": "is neither a file (*.py) nor the name of a module",
}


@pytest.mark.parametrize("given", WRONG)
def test_what_is_no_plugin_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: str):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [part for part in sys.path if part not in ("", str(tmp_path))])
    (tmp_path / "folder").mkdir()
    for name in ("mine.txt", "beside.py"):
        (tmp_path / name).touch()
    with pytest.raises(ValueError, match=f"^--plugin {given}: ") as refused:
        import_plugin(given)
    assert WRONG[given] in str(refused.value)


BROKEN = {
    "x = 1\n\ny = x.nothing\n": "line 3: AttributeError: 'int' object has no attribute 'nothing'",
    "def f(:\n": "line 1: SyntaxError: ",
    "import no_such_package\n": "line 1: ModuleNotFoundError: No module named 'no_such_package'",
    "import sys\nsys.exit(3)\n": "line 2: SystemExit: 3",
    "raise ValueError('own\\x1b[31m words')\n": "line 1: ValueError: own\\x1b[31m words",
    "from unclip.diffusion import Sampler\nfrom unclip.diffusion import Smapler\n": "line 2: ImportError: ",
    "\xff": "line 1: SyntaxError: ",
}


@pytest.mark.parametrize("code", BROKEN)
def test_a_plugin_that_does_not_import_shows_its_own_error(tmp_path: Path, code: str):
    path = tmp_path / "broken.py"
    path.write_bytes(code.encode("latin-1"))
    with pytest.raises(ValueError, match="does not import") as refused:
        import_plugin(str(path), "UNCLIP_PLUGINS")
    words = str(refused.value)
    assert words.startswith(f"UNCLIP_PLUGINS {path}: does not import: {path}, ")
    assert BROKEN[code] in words and "\n" not in words and "\x1b" not in words


def test_two_of_one_name_are_refused_and_both_named(place: Path):
    bell(place / "one.py")
    bell(place / "two.py", sound="dong")
    told = python("give('one.py'); give('two.py')")
    assert told == (
        f"refused: --plugin two.py: there are two of the name Clock Bell: Bell in {place}/one.py and Bell in "
        f"{place}/two.py; rename one of them"
    )


def test_a_name_of_unclips_own_is_refused(place: Path):
    code = "from dataclasses import dataclass\nfrom unclip.diffusion import Grid\n"
    code += "@dataclass(frozen=True)\nclass KarrasSteps(Grid):\n    def levels(self, schedule, steps): ...\n"
    (place / "own.py").write_text(code, encoding="utf-8")
    told = python("give('own.py')")
    assert "there are two of the name Grid KarrasSteps: KarrasSteps in " in told
    assert told.endswith(f"diffusion/grids.py and KarrasSteps in {place}/own.py; rename one of them")


def test_a_run_keeps_a_plugin_and_has_it_imported_again(place: Path):
    path = bell(place / "mine.py")
    assert python("give('mine.py'); train(clock={'kind': 'Bell'})") == ""
    path.unlink()
    assert (place / "run" / "plugins" / "mine.py").is_file()
    assert python("provide(run); print(said())") == "ding"
    assert python("import sys; sys.path.insert(0, 'run/plugins')\nimport mine; provide(run); print(said())") == "ding"


def test_a_run_keeps_the_name_of_a_module(place: Path):
    bell(place / "my_clocks.py")
    assert python("give('my_clocks'); train()") == ""
    assert 'name = "my_clocks"\nkinds = [\n    "Bell",\n]' in (place / "run" / "run.toml").read_text(encoding="utf-8")
    assert python("provide(run); print(said())") == "ding"
    (place / "other").mkdir()
    (place / "my_clocks.py").rename(place / "other" / "my_clocks.py")
    told = python("import sys; sys.path.insert(0, 'other'); provide(run)")
    assert told.startswith(f"refused: run{os.sep}run.toml: needs the plugin my_clocks (")
    assert "which you have not given on this machine before" in told
    told = python("provide(run)")
    assert told.endswith("a module that is not here; install its package and give it: --plugin my_clocks")


def test_a_strangers_run_runs_nothing(place: Path, config_folder: Path):
    bell(place / "mine.py", sound="ding").write_text("print('I am run')\n" + bell(place / "mine.py").read_text("utf-8"))
    assert python("give('mine.py'); train()") == "I am run"
    (config_folder / "plugins.json").unlink()
    kept = place / "run" / "plugins" / "mine.py"
    told = python("provide(run)")
    assert told.startswith("refused: run/run.toml: needs the plugin mine.py (run/plugins/mine.py), which you have")
    assert told.endswith("look at it first, then give it: --plugin run/plugins/mine.py")
    assert python(f"give({str(kept)!r}); provide(run); print(said())") == "I am run\nding"
    assert python("provide(run); print(said())") == "I am run\nding"  # once on this machine is enough


def test_a_plugin_that_is_gone_or_has_changed_is_named(place: Path):
    bell(place / "mine.py")
    assert python("give('mine.py'); train()") == ""
    kept = bell(place / "run" / "plugins" / "mine.py", sound="dong")
    told = python("provide(run)")
    assert "run/plugins/mine.py has changed since the run was trained (SHA-256 " in told
    assert told.endswith("or look at this one and give it: --plugin run/plugins/mine.py")
    assert python("give('run/plugins/mine.py'); provide(run); print(said())") == "dong"
    kept.unlink()
    told = python("provide(run)")
    assert told == (
        "refused: run/run.toml: needs the plugin mine.py, and run/plugins/mine.py is gone; give the file that you "
        "have: --plugin mine.py"
    )
    bell(place / "mine.py", name="Gong")
    told = python("give('mine.py'); provide(run)")
    assert told.endswith("needs the plugin mine.py, and the one that was given (mine.py) brings no Bell")


def test_what_is_given_again_takes_the_place_of_the_old_one(place: Path):
    bell(place / "mine.py")
    python("give('mine.py'); train()")
    bell(place / "mine.py", sound="dong")
    bell(place / "more.py", name="Gong")
    python("give('mine.py'); give('more.py'); train()")
    assert python("provide(run); print(said(), said('Gong'))") == "dong ding"
    bell(place / "other" / "more.py", name="Hum")
    told = python("give('more.py'); give('other/more.py'); train()")
    assert told == "refused: two plugins are called more.py, and a run keeps both; rename one of them"


@pytest.mark.parametrize("name", ["../mine.py", "/etc/mine.py", ".hidden.py", "a\\b.py", ""])
def test_a_note_names_no_other_place(name: str):
    with pytest.raises(ValueError, match="is neither the name of a file"):
        PluginNote(name, "9f2c")


@pytest.mark.parametrize("text", ['plugins = "mine.py"', "[[plugins]]\nname = 3", "[[plugins]]\nfile = 'mine.py'"])
def test_a_damaged_note_is_refused(place: Path, text: str):
    (place / "run").mkdir()
    (place / "run" / "run.toml").write_text(text, encoding="utf-8")
    assert python("provide(run)").startswith("refused: run/run.toml: plugins")


def test_a_damaged_list_is_refused(place: Path, config_folder: Path):
    bell(place / "mine.py")
    python("give('mine.py'); train()")
    for text in ("{", "[]", '{"trusted": 3}'):
        (config_folder / "plugins.json").write_text(text, encoding="utf-8")
        assert f"{config_folder}/plugins.json: not the list of the plugins that you have given" in python(
            "provide(run)"
        )


@alone
def test_where_the_list_lies(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.delenv("UNCLIP_CONFIG_DIR")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert trust_file() == tmp_path / "unclip" / "plugins.json"
    monkeypatch.delenv("XDG_CONFIG_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert trust_file() == tmp_path / ".config" / "unclip" / "plugins.json"
    (tmp_path / "nothing.py").touch()
    remember(import_plugin(str(tmp_path / "nothing.py")))
    assert (tmp_path / ".config" / "unclip" / "plugins.json").is_file()


def test_what_installed_packages_bring_is_imported(place: Path):
    bell(place / "chimes.py")
    info = place / "chimes_package-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: chimes-package\nVersion: 1.0\n", encoding="utf-8")
    (info / "entry_points.txt").write_text("[unclip.plugins]\nbells = chimes\n", encoding="utf-8")
    assert python("train(); provide(run); print(said())") == "ding"
    assert "plugins" not in (place / "run" / "run.toml").read_text(encoding="utf-8")  # nothing of it was used
    python("from unclip.core.plugins.given import import_installed as i; i(); train(clock={'kind': 'Bell'})")
    assert 'name = "chimes"' in (place / "run" / "run.toml").read_text(encoding="utf-8")
    (place / "chimes.py").write_text("1 / 0\n", encoding="utf-8")
    told = python("provide(run)")
    assert told.startswith(
        "refused: chimes-package, which is installed here, brings the plugin chimes: does not import:"
    )
    assert told.endswith("chimes.py, line 1: ZeroDivisionError: division by zero")
