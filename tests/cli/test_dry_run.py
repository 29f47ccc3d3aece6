"""`unclip train --dry-run`: what would be trained and what it would take, and nothing is written."""

import os
import tempfile
from functools import partial
from pathlib import Path

import pytest
from tests.cli.conftest import Call
from tests.short import short

from unclip.data.shapes.world import World
from unclip.recipes.api import data
from unclip.recipes.settings.run import write_settings
from unclip.studies.doctor import chain


def test_it_tells_all_and_writes_nothing(call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(data, "World", partial(World, scenes=1000))
    monkeypatch.setattr(chain, "STEPS", dict.fromkeys(("clip", "prior", "decoder"), 2))
    place, passing = tmp_path / "place", tmp_path / "passing"
    passing.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(passing))
    write_settings(place / "tiny.toml", short(40))
    before = sorted(os.walk(place))
    out = place / "runs" / "mine"
    done = call("train", "shapes", "--out", out, "--config", place / "tiny.toml", "--dry-run")
    assert (done.code, done.err) == (0, "")
    for part in ("parameters", "images/s", "passes an image", "154,755", "memory at the peak", "in all", "checkpoints"):
        assert part in done.out, part
    assert "nothing was written" in done.out
    assert sorted(os.walk(place)) == before and not list(passing.glob("unclip-*"))


@pytest.mark.parametrize(
    ("words", "environ", "why"),
    [
        (["--more", "10m"], {}, "leave --more out"),
        ([], {"WORLD_SIZE": "2", "RANK": "0", "MASTER_ADDR": "x", "MASTER_PORT": "1"}, "start it without torchrun"),
        (["--from", "box:emoji", "--lora", "4"], {}, "leave --lora 4 out"),
    ],
)
def test_what_it_cannot_tell(
    words: list[str], environ: dict[str, str], why: str, call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    done = call("train", "shapes", "--out", tmp_path / "run", "--dry-run", *words)
    assert done.code == 2 and why in done.err and "Traceback" not in done.err
    assert not (tmp_path / "run").exists()
