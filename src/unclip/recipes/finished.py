"""Stages that are finished: whether they are still whole, and what follows where one had to be made again."""

from collections.abc import Iterator

from unclip.core.disk import store
from unclip.recipes.context import Context
from unclip.recipes.events import Event, Gate, Note
from unclip.recipes.stage_run import StageRun
from unclip.runs.embeddings import Interrupted
from unclip.runs.folder import RunFolder


def finished(ctx: Context, name: str) -> Iterator[Event]:
    """Ends with the stage finished and whole, unless it was to stop: it is trained, continued, or only told of.

    One whose files are damaged is made again from its last checkpoint. Where that gives other weights, the stages that
    were trained on the old ones are trained anew, too: they would not fit.
    """
    run, before = ctx.folder, ctx.folder.state().get(name)
    if before is not None:
        try:
            store.check(run.root / name)
        except store.Damaged as error:
            yield Note(name, f"{error}: made again from its last checkpoint")
            run.reopen(name)
        else:
            yield from _early_told(run, name)
            yield Gate(name, before["passed"], before["why"], before["metrics"])
            return
    try:
        yield from StageRun(ctx, name).events()
    except Interrupted:  # before its next step: its last checkpoint, and what is made of the images, are kept
        return
    after = run.state().get(name)
    if before is not None and after is not None and before.get("sha256") != after.get("sha256"):
        yield from _later_forgotten(ctx, name)


def _later_forgotten(ctx: Context, name: str) -> Iterator[Event]:
    stages, state = ctx.config.stages, ctx.folder.state()
    later = [s for s in stages[stages.index(name) + 1 :] if s in state] if name in stages else []
    if later:
        ctx.folder.forget(*later)
        yield Note(name, f"is another one than before, so {' and '.join(later)} are trained anew on it")
    added = [s for s in ctx.config.added if s in state and s != name]
    if added and name in stages:
        yield Note(name, f"is another one than before; train what was added to it again, too: {', '.join(added)}")


def _early_told(run: RunFolder, name: str) -> Iterator[Event]:
    if name != run.drawing:
        return
    try:
        store.check(run.early / name)
    except store.Damaged as error:
        yield Note(
            name, f"{error}; only --guidance-form auto needs these early weights, and no other run can give them"
        )
