"""docs/extending.md: each file on the page is saved under its name, and each command is run, in this order."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from tests.alone import alone
from tests.architecture.pages import commands, files
from tests.short import short

from unclip.cli.main import app
from unclip.images.files import read_about
from unclip.recipes.settings.run import stored_config, write_settings
from unclip.recipes.stages import CLIPRecipe
from unclip.runs.folder import RunFolder

PAGE = "docs/extending.md"
FEW = ("--set", "ddpm.train.steps=2", "--set", "ddpm.sampling.steps=2", "--size", "16")
"""What makes a DDPM of the page one of seconds."""
NARROW = ("--set", "ddpm.network.widths=[8, 16]", "--set", "ddpm.network.blocks=[1, 1]")
NARROW += ("--set", "ddpm.network.attention=[false, false]")


@pytest.mark.slow
@alone
def test_the_page_works_as_it_stands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    write_settings(Path("short.toml"), config := short(1))
    for name, code in files(PAGE).items():
        Path(name).write_text(code, encoding="utf-8")
    for command in commands(PAGE):
        if "runs/theirs" in command:
            continue
        if "runs/rings" in command:
            code = Path("rings.py").read_text(encoding="utf-8").replace('budget="5m"', "config=SHORT")
            code = code.replace("range(600)", "range(60)")
            exec(compile(code, "rings.py", "exec"), {"SHORT": config})
        unclip(*smaller(command))
    kinds = [read_about(path)["sampling"] for path in sorted(Path("out").glob("a-red-circle-0*.png"))]
    assert {how["sampler"]["kind"] for how in kinds} == {"Midpoint", "DDIM"}
    assert {how["guidance"]["kind"] for how in kinds} == {"Rising", "ClassifierFree"}
    assert {(how.get("grid") or {}).get("kind") for how in kinds} == {"Power", None}
    assert stored_config(Path("runs/bag/run.toml")).of(CLIPRecipe).text_encoder is not None
    assert "mean_colour" in RunFolder(Path("runs/try")).added
    assert len(json.loads(python("colour_of.py").stdout)) == 3
    assert python("draw.py").stdout.strip() == "{'kind': 'Midpoint', 'where': 0.4}"
    unclip("pack-run", "runs/straight", "runs/theirs")
    monkeypatch.setenv("UNCLIP_CONFIG_DIR", str(tmp_path / "another person"))
    refused = python("-m", "unclip", "generate", "--run", "runs/theirs", "-n", "1")
    assert refused.returncode == 2
    assert "needs the plugin straight.py (runs/theirs/plugins/straight.py), which you have not given" in refused.stderr
    way = "unclip generate --plugin runs/theirs/plugins/straight.py --run runs/theirs -n 1"
    assert refused.stderr.endswith(f"look at it first, then give it: {way}\n")
    unclip(*way.split()[1:])


def unclip(*words: str) -> None:
    """A command, which has to succeed, or to have trained what its gate does not like."""
    try:
        app(list(words))
        code = 0
    except SystemExit as stop:
        code = stop.code or 0
    assert code in (0, 1), words


def python(*words: str) -> subprocess.CompletedProcess[str]:
    """A process of its own, which knows no plugin yet."""
    return subprocess.run([sys.executable, *words], capture_output=True, text=True)


def smaller(command: list[str]) -> list[str]:
    """A command of the page, with few images, tiny networks and few steps."""
    if command[0] == "train" and ("runs/try" in command or "runs/bag" in command):
        return [word for word in command if word not in ("--budget", "1m")] + ["--config", "short.toml"]
    if command[0] == "train":
        narrow = () if "mixer.py" in command else NARROW
        return [word for word in command if word not in ("--budget", "5m")] + [*FEW, *narrow]
    return [{"2000": "40", "16": "1"}.get(word, word) for word in command]
