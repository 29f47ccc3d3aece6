"""The upload to the Hub, by `huggingface_hub` (extra `hub`); HF_ENDPOINT, HF_TOKEN and HF_HUB_OFFLINE are its own."""

import re
from pathlib import Path

from unclip.core.imports.missing import install
from unclip.core.shown import printable

LOGIN = (
    "log in with `hf auth login`, or set HF_TOKEN to a token that may write (https://huggingface.co/settings/tokens)"
)
NAME = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")


def check_repo(repo: str) -> None:
    """Raises ValueError for what cannot be the name of a repository, before anything is drawn or packed."""
    name = repo.rpartition("/")[2]
    wrong = (
        not NAME.fullmatch(repo) or "--" in repo or ".." in repo or name.endswith((".git", "-", ".")) or len(repo) > 96
    )
    if wrong:
        raise ValueError(
            f"{printable(repo, 120)}: not a name that the Hub takes; it is OWNER/NAME, of letters, digits, '-', '_' "
            "and '.', without '--' and '..', 96 characters at most"
        )


def check_ready() -> None:
    """Raises ValueError where nothing can be uploaded from here: no package, no network wanted, or no token."""
    try:
        import huggingface_hub
        from huggingface_hub.constants import is_offline_mode
    except ImportError as error:
        raise ValueError(install("uploading needs", "huggingface_hub")) from error
    if is_offline_mode():
        raise ValueError(
            "HF_HUB_OFFLINE is set, so nothing is uploaded; unset it, or add --dry-run to write the folder alone"
        )
    if huggingface_hub.get_token() is None:
        raise ValueError(f"no token of the Hub is here: {LOGIN}; --dry-run writes the folder alone")


def upload(folder: Path, repo: str, private: bool) -> str:
    """Makes the repository where there is none, and uploads the folder in one commit; returns its address.

    The Hub checks the head of the card first. Raises ValueError that says what the Hub answered.
    """
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError

    api = HfApi()
    try:
        made = api.create_repo(repo, private=private or None, exist_ok=True)
        api.upload_folder(repo_id=made.repo_id, folder_path=folder, commit_message="Upload by unclip push")
    except HFValidationError as error:
        raise ValueError(f"{printable(repo, 120)}: {printable(error, 300)}") from error
    except HfHubHTTPError as error:
        raise ValueError(_refused(repo, error.response.status_code, str(error))) from error
    except ValueError as error:
        raise ValueError(f"{repo}: the Hub refuses the card ({printable(error, 400)})") from error
    except OSError as error:
        raise ValueError(
            f"{api.endpoint}: cannot be reached ({printable(error, 200)}); try again, or add --dry-run"
        ) from error
    return str(made)


def _refused(repo: str, status: int, answer: str) -> str:
    said = printable(" ".join(answer.split()), 300)
    if status == 401:
        return f"{repo}: the Hub does not know this token ({said}); {LOGIN}"
    if status == 403:
        return f"{repo}: this token may not write there ({said}); name a repository of your own, or {LOGIN}"
    return f"{repo}: the Hub refuses it ({said})"
