"""The plugins that this person has given on this machine, in a file of theirs: only these may a run have imported.

A file is known by its SHA-256, a module by its name and the place of its package.
"""

import json
import os
import sys
from pathlib import Path

import unclip
from unclip.core.config.tables import is_table, read_json
from unclip.core.disk.atomic import write_atomic
from unclip.core.plugins.given import Plugin

FOLDER = "UNCLIP_CONFIG_DIR"
"""The variable that names the folder of the file, in the place of the platform's."""
NAME = "plugins.json"


def trust_file() -> Path | None:
    """Where the list lies: $UNCLIP_CONFIG_DIR, or `unclip` in $XDG_CONFIG_HOME, ~/.config, or what the platform has.

    None for a user without a home.
    """
    if named := os.environ.get(FOLDER):
        return Path(named) / NAME
    if named := os.environ.get("APPDATA" if sys.platform == "win32" else "XDG_CONFIG_HOME"):
        return Path(named) / "unclip" / NAME
    try:
        return Path.home() / ".config" / "unclip" / NAME
    except RuntimeError:
        return None


def is_trusted(name: str, proof: str) -> bool:
    """Whether the user has given a plugin before. proof: the SHA-256 of its file, or the place of its package."""
    return bool(proof) and _read().get(_key(name, proof)) == proof


def remember(plugin: Plugin) -> None:
    """Puts a plugin on the list. Raises OSError or ValueError where the file cannot be written or is damaged."""
    path, proof = trust_file(), plugin.sha256 or plugin.place
    if path is not None and not is_trusted(plugin.name, proof):
        table = {**_read(), _key(plugin.name, proof): proof}
        write_atomic(path, json.dumps({"unclip": unclip.__version__, "trusted": table}, indent=1))


def _key(name: str, proof: str) -> str:
    return f"{name} {proof[:12]}" if name.endswith(".py") else name


def _read() -> dict[str, str]:
    """Plugin -> its proof. Raises ValueError that names a damaged file."""
    path = trust_file()
    if path is None or not path.exists():
        return {}
    what = "the list of the plugins that you have given; delete it, and give them again with --plugin"
    table = read_json(path, what).get("trusted")
    if not is_table(table):
        raise ValueError(f"{path}: not {what}")
    return {name: proof for name, proof in table.items() if isinstance(proof, str)}
