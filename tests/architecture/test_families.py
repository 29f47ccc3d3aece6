"""What settings may name is known because its room imports it, never by luck."""

import json
import subprocess
import sys

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
