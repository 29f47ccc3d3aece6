"""`unclip push`: a run to the Hugging Face Hub, with its model card."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from unclip.cli.arguments.device import on_device
from unclip.cli.arguments.output import check_folder
from unclip.cli.errors import guarded


@guarded
@on_device
def push(
    run: Annotated[Path, Parameter(help="A finished run folder, or box:NAME.")],
    repo: Annotated[str, Parameter(help="OWNER/NAME on the Hub; it is made where there is none.")],
    /,
    *,
    private: Annotated[bool, Parameter(help="A new repository that others cannot see.", negative="")] = False,
    dry_run: Annotated[bool, Parameter(help="Write the folder and upload nothing.", negative="")] = False,
    out: Annotated[
        Path | None, Parameter(help="A new folder for what is uploaded; with --dry-run by default the NAME.")
    ] = None,
    licence: Annotated[str, Parameter(name="--license", help="Of the weights. Example: --license apache-2.0")] = "",
    data: Annotated[
        str, Parameter(help="Where the images come from, and their licence, in a sentence for the card.")
    ] = "",
    prompt: Annotated[
        tuple[str, ...], Parameter(help="What the samples show; repeat it. By default captions of the test split.")
    ] = (),
) -> None:
    """Upload a run to the Hugging Face Hub: weights as safetensors, model card, samples; no images of the data.

    Log in first: `hf auth login`, or HF_TOKEN. What was uploaded is a run: `unclip.load` and
    every command take the downloaded folder.
    """
    from unclip.interop.hub.upload import check_ready, check_repo, upload

    check_repo(repo)
    if not dry_run:
        check_ready()
    with place(out, repo, dry_run) as folder:
        check_folder(folder)
        from unclip.box.shipped import find
        from unclip.cli.arguments.model import open_model
        from unclip.cli.screen.console import stdout
        from unclip.cli.screen.waiting import waiting
        from unclip.generation.base import ImageModel
        from unclip.interop.hub.card import About
        from unclip.interop.hub.package import package

        console, root = stdout(), find(run)
        with waiting(f"loading {root}", console) as say:
            model = open_model(root, ImageModel)
            say("drawing samples")
            package(model, About(repo, licence, data, prompt), folder)
            if not dry_run:
                say(f"uploading to {repo}")
                console.print(upload(folder, repo, private))
        if dry_run or out is not None:
            console.print(f"{folder}: what is uploaded; its card is {folder / 'README.md'}")
        if not licence:
            console.print("the card says that the licence is unknown; say it with --license")


@contextmanager
def place(out: Path | None, repo: str, dry_run: bool) -> Iterator[Path]:
    """Where the folder is written; nothing is kept of one that nobody named."""
    if out is not None or dry_run:
        yield out or Path(repo.rpartition("/")[2])
        return
    with tempfile.TemporaryDirectory(prefix="unclip-push-") as folder:
        yield Path(folder) / "run"
