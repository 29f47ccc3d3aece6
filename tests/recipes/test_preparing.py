"""A run that is stopped while its images are prepared, and what becomes of a data set that was damaged since."""

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from tests.data.conftest import noise, save

from unclip.data.item import Item
from unclip.data.prepare.write import load_prepared, prepare
from unclip.data.shapes.world import World
from unclip.recipes.events import ImageSaved, Stopped
from unclip.recipes.presets import PRESETS
from unclip.recipes.run import train_stages
from unclip.recipes.settings.run import RunConfig


class Slow:
    """Images, of which the 40th has Ctrl-C pressed."""

    kind, root = "class folders", Path("slow")

    def __init__(self, stop: threading.Event | None = None) -> None:
        self.stop, self.decoded = stop, 0

    def __iter__(self) -> Iterator[Item]:
        for number in range(120):
            yield Item(f"{number}.png", lambda number=number: self.look(number), (f"caption {number}",))

    def look(self, number: int) -> bytes:
        self.decoded += 1
        if number == 40 and self.stop is not None:
            self.stop.set()
        return save(noise(32, 32, number))

    def fingerprint(self) -> str:
        return "1"


def config() -> RunConfig:
    return replace(PRESETS["tiny"](32), precision="float32", background="gray")


def test_ctrl_c_while_preparing_ends_at_once_and_the_same_command_goes_on(tmp_path: Path) -> None:
    stop = threading.Event()
    assert list(train_stages(Slow(stop), tmp_path, config(), stop)) == [Stopped("data")]
    again = Slow()
    events = train_stages(again, tmp_path, config(), threading.Event())
    shown = next(event for event in events if isinstance(event, ImageSaved))
    assert shown.path.is_file() and 0 < again.decoded < 120
    assert len(load_prepared(tmp_path / "data")) == 120


def test_a_drawn_world_is_stopped_too_and_drawn_anew_where_it_is_damaged(tmp_path: Path) -> None:
    stop = threading.Event()
    stop.set()
    with pytest.raises(KeyboardInterrupt):
        prepare(World(scenes=20), tmp_path, 32, stop=stop)
    whole = prepare(World(scenes=20), tmp_path, 32)
    captions, pixels = list(whole.captions), whole.images[:]
    (tmp_path / "captions.jsonl").write_bytes(b"?")
    with pytest.raises(ValueError, match=r"captions\.jsonl: line 1 is damaged, and was not when it was opened"):
        _ = whole.captions[0]
    again = prepare(World(scenes=20), tmp_path, 32)
    assert list(again.captions) == captions and (again.images[:] == pixels).all()


def test_a_background_is_a_colour() -> None:
    with pytest.raises(ValueError, match="background = 'wite': no colour; write white, black"):
        replace(config(), background="wite")
    with pytest.raises(ValueError, match="a background is opaque"):
        replace(config(), background="#ffffff00")
