"""`from_pretrained`, `save_pretrained`, `push_to_hub`, as `PyTorchModelHubMixin` has them, for finished models.

A model is a whole run, not one module, so they are functions: what they write is what `unclip pack-run` and `unclip
push` write, and what they read is what `unclip.load` reads. A single network is that mixin itself, by `hub_class`.
"""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar, Unpack, overload

from unclip.data.hub import Download, snapshot
from unclip.generation.base import ImageModel
from unclip.generation.load import load
from unclip.interop.hub.card import About
from unclip.interop.hub.package import package
from unclip.interop.hub.upload import check_ready, check_repo, upload
from unclip.runs.pack import pack_run

M = TypeVar("M", bound=ImageModel)


@overload
def from_pretrained(
    name: str | Path, *, revision: str | None = None, device: str | None = None, **how: Unpack[Download]
) -> ImageModel: ...
@overload
def from_pretrained(
    name: str | Path, *, revision: str | None = None, device: str | None = None, kind: type[M], **how: Unpack[Download]
) -> M: ...
def from_pretrained(
    name: str | Path,
    *,
    revision: str | None = None,
    device: str | None = None,
    kind: type[ImageModel] = ImageModel,
    **how: Unpack[Download],
) -> ImageModel:
    """Loads a model from a folder or from the Hub; with HF_HUB_OFFLINE from what was downloaded before.

        model = unclip.from_pretrained("me/mine")

    Args:
        name: the folder of a run, "box:NAME", or OWNER/NAME of a repository on the Hub. A folder that is there never
            touches the network.
        revision: of the repository: a branch, a tag or a commit; None: main.
        device: as `unclip.load` takes it.
        kind: as `unclip.load` takes it.
        how: token, cache_dir, local_files_only, force_download, as `PyTorchModelHubMixin.from_pretrained` takes them.

    Raises:
        ValueError: as `unclip.load` does, and where the repository cannot be had.
    """
    local = Path(name).exists() or str(name).startswith("box:")
    return load(name if local else _downloaded(str(name), revision, how), device, kind=kind)


def _downloaded(repo: str, revision: str | None, how: Download) -> Path:
    check_repo(repo)
    return snapshot(repo, repo, "model", revision, also="no folder here, ", **how)


def save_pretrained(model: ImageModel, folder: str | Path) -> Path:
    """Writes a model that was loaded from a run into a new folder: settings, tokenizer and weights, no data.

    Args:
        model: as `unclip.load` gives it.
        folder: a new one; `from_pretrained` and every command read it.

    Raises:
        ValueError: for a model with small weights merged into it, for one that was not loaded from a run, and as
            `unclip pack-run` does.
    """
    pack_run(_root(model), folder)
    return Path(folder)


def push_to_hub(
    model: ImageModel,
    repo: str,
    *,
    private: bool = False,
    licence: str = "",
    data: str = "",
    prompts: Sequence[str] = (),
) -> str:
    """Uploads a model to the Hub with its card and samples, as `unclip push` does; returns the repository's address.

    Args:
        model: as `unclip.load` gives it.
        repo: OWNER/NAME.
        private: whether a new repository cannot be seen by others.
        licence: of the weights, as "apache-2.0".
        data: where the images come from, in a sentence for the card.
        prompts: what the samples show; none: captions of the test split.

    Raises:
        ValueError: before anything is drawn where nothing can be uploaded, and for what the Hub refuses.
    """
    check_repo(repo)
    check_ready()
    _root(model)
    with tempfile.TemporaryDirectory(prefix="unclip-push-") as place:
        package(model, About(repo, licence, data, tuple(prompts)), Path(place) / "run")
        return upload(Path(place) / "run", repo, private)


def _root(model: ImageModel) -> Path:
    if model.folder is None:
        raise ValueError("this model was not loaded from a run, and only a whole run can be handed on")
    if model.stages.lora is not None:
        raise ValueError(
            f"small weights of {model.stages.lora.path} are merged into this model; hand on the run that was trained "
            "with --lora, which holds them merged, or its lora folder"
        )
    return model.folder.root
