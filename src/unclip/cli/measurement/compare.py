"""`unclip compare`: two runs on the same captions and seeds, with the error of their difference."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from unclip.cli.arguments.device import on_device
from unclip.cli.arguments.options import SEED, FeatureNets, JudgeRuns
from unclip.cli.arguments.output import check_file
from unclip.cli.errors import guarded
from unclip.data.layouts.kinds import Split
from unclip.figures.score_rows import said

if TYPE_CHECKING:
    from rich.table import Table


@guarded
@on_device
def compare(
    first: Annotated[Path, Parameter(help="A finished run folder.")],
    second: Annotated[Path, Parameter(help="Another one, of the same data at the same size.")],
    /,
    *,
    n: Annotated[int, Parameter(name="-n", help="Held-out captions to draw.")] = 256,
    seed: Annotated[int, Parameter(help=SEED)] = 0,
    split: Annotated[Split, Parameter(help="validation to decide by, test to publish.")] = "validation",
    features: FeatureNets = (),
    judge: JudgeRuns = (),
    json: Annotated[Path | None, Parameter(help="Where to write the figures.")] = None,
) -> None:
    """Compare two finished runs on the same held-out captions and seeds.

    The error is that of the difference: what both share cancels. Example:
    unclip compare runs/a runs/b --judge runs/other
    """
    if json is not None:
        check_file(json, "--json")
    from unclip.cli.screen.console import stdout
    from unclip.cli.screen.waiting import waiting
    from unclip.core.disk.atomic import check_written, write_atomic
    from unclip.core.disk.store import to_json
    from unclip.studies import compare as study

    if json is not None:
        check_written(json)
    console, asked = stdout(), study.CompareRequest(n, seed, split, features, judge)
    with waiting("drawing the same captions with both", console):
        scores = study.compare(first, second, asked)
    console.print(table(scores))
    console.print("difference: second less first; of fewer than 2 standard errors (z) it is none that was measured")
    if json is not None:
        about = {"first": str(first), "second": str(second), "n": n, "seed": seed, "split": split}
        write_atomic(json, to_json({**about, "scores": scores}))


def table(scores: Mapping[str, Mapping[str, Any]]) -> "Table":
    """A row a figure."""
    from rich.table import Table

    sheet = Table("", "first", "second", "difference", "95 %", "z", box=None, pad_edge=False, header_style="dim")
    for name, row in scores.items():
        both = [said(row[which]) if which in row else "" for which in ("first", "second")]
        difference = row["difference"]
        ends = f"{difference['low']:.3g} to {difference['high']:.3g}"
        sheet.add_row(name, *both, said(difference), ends, f"{row['z']:+.1f}")
    return sheet
