"""`unclip evaluate`: the scores of a finished run, as a table and as JSON."""

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from unclip.cli.arguments.device import on_device
from unclip.cli.arguments.model import Run, chosen, open_model
from unclip.cli.arguments.options import SEED, FeatureNets, JudgeRuns, ReadOptions
from unclip.cli.arguments.output import check_file
from unclip.cli.errors import guarded
from unclip.cli.screen.exact_table import exact_table, is_exact
from unclip.cli.screen.prior_table import ways_table
from unclip.data.layouts.kinds import Split
from unclip.figures.score_rows import rows, side_by_side

if TYPE_CHECKING:
    from rich.console import Group
    from rich.table import Table

    from unclip.studies.priors.trace import Trace

CURVE = "rate_distortion"
"""Of the scores, the one that is drawn instead of printed."""


@Parameter(name="*")
@dataclass(frozen=True)
class Judged(ReadOptions):
    """Which images a run is judged on, how they are read, and by whom."""

    split: Annotated[
        Split,
        Parameter(
            help="Of the run's images, and of data with splits: test to publish, validation to decide by, or train."
        ),
    ] = "test"
    features: FeatureNets = ()
    judge: JudgeRuns = ()


@guarded
@on_device
def evaluate(
    run: Run = None,
    *,
    data: Annotated[
        str | None, Parameter(help="Captioned images; `shapes`: the exact score. Default: the run's own test split.")
    ] = None,
    how: Judged = Judged(),
    n: Annotated[int, Parameter(name="-n", help="Images to generate (with shapes: a category).")] = 256,
    seed: Annotated[int, Parameter(help=SEED)] = 0,
    bpd: Annotated[bool, Parameter(help="ddpm, vae, flow: bits/dim, by two ways.", negative="")] = False,
    bpd_pictures: Annotated[int, Parameter(help="Images for --bpd; what costs most takes an eighth of them.")] = 512,
    trace: Annotated[
        bool, Parameter(help="unclip: the same with parts replaced, to see which stage errors come from.", negative="")
    ] = False,
    json: Annotated[Path | None, Parameter(help="Where to write the scores, too.")] = None,
) -> None:
    """Score a finished run on images that it was not trained on.

    Writes RUN/evaluation/SPLIT/report.html, with plots and images, and scores.json;
    of a model that ships with unclip to runs/box/NAME.
    """
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
    from unclip.studies.scores import write_page

    if json is not None:
        check_written(json)
    asked = Scoring(n, seed, bpd_pictures if bpd else 0, how.split, how.features, how.judge)
    console, run, page = stdout(), chosen(run), None
    about = {"run": str(run), "data": data, "split": how.split, "n": n, "seed": seed}
    with waiting(f"loading {run}", console) as say:
        model = open_model(run, ImageModel)
        about |= {"model": model.hash, "unclip": unclip.__version__}
        say("scoring")
        if trace:
            parts = traced(run, data, n, seed)
            scores, about = parts.ways, about | {"paired": parts.paired}
            shown = ways_table(scores, parts.paired)
        else:
            source = None if data is None else open_again(data, settings_of(RunFolder(run)), how.split, how)
            found = score(model, RunFolder(run), source, asked)
            scores, page = found.scores, write_page(pages(run) / how.split, about, found)
            shown = table(scores)
    console.print(shown)
    plot = plot_rate_distortion(scores[CURVE], run) if CURVE in scores else None
    for path in filter(None, (page, plot)):
        console.print(f"wrote {path}")
    if json is not None:
        write_atomic(json, to_json({**about, "scores": scores}))


def pages(run: Path) -> Path:
    """Where the pages of a run's evaluations go: into its folder, unless it ships with unclip."""
    from unclip.runs.folder import RunFolder

    folder = RunFolder(run)
    return Path("runs") / "box" / run.name / "evaluation" if folder.sealed else folder.evaluation


def traced(run: Path, data: str | None, n: int, seed: int) -> "Trace":
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
    """Judges, and nearness to training images, in columns; others as rows; exact scores in tables of their own."""
    from rich.console import Group

    if is_exact(scores):
        return exact_table(scores)
    compared = {name: metrics for name, metrics in scores.items() if isinstance(metrics, Mapping) and "kid" in metrics}
    copies = scores.get("copies", {})
    beside = [
        columns(group) for group in (compared, copies) if group and all(isinstance(m, Mapping) for m in group.values())
    ]
    others = {name: metrics for name, metrics in scores.items() if name not in compared and name != "copies"}
    return Group(*(part for sheet in beside for part in (sheet, "")), plain(others))


def columns(groups: Mapping[str, Mapping[str, Any]]) -> "Table":
    """A column a group."""
    from rich.table import Table

    head, *body = side_by_side(groups)
    sheet = Table(*head, box=None, pad_edge=False, header_style="dim")
    for row in body:
        sheet.add_row(*row)
    return sheet


def plain(scores: Mapping[str, Any]) -> "Table":
    """A row a figure."""
    from rich.table import Table

    sheet, found = Table("", "score", "value", box=None, pad_edge=False, header_style="dim"), list(rows(scores))
    for row, after in itertools.zip_longest(found, found[1:]):
        sheet.add_row(*row, end_section=after is not None and bool(after[0]))
    return sheet
