"""Training a finished run on: what was added to its time, and where each stage goes on from.

A further training is a record of its own in state.json, written in the same step that takes the notes of the stages'
ends back; so a run that is stopped on the way knows that it is being trained on, and from which step of each stage.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from unclip.core.disk import store
from unclip.recipes.events import Event, Note
from unclip.recipes.settings.run import RunConfig
from unclip.runs.folder import RunFolder

MORE = "more"
"""What the record is called."""


@dataclass(frozen=True)
class End:
    """What a stage had behind it when a further training began."""

    steps: int
    seconds: float


@dataclass(frozen=True)
class More:
    """added: seconds over all further trainings; last: of the last one, or the present one; ends: by stage."""

    added: float
    last: float
    ends: dict[str, End]


def further(run: RunFolder) -> More | None:
    """The last further training of a run, done or not; None where it had none."""
    record = run.state().get(MORE)
    if record is None:
        return None
    found = {name: float(value or 0) for name, value in record["metrics"].items()}
    names = [name.removesuffix("_steps") for name in found if name.endswith("_steps")]
    ends = {name: End(int(found[f"{name}_steps"]), found.get(f"{name}_seconds", 0.0)) for name in names}
    return More(found.get("added", 0.0), found.get("last", 0.0), ends)


def check_more(run: RunFolder, config: RunConfig, seconds: float | None) -> None:
    """Raises ValueError that says what to do where a run cannot be trained on for so long: it is unfinished or damaged,
    or is being trained on already. seconds: None where nothing was asked for."""
    if seconds is None:
        return
    state, before = run.state(), further(run)
    missing = [name for name in config.stages if name not in state]
    if before is not None and missing and seconds != before.last:
        raise ValueError(
            f"--more: {run.root} is being trained on already, {_told(before.last)}; the command without --more "
            "continues that, then --more adds to it"
        )
    if before is None and missing:
        raise ValueError(_unfinished(run, config, missing[0]))
    for name in () if missing else config.stages:
        try:
            store.check(run.root / name)
        except store.Damaged as error:
            raise ValueError(f"{error} (without --more; then --more trains on)") from error


def _unfinished(run: RunFolder, config: RunConfig, missing: str) -> str:
    if not run.begun:
        return f"--more: {run.root} holds no finished run; leave it out to train one"
    failed = [name for name in config.stages if not run.state().get(name, {"passed": True})["passed"]]
    force = f" (with --force, for the stage {failed[0]!r} did not pass)" if failed else ""
    return (
        f"--more: {run.root} is not a finished run, the stage {missing!r} is missing; the command without --more "
        f"continues it{force}, then --more trains on"
    )


def train_on(run: RunFolder, config: RunConfig, seconds: float | None) -> Iterator[Event]:
    """Opens the stages of a finished run for so many seconds more, where `check_more` has nothing against it; or tells
    of a further training that is under way."""
    state, before = run.state(), further(run)
    if any(name not in state for name in config.stages):
        if before is not None:
            yield Note(MORE, f"goes on with the {_told(before.last)} that were asked for")
        return
    if seconds is None:
        return
    _open(run, config, seconds, before)
    yield Note(MORE, f"trains on, {_told(seconds)}: each stage has its share of them, and a new cooldown")
    added = [name for name in config.added if name in state]
    if added:
        yield Note(MORE, f"what was added to the run fits it as it was; add it again afterwards: {', '.join(added)}")


def _open(run: RunFolder, config: RunConfig, seconds: float, before: More | None) -> None:
    state = run.state()
    metrics = {"added": seconds + (before.added if before else 0.0), "last": seconds}
    for name in config.stages:
        metrics |= {f"{name}_{what}": float(state[name]["metrics"].get(what) or 0) for what in ("steps", "seconds")}
    record = {"passed": True, "why": f"{_told(metrics['added'])} after the first training", "metrics": metrics}
    run.reopen(*config.stages, **{MORE: record})


def _told(seconds: float) -> str:
    return f"{seconds / 60:.3g} minutes more" if seconds >= 120 else f"{seconds:.3g} seconds more"
