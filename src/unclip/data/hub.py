"""Data sets of the Hugging Face Hub, by an address: `hf://datasets/OWNER/NAME@REVISION/FOLDER`.

They are files like any others once they are here: `huggingface_hub` (extra `hub`) downloads them into its own cache,
and with HF_HUB_OFFLINE takes what lies there.
"""

import re
from pathlib import Path
from typing import TypedDict, Unpack

from unclip.core.imports.missing import install
from unclip.core.shown import printable

ADDRESS = re.compile(r"hf:/{1,2}datasets/([\w.-]+/[\w.-]+?)(?:@([\w.-]+))?(?:/(.+?))?/?")
"""A path has one slash where two were typed."""
KINDS = {"dataset": "data sets", "model": "models"}
"""What a repository may hold, as the Hub names it and as we do."""


class Download(TypedDict, total=False):
    """How the Hub is asked, as `huggingface_hub` names it. token: to read with; True: the one of `hf auth login`.

    cache_dir: in the place of its own cache; local_files_only: nothing is asked of the network; force_download: also
    what is in the cache is got again.
    """

    token: str | bool | None
    cache_dir: str | Path | None
    local_files_only: bool
    force_download: bool


def is_address(text: str) -> bool:
    """Whether an address of the Hub is meant, and no path."""
    return text.startswith("hf:/")


def fetched(address: str) -> Path:
    """The folder or file of an address, downloaded where it is not in the cache.

    Raises ValueError for what is no address of a data set, without `huggingface_hub`, and where it cannot be had.
    """
    found = ADDRESS.fullmatch(address)
    if found is None:
        form = "hf://datasets/OWNER/NAME[@REVISION][/FOLDER]"
        raise ValueError(f"{printable(address)}: no address of a data set; it is {form}")
    repo, revision, inside = found.groups()
    wanted = [inside, f"{inside}/*"] if inside else None
    root = snapshot(repo, printable(address), "dataset", revision, wanted)
    place = root / inside if inside else root
    if not place.exists():
        raise ValueError(f"{printable(address)}: the data set has no {printable(inside)}")
    return place


def snapshot(
    repo: str,
    shown: str,
    kind: str,
    revision: str | None,
    wanted: list[str] | None = None,
    also: str = "",
    **how: Unpack[Download],
) -> Path:
    """The folder of a repository in the cache of `huggingface_hub`, downloaded where it is not there.

    shown: how it was named; kind: "dataset" or "model"; wanted: patterns of the files, None: all; also: what else of
    that name is not there; how: token, cache_dir, local_files_only, force_download as `snapshot_download` takes them.
    Raises ValueError without `huggingface_hub`, and where it cannot be had.
    """
    try:
        from huggingface_hub import snapshot_download
        from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError
    except ImportError as error:
        raise ValueError(install(f"{KINDS[kind]} of the Hub need", "huggingface_hub")) from error
    try:
        return Path(snapshot_download(repo, repo_type=kind, revision=revision, allow_patterns=wanted, **how))
    except LocalEntryNotFoundError as error:
        raise ValueError(
            f"{shown}: {also}not in the cache of huggingface_hub, and the Hub cannot be reached (HF_HUB_OFFLINE is "
            "set, or there is no network)"
        ) from error
    except (HfHubHTTPError, HFValidationError, OSError) as error:
        raise ValueError(f"{shown}: {printable(' '.join(str(error).split()), 300)}") from error
