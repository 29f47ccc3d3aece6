"""docs/extending.md: each file on the page is saved under its name, and each command is run, in this order."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.architecture.pages import commands, files
from tests.short import short

from unclip.images.files import read_about
from unclip.recipes.settings.run import write_settings

PAGE = "docs/extending.md"
FEW = ("--set", "ddpm.train.steps=2", "--set", "ddpm.sampling.steps=2", "--size", "32")
"""What makes a DDPM of the page one of seconds."""
NARROW = ("--set", "ddpm.network.widths=[8, 16]", "--set", "ddpm.network.blocks=[1, 1]")
NARROW += ("--set", "ddpm.network.attention=[false, false]")


def run(*words: str) -> str:
    """What a program says on stdout; it has to succeed, or to have trained what its gate does not like."""
    done = subprocess.run([sys.executable, *words], capture_output=True, text=True)
    assert done.returncode in (0, 1) and "Traceback" not in done.stderr, done.stdout + done.stderr
    return done.stdout


@pytest.mark.slow
def test_the_page_works_as_it_stands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    for name, code in files(PAGE).items():
        Path(name).write_text(code.replace('budget="5m", ', "config=SHORT, "), encoding="utf-8")
    write_settings(Path("short.toml"), short(1))
    short_run = "from pathlib import Path\nfrom unclip.recipes.settings.run import stored_config\n"
    rings = f"{short_run}SHORT = stored_config(Path('short.toml'))\n{Path('rings.py').read_text(encoding='utf-8')}"
    Path("rings.py").write_text(rings, encoding="utf-8")
    done = set[str]()
    for command in commands(PAGE):
        if "runs/rings" in command:
            run("rings.py")
        if "runs/theirs" in command:
            continue
        run("-m", "unclip", *smaller(command))
        done.add(command[0])
    assert done == {"shapes", "train", "generate"}
    said = run("draw.py")
    assert said.strip() == "{'kind': 'Midpoint', 'where': 0.4}"
    kinds = [read_about(path)["sampling"] for path in sorted(Path("out").glob("a-red-circle-0*.png"))]
    assert {how["sampler"]["kind"] for how in kinds} == {"Midpoint", "DDIM"}
    assert {how["guidance"]["kind"] for how in kinds} == {"Rising", "ClassifierFree"}
    assert {(how.get("grid") or {}).get("kind") for how in kinds} == {"Power", None}


def smaller(command: list[str]) -> list[str]:
    """A command of the page, with few pictures, tiny networks and few steps."""
    if "runs/try" in command and command[0] == "train":
        return ["train", "pictures", "--out", "runs/try", "--config", "short.toml", "--force"]
    if command[0] == "train":
        narrow = () if "MixerConfig" in str(command) else NARROW
        return [word for word in command if word not in ("--budget", "5m")] + [*FEW, *narrow]
    return [{"2000": "64", "16": "2"}.get(word, word) for word in command]


@pytest.mark.slow
def test_another_persons_run_is_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A finished run goes from one who gave the plugin to one who did not."""
    monkeypatch.chdir(tmp_path)
    Path("straight.py").write_text(files(PAGE)["straight.py"], encoding="utf-8")
    run("-m", "unclip", "shapes", "pictures", "-n", "40")
    schedule = ("--plugin", "straight.py", "--set", "ddpm.diffusion.schedule.kind=Straight")
    run("-m", "unclip", "train", "pictures", "--out", "run", "--model", "ddpm", *schedule, *FEW, *NARROW)
    run("-m", "unclip", "pack-run", "run", "theirs")
    words = [sys.executable, "-m", "unclip", "generate", "--run", "theirs", "-n", "1"]
    known = subprocess.run(words, capture_output=True, text=True)
    assert known.returncode == 0, known.stderr
    stranger = {**os.environ, "UNCLIP_CONFIG_DIR": str(tmp_path / "another")}
    refused = subprocess.run(words, capture_output=True, text=True, env=stranger)
    assert refused.returncode == 2
    assert "needs the plugin straight.py (theirs/plugins/straight.py), which you have not given" in refused.stderr
    way = "unclip generate --plugin theirs/plugins/straight.py --run theirs -n 1"
    assert refused.stderr.endswith(f"look at it first, then give it: {way}\n")
    allowed = subprocess.run([sys.executable, "-m", *way.split()], capture_output=True, text=True, env=stranger)
    assert allowed.returncode == 0, allowed.stderr
    again = subprocess.run(words, capture_output=True, text=True, env=stranger)
    assert again.returncode == 0, again.stderr
