"""`unclip compare`: runs on the same held-out images: two by their difference, several families in one table."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from unclip.cli.arguments.device import on_device
from unclip.cli.arguments.model import OwnRun
from unclip.cli.arguments.options import SEED, FeatureNets, JudgeRuns
from unclip.cli.arguments.output import check_file, check_folder, write_picture
from unclip.cli.errors import guarded
from unclip.data.layouts.kinds import Split
from unclip.figures.score_rows import said

if TYPE_CHECKING:
    from rich.table import Table


@guarded
@on_device
def compare(
    first: Annotated[OwnRun, Parameter(help="A finished run folder.")],
    second: Annotated[OwnRun, Parameter(help="Another one, of the same data at the same size.")],
    /,
    *others: Annotated[OwnRun, Parameter(help="More of them, of images alone: ddpm, vae, flow, gan.")],
    n: Annotated[int, Parameter(name="-n", help="Held-out captions to draw.")] = 256,
    seed: Annotated[int, Parameter(help=SEED)] = 0,
    split: Annotated[Split, Parameter(help="validation to decide by, test to publish.")] = "validation",
    features: FeatureNets = (),
    judge: JudgeRuns = (),
    out: Annotated[Path, Parameter(help="Families: where the picture goes.")] = Path("out"),
    json: Annotated[Path | None, Parameter(help="Where to write the figures.")] = None,
) -> None:
    """Compare finished runs on the same held-out images and seeds.

    Two runs: the error is that of the difference, what both share cancels. Runs of several
    families (ddpm, vae, flow, gan), or more than two: what each can do, and a picture. Examples:
    unclip compare runs/a runs/b --judge runs/other
    unclip compare runs/ddpm runs/vae runs/flow runs/gan
    """
    if json is not None:
        check_file(json, "--json")
    check_folder(out)
    from unclip.cli.screen.console import stdout
    from unclip.cli.screen.waiting import waiting
    from unclip.core.disk.atomic import check_written, write_atomic
    from unclip.core.disk.store import to_json
    from unclip.studies import compare as study

    if json is not None:
        check_written(json)
    console, asked = stdout(), study.CompareRequest(n, seed, split, features, judge)
    roots, about = [first, second, *others], {"n": n, "seed": seed, "split": split}
    with waiting("loading", console) as say:
        families = study.of_families(roots)
        say("drawing the same captions with all of them")
        if families:
            scores, picture = study.beside(roots, asked)
        else:
            scores, picture = study.compare(first, second, asked), None
    if picture is None:
        console.print(table(scores))
        console.print("difference: second less first; of fewer than 2 standard errors (z) it is none that was measured")
        about |= {"first": str(first), "second": str(second)}
    else:
        console.print(family_table(scores))
        console.print(str(write_picture(picture, out, "families")))
    if json is not None:
        write_atomic(json, to_json({**about, "scores": scores}))


def family_table(scores: Mapping[str, Mapping[str, Any]]) -> "Table":
    """A column a run, a row a figure."""
    from rich.table import Table

    from unclip.studies.families.study import said

    names = list(dict.fromkeys(name for run in scores.values() for name in run))
    sheet = Table("", *scores, box=None, pad_edge=False, header_style="dim")
    for name in names:
        sheet.add_row(name, *(said(run.get(name, "")) for run in scores.values()))
    return sheet


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
