"""`unclip compare-priors`: every way from a caption to an image embedding, trained equally long, on the same pairs."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from unclip.cli.arguments.device import on_device
from unclip.cli.arguments.model import OwnRun
from unclip.cli.arguments.options import SEED
from unclip.cli.arguments.output import check_file
from unclip.cli.errors import guarded
from unclip.cli.screen.prior_table import ways_table


@guarded
@on_device
def compare_priors(
    run: Annotated[OwnRun, Parameter(help="A finished text-to-image run, with its data.")],
    *,
    budget: Annotated[
        str | None,
        Parameter(help="Training for each prior that is missing: 90s, 5m; by default as long as the run's prior had."),
    ] = None,
    n: Annotated[int, Parameter(name="-n", help="Held-out pairs (of drawn shapes: also scenes a category).")] = 200,
    seed: Annotated[int, Parameter(help=SEED)] = 0,
    json: Annotated[Path | None, Parameter(help="Where to write the figures, too.")] = None,
) -> None:
    """Compare the priors of a run: none, text embedding, autoregressive, diffusion, one-step, true embedding.

    Those that are missing are trained first, as `unclip add` does. The figures and
    an image go to RUN/priors. Ctrl-C saves and ends; the same command continues.
    """
    if json is not None:
        check_file(json, "--json")
    from json import loads

    from unclip.cli.screen.console import stdout
    from unclip.cli.screen.progress import follow
    from unclip.core.config.duration import seconds
    from unclip.core.disk.atomic import check_written, write_atomic
    from unclip.core.signals import stopping
    from unclip.runs.folder import RunFolder
    from unclip.studies.priors.study import PriorsRequest, compare
    from unclip.training.trainer import Diverged

    if json is not None:
        check_written(json)
    ask, console = PriorsRequest(None if budget is None else seconds(budget), n, seed), stdout()
    with stopping() as stop:
        try:
            code = follow(compare(run, ask, stop), console, force=True)
        except Diverged as error:
            raise ValueError(str(error)) from error
    if code == 0:
        found = (RunFolder(run).priors / "priors.json").read_text(encoding="utf-8")
        scores = loads(found)
        console.print(ways_table(scores["priors"], scores["paired"]))
        if json is not None:
            write_atomic(json, found)
    raise SystemExit(code)
