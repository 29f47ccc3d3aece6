"""What settings may name is known because its room imports it, never by luck; public names are where they are said."""

import importlib
import json
import pkgutil
import subprocess
import sys

import pytest

import unclip

ROOMS = (
    "unclip",
    "unclip.diffusion",
    "unclip.nn",
    "unclip.nn.backbones",
    "unclip.clip",
    "unclip.data",
    "unclip.training",
)
MEMBERS = """
import importlib, inspect, json, pkgutil, sys
import unclip
if "settings" in sys.argv:
    import unclip.recipes.settings.run
else:
    for module in pkgutil.walk_packages(unclip.__path__, "unclip."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
from unclip.core.config.base import Config

def below(cls):
    return {cls} | {member for sub in cls.__subclasses__() for member in below(sub)}

families = [cls for cls in below(Config) if inspect.isabstract(cls)]
print(json.dumps({f.__name__: sorted(m.__name__ for m in below(f)) for f in families}))
"""


def families(*words: str) -> dict[str, list[str]]:
    """Name of a family -> its members, in a fresh interpreter that imports the settings of a run, or everything."""
    done = subprocess.run([sys.executable, "-c", MEMBERS, *words], capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def test_settings_know_every_member_of_their_families():
    known, every = families("settings"), families()
    named = {name: members for name, members in every.items() if name in known}
    assert {"Schedule", "Sampler", "Guidance", "ImageNetworkConfig", "Degradation", "ImageTowerConfig"} <= set(named)
    assert known == named


@pytest.mark.parametrize("room", ROOMS)
def test_public_names_are_there(room: str):
    module = importlib.import_module(room)
    for name in module.__all__:
        assert getattr(module, name) is not None, name
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = module.nothing


def test_importing_the_rooms_imports_no_torch():
    """But for `recipes`, which makes its stages known to whoever imports any of it."""
    rooms = [m.name for m in pkgutil.iter_modules(unclip.__path__, "unclip.") if m.ispkg]
    names = [name for name in rooms if name != "unclip.recipes"]
    code = f"import sys, {', '.join(names)}; sys.exit('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
