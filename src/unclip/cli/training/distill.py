"""`unclip distill`: a finished run that draws in one to four steps."""

from typing import Annotated

from cyclopts import Parameter

from unclip.cli.arguments.device import on_device
from unclip.cli.arguments.model import OwnRun
from unclip.cli.errors import guarded

LEAST = 30.0
"""Seconds below which nothing comes of it."""


@guarded
@on_device
def distill(
    run: Annotated[OwnRun, Parameter(help="A finished run folder, of --model unclip or ddpm.")],
    /,
    *,
    budget: Annotated[str | None, Parameter(help="Time for it, with its unit. Example: --budget 10m")] = None,
    set: Annotated[
        list[str] | None,
        Parameter(help="A setting, as distilled.train.batch=16; may be repeated.", negative="", consume_multiple=False),
    ] = None,
    restart: Annotated[
        bool, Parameter(help="Distil it again from nothing; the old one stays until then.", negative="")
    ] = False,
) -> None:
    """Teach a finished run to draw in one to four steps; from then on `unclip generate` does.

    Ctrl-C saves and ends; the same command continues. Example: unclip distill runs/mine --budget 10m
    """
    from unclip.cli.training.add import train_added
    from unclip.core.config.duration import length
    from unclip.core.disk import store
    from unclip.generation.distilled import STAGE
    from unclip.runs.folder import RunFolder

    folder = RunFolder(run)
    folder.require()
    if budget is not None and (given := length(budget, "--budget")) < LEAST:
        raise ValueError(
            f"--budget {budget}: {given:g} s are too few to learn anything; give {LEAST:g}s at least, 10m do well"
        )
    if not restart and STAGE in folder.state() and store.exists(run / STAGE):
        raise ValueError(f"{run}: is distilled already; draw with it, or distil it again with --restart")
    raise SystemExit(train_added(run, STAGE, budget, set or [], restart))
