"""The run whose weights another one starts from: found by what was typed, checked, and kept beside the new run.

Its settings, tokenizer and weights are copied to RUN/checkpoints/start before anything else is written: from then on
the new run needs it no more, and a change there changes nothing here.
"""

from dataclasses import replace
from pathlib import Path

from unclip.box.shipped import find
from unclip.core.disk import atomic, store
from unclip.core.disk.new import new_folder
from unclip.core.shown import printable, shell_command
from unclip.recipes.settings.run import RunConfig, stored_config
from unclip.recipes.start.settings import check_weights_fit
from unclip.runs.folder import RunFolder
from unclip.runs.modules import model_hash, read_tokenizer
from unclip.runs.pack import copy_model
from unclip.runs.records import records_before
from unclip.text.tokenizer import Tokenizer

KEPT = "start"
"""Below checkpoints/: what the run started from."""


def run_of(text: str) -> RunFolder:
    """The finished run that is meant by `text`, as typed after --from: the path of its folder, or a model that ships.

    Raises ValueError that names the file and the fix where there is none, where it is unfinished or damaged, and where
    its tokenizer is not the one that its weights learned with.
    """
    try:
        run = RunFolder(find(text))
        run.require()
        for name in run.stages:
            store.check(run.root / name)
        if "tokenizer" in run.state():
            promised = records_before(store.read_extra(run.root / run.stages[0])).get("tokenizer", {})
            read_tokenizer(run, 1, promised.get("sha256"))
    except ValueError as error:
        raise ValueError(f"--from {error}") from error
    return run


def check_apart(text: str, out: Path) -> None:
    """Raises ValueError where a run would start from itself."""
    if Path(text).resolve() == out.resolve():
        more = shell_command("unclip", "train", "DATA", "--out", out, "--more", "30m")
        raise ValueError(
            f"--from {printable(text)}: is the folder of --out, too; name another --out, or go on with that run: "
            f"`{more}`"
        )


def check_begun(stored: RunConfig, text: str, out: Path) -> None:
    """Raises ValueError where a run that is begun started from something else than what is asked for now."""
    if stored.start != text:
        began = f"from {printable(stored.start)}" if stored.start else "from random weights"
        raise ValueError(
            f"--from {printable(text)}: {out} was begun {began}; leave --from out to continue that run, or name "
            "another --out"
        )


def begin(run: RunFolder, config: RunConfig) -> RunConfig:
    """Keeps what a run that is not begun yet is to start from; returns its settings with the hash of that.

    Raises ValueError as `run_of` does, and where those weights are not for these settings.
    """
    if not config.start or run.begun:
        return config
    check_apart(config.start, run.root)
    origin = run_of(config.start)
    found = model_hash(origin)
    if config.start_hash not in ("", found):
        raise ValueError(
            f"start = {printable(config.start)}: holds the model {found}, and these settings are for "
            f"{printable(config.start_hash, 60)}; name the run that has it, or leave start_hash out"
        )
    config = replace(config, start_hash=found)
    check_weights_fit(config, stored_config(origin.settings))
    _keep(run, config, origin)
    return config


def origin_of(run: RunFolder, config: RunConfig) -> RunFolder:
    """The copy that a run started from. Raises ValueError where it is gone, and can be made no more."""
    kept = RunFolder(run.checkpoints / KEPT)
    if not _holds(kept, config.start_hash):
        try:
            origin = run_of(config.start)
            _keep(run, config, origin)
        except ValueError as error:
            raise ValueError(
                f"{kept.root}: gone or damaged, and this run starts from it; restore it, or the model "
                f"{config.start_hash} at {printable(config.start)} ({error})"
            ) from error
    return kept


def start_tokenizer(run: RunFolder, config: RunConfig) -> Tokenizer:
    """The tokenizer that a run starts from, with the context that its weights have.

    Raises ValueError as `origin_of` does.
    """
    origin = origin_of(run, config)
    record = origin.state()["tokenizer"]
    return read_tokenizer(origin, int(record["metrics"]["context"]), record.get("sha256"))[0]


def _keep(run: RunFolder, config: RunConfig, origin: RunFolder) -> None:
    kept = RunFolder(run.checkpoints / KEPT)
    if _holds(kept, config.start_hash):
        return
    if kept.root.exists():
        atomic.remove(kept.root)
    kept.root.parent.mkdir(parents=True, exist_ok=True)
    with new_folder(kept.root) as folder:
        copy_model(origin, folder, origin.stages)
        if not _holds(RunFolder(folder), config.start_hash):
            raise ValueError(
                f"{origin.root}: holds another model than {config.start_hash} (it has changed meanwhile); start a new "
                "run from it, with another --out"
            )


def _holds(run: RunFolder, model: str) -> bool:
    try:
        return model_hash(run) == model
    except (OSError, ValueError):
        return False
