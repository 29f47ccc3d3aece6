"""What every test shares: one thread, shapes checked at run time, and where the real data lies."""

import os
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch: tests use tiny networks, in several processes

import jaxtyping
import pytest

jaxtyping.install_import_hook("unclip", "beartype.beartype")  # before unclip: every annotated shape is now an assertion

ROOT = Path(__file__).resolve().parent.parent


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


@pytest.fixture(autouse=True)
def config_folder(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in the place of the user's own, so that no test reads or changes which plugins the user has given."""
    folder = tmp_path_factory.mktemp("config")
    monkeypatch.setenv("UNCLIP_CONFIG_DIR", str(folder))
    return folder
