"""What every test shares: one thread, shapes checked at run time, and where the real data lies."""

import gc
import itertools
import os
from collections.abc import Iterator
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch: tests use tiny networks, in several processes

import pytest
from tests import checked, once

checked.install("unclip")  # before unclip: every annotated shape is now an assertion

ROOT = Path(__file__).resolve().parent.parent
gc.set_threshold(20_000, 20, 20)  # else a tenth of the time goes into walks through what imports have left


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Slow tests first, so that no worker is left alone with one at the end."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)


@pytest.fixture(scope="session")
def real_data() -> Path:
    """A folder with `emoji/` and `cifar10/`: $UNCLIP_TEST_DATA, or `shared/data` in or beside the checkout."""
    named = os.environ.get("UNCLIP_TEST_DATA")
    places = [Path(named)] if named else [ROOT / "shared" / "data", ROOT.parent / "shared" / "data"]
    for place in places:
        if place.is_dir():
            return place
    pytest.skip("no real data here: name its folder in UNCLIP_TEST_DATA")


@pytest.fixture(scope="session", autouse=True)
def _trained_once(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> None:
    if hasattr(request.config, "workerinput"):  # a worker: its folder lies beside those of the others
        once.share(tmp_path_factory.getbasetemp().parent / "trained")


@pytest.fixture
def in_float32(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is compared with a peer to the fifth digit is computed as the peer does, also where the CPU has units for
    bfloat16."""
    from unclip.core import machine

    monkeypatch.setattr(machine, "best_precision", lambda where="cpu": "float32")


@pytest.fixture(scope="session")
def config_folders(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Names for folders, one after the other. `mktemp` for each would look through those of all tests before."""
    root = tmp_path_factory.mktemp("config")
    return (root / str(number) for number in itertools.count())


@pytest.fixture(autouse=True)
def config_folder(config_folders: Iterator[Path], monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in the place of the user's own, so that no test reads or changes which plugins the user has given."""
    folder = next(config_folders)
    folder.mkdir()
    monkeypatch.setenv("UNCLIP_CONFIG_DIR", str(folder))
    return folder
