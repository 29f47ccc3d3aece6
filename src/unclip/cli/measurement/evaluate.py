"""`unclip evaluate`: the scores of a finished run, as a table and as JSON."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from unclip.cli.arguments.device import on_device
from unclip.cli.arguments.model import open_model
from unclip.cli.arguments.options import SEED, ReadOptions
from unclip.cli.arguments.output import check_file
from unclip.cli.errors import guarded
from unclip.cli.screen.exact_table import exact_table, is_exact
from unclip.cli.screen.prior_table import ways_table
from unclip.data.layouts.kinds import Split

if TYPE_CHECKING:
    from rich.console import Group
    from rich.table import Table


CURVE = "rate_distortion"
"""Of the scores, the one that is drawn instead of printed."""


@Parameter(name="*")
@dataclass(frozen=True)
class Judged(ReadOptions):
    """Which images a run is judged on, and how they are read."""

    split: Annotated[
        Split,
        Parameter(
            help="Of the run's images, and of data with splits: test to publish, validation to decide by, or train."
        ),
    ] = "test"


@guarded
@on_device
def evaluate(
    run: Annotated[Path, Parameter(help="A finished run folder.")],
    *,
    data: Annotated[
        str | None, Parameter(help="Captioned images; `shapes`: the exact score. Default: the run's own test split.")
    ] = None,
    how: Judged = Judged(),
    n: Annotated[int, Parameter(name="-n", help="Images to generate (with shapes: a category).")] = 256,
    seed: Annotated[int, Parameter(help=SEED)] = 0,
    bpd: Annotated[bool, Parameter(help="ddpm: bits/dim, by the bound and the ODE.", negative="")] = False,
    bpd_pictures: Annotated[int, Parameter(help="Images for --bpd; the ODE takes an eighth of them.")] = 512,
    trace: Annotated[
        bool, Parameter(help="unclip: the same with parts replaced, to see which stage errors come from.", negative="")
    ] = False,
    json: Annotated[Path | None, Parameter(help="Where to write the scores.")] = None,
) -> None:
    """Score a finished run on images that it was not trained on."""
    if json is not None:
        check_file(json, "--json")
    import unclip
    from unclip.cli.arguments.data import open_again
    from unclip.cli.screen.console import stdout
    from unclip.cli.screen.waiting import waiting
    from unclip.core.disk.atomic import check_written, write_atomic
    from unclip.core.disk.store import to_json
    from unclip.generation.base import ImageModel
    from unclip.recipes.api.evaluate import Scoring, score, settings_of
    from unclip.runs.folder import RunFolder

    if json is not None:
        check_written(json)
    asked, folder, console = Scoring(n, seed, bpd_pictures if bpd else 0, how.split), RunFolder(run), stdout()
    with waiting(f"loading {run}", console) as say:
        model = open_model(run, ImageModel)
        say("scoring")
        if trace:
            scores = traced(run, data, n, seed)
        else:
            source = None if data is None else open_again(data, settings_of(folder), how.split, how)
            scores = score(model, folder, source, asked)
    about = {"run": str(run), "model": model.hash, "data": data, "n": n, "seed": seed, "unclip": unclip.__version__}
    console.print(ways_table(scores) if trace else table({k: v for k, v in scores.items() if k != CURVE}))
    if CURVE in scores and (path := plot_rate_distortion(scores[CURVE], run)):
        console.print(f"drew {path}")
    if json is not None:
        write_atomic(json, to_json({**about, "scores": scores}))


def traced(run: Path, data: str | None, n: int, seed: int) -> dict[str, Any]:
    """Figures of a text-to-image run with parts of it replaced, on its own held-out pairs."""
    from unclip.studies.priors.trace import trace

    if data is not None:
        raise ValueError(f"--trace: looks at the run's own held-out pairs; leave out --data {data}")
    return trace(run, n, seed)


def plot_rate_distortion(curve: Mapping[str, Any], run: Path) -> Path | None:
    """The rate-distortion curve as a plot in the run's folder, where matplotlib is here."""
    from unclip.figures import plots
    from unclip.runs.folder import RunFolder

    if not plots.available():
        return None
    path = RunFolder(run).plots / "rate-distortion.png"
    plots.rate_curve(curve, path)
    return path


def table(scores: Mapping[str, Any]) -> "Table | Group":
    """Groups of figures as a table; exact scores as tables of their own."""
    from rich.table import Table

    if is_exact(scores):
        return exact_table(scores)
    sheet = Table("", "score", "value", box=None, pad_edge=False, header_style="dim")
    for group, metrics in scores.items():
        rows = list(_rows(metrics if isinstance(metrics, Mapping) and "mean" not in metrics else {"": metrics}))
        for i, (name, value) in enumerate(rows):
            sheet.add_row(group if i == 0 else "", name, value, end_section=i == len(rows) - 1)
    return sheet


def _rows(metrics: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for name, value in metrics.items():
        if isinstance(value, Mapping) and "mean" in value:
            yield prefix + name, f"{value['mean']:.4f} ± {value['error']:.4f}"
        elif isinstance(value, Mapping):
            yield from _rows(value, f"{prefix}{name}.")
        else:
            yield prefix + name, f"{value:,.4g}" if isinstance(value, float) else f"{value}"
