"""`unclip evaluate`: the scores of a finished run, as a table and as JSON."""

import tempfile
from collections.abc import Iterator, Mapping, Sequence, Sized
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from unclip.cli.arguments.device import on_device
from unclip.cli.arguments.model import open_model
from unclip.cli.arguments.options import SEED, Read
from unclip.cli.arguments.output import check_file
from unclip.cli.errors import guarded
from unclip.cli.screen.prior_table import ways_table

if TYPE_CHECKING:
    from rich.table import Table

    from unclip.data.prepare.write import Prepared
    from unclip.data.source import Source
    from unclip.recipes.context import Context
    from unclip.recipes.settings.run import RunConfig

CURVE = "rate_distortion"
"""Of the scores, the one that is drawn instead of printed."""
FLOW_SHARE = 8
"""The ODE is taken over the first of so many parts of the pictures: it costs most."""


@Parameter(name="*")
@dataclass(frozen=True)
class Judged(Read):
    """How the data are read that a run is judged on."""

    split: Annotated[str, Parameter(help="train or validation, where the data has splits.")] = "validation"


@guarded
@on_device
def evaluate(
    run: Annotated[Path, Parameter(help="A finished run folder.")],
    *,
    data: Annotated[
        str | None, Parameter(help="Captioned pictures; `shapes`: the exact score. Default: the run's held-out pairs.")
    ] = None,
    how: Judged = Judged(),
    n: Annotated[int, Parameter(name="-n", help="Pictures to generate (with shapes: a category).")] = 256,
    seed: Annotated[int, Parameter(help=SEED)] = 0,
    bpd: Annotated[bool, Parameter(help="ddpm: bits/dim, by the bound and the ODE.", negative="")] = False,
    bpd_pictures: Annotated[int, Parameter(help="Pictures for --bpd; the ODE takes an eighth of them.")] = 512,
    trace: Annotated[
        bool, Parameter(help="unclip: the same with parts replaced, to see which stage errors come from.", negative="")
    ] = False,
    json: Annotated[Path | None, Parameter(help="Where to write the scores.")] = None,
) -> None:
    """Score a finished run on pictures that it was not trained on."""
    if n < 2:
        raise ValueError(f"-n {n}: a score needs at least 2 pictures")
    if bpd_pictures < 2:
        raise ValueError(f"--bpd-pictures {bpd_pictures}: a standard error needs at least 2 pictures")
    if json is not None:
        check_file(json, "--json")
    import unclip
    from unclip.cli.screen.console import stdout
    from unclip.cli.screen.waiting import waiting
    from unclip.core.disk.atomic import check_written, write_atomic
    from unclip.core.disk.store import to_json
    from unclip.generation.base import ImageModel

    if json is not None:
        check_written(json)
    console = stdout()
    with waiting(f"loading {run}", console) as say:
        model = open_model(run, ImageModel)
        say("scoring")
        if trace:
            scores = traced(run, data, n, seed)
        else:
            scores = score(model, run, data, how, Asked(n, seed, bpd_pictures if bpd else 0))
    about = {"run": str(run), "model": model.hash, "data": data, "n": n, "seed": seed, "unclip": unclip.__version__}
    console.print(ways_table(scores) if trace else table({k: v for k, v in scores.items() if k != CURVE}))
    if CURVE in scores and (path := drawn(scores[CURVE], run)):
        console.print(f"drew {path}")
    if json is not None:
        write_atomic(json, to_json({**about, "scores": scores}))


@dataclass(frozen=True)
class Asked:
    """n: pictures to generate; bpd: pictures to take bits/dim over (0: none)."""

    n: int
    seed: int
    bpd: int = 0


def score(model: Any, run: Path, data: str | None, how: Judged, asked: Asked) -> dict[str, Any]:
    """The scores on `data`; on the data of the run itself, on those pictures only that it held out."""
    from unclip.cli.arguments.data import open_again
    from unclip.data.shapes.world import drawn_world
    from unclip.evaluation import suite
    from unclip.generation.ddpm import DDPMPipeline
    from unclip.generation.text_to_image import TextToImage
    from unclip.recipes.settings.run import RunConfig
    from unclip.runs.folder import RunFolder

    plain = isinstance(model, DDPMPipeline)
    if asked.bpd and not plain:
        raise ValueError(f"--bpd: {run} holds a text-to-image model; bits/dim are those of a run of --model ddpm")
    captioned = not plain or bool(model.classes)
    source = None
    if data is not None:
        kept = config_of(run) if RunFolder(run).settings.exists() else RunConfig()
        source = open_again(data, kept, how.split, how)
        if not plain and (world := drawn_world(source, model.size)) is not None:
            return suite.evaluate_shapes(model, world, asked.n, asked.seed)
    stages = model.enlargers if isinstance(model, TextToImage) else ()
    with ExitStack() as stack:
        prepared, rows = stack.enter_context(judged_on(run, source, model.size, captioned))
        check_enough(data or run, rows)
        if plain:
            return score_pictures(model, prepared, rows, asked)
        large = [stack.enter_context(larger(run, source, stage.size)) for stage in stages]
        return score_pairs(model, prepared, rows, asked, large)


def check_enough(where: object, rows: Sized) -> None:
    """Raises ValueError where there are too few pictures for any score."""
    if len(rows) < 2:
        raise ValueError(
            f"{where}: {len(rows)} picture to judge on, and a score needs at least 2; name more with --data FOLDER"
        )


def traced(run: Path, data: str | None, n: int, seed: int) -> dict[str, Any]:
    """Figures of a text-to-image run with parts of it replaced, on its own held-out pairs."""
    from unclip.studies.priors.trace import trace

    if data is not None:
        raise ValueError(f"--trace: looks at the run's own held-out pairs; leave out --data {data}")
    return trace(run, n, seed)


def score_pairs(
    model: Any, prepared: "Prepared", rows: Any, asked: Asked, large: "Sequence[tuple[Prepared, Any]]"
) -> dict[str, Any]:
    """Of a text-to-image model, and of its upsamplers on the same captions; large: pictures at their sizes."""
    from unclip.evaluation import suite, upsampling

    scores = suite.evaluate(model, prepared, rows, asked.n, asked.seed)
    if not large:
        return scores
    captions = [prepared.captions[row][0] for row in rows[: min(asked.n, upsampling.PICTURES)]]
    low = suite.generate(model, captions, asked.seed)
    return scores | upsampling.evaluate(model, large, captions, low, asked.seed)


def score_pictures(model: Any, prepared: "Prepared", rows: Any, asked: Asked) -> dict[str, Any]:
    """Of a plain DDPM, with bits/dim where they are asked for."""
    from unclip.evaluation import likelihood, pictures

    scores = pictures.evaluate(model, prepared, rows, asked.n, asked.seed)
    if asked.bpd:
        held = pictures.held_out(model, prepared, rows[: asked.bpd])
        scores |= likelihood.bits(model, *held, flow=max(2, asked.bpd // FLOW_SHARE), seed=asked.seed)
    return scores


@contextmanager
def judged_on(run: Path, source: "Source | None", size: int, captioned: bool) -> "Iterator[tuple[Prepared, Any]]":
    """The prepared pictures and the rows that count: all of another data set, of the run's own the held-out ones."""
    import numpy as np

    from unclip.data.prepare.identity import is_prepared
    from unclip.data.prepare.write import load_prepared, prepare
    from unclip.runs.folder import RunFolder

    own = RunFolder(run).data
    if source is None or is_prepared(source, own, captioned):
        yield load_prepared(own), held_out(run)
    else:
        with tempfile.TemporaryDirectory() as place:
            background = RunFolder(run).background
            prepared = prepare(source, Path(place), size, max_bad=1.0, captioned=captioned, background=background)
            yield prepared, np.arange(len(prepared))


@contextmanager
def larger(run: Path, source: "Source | None", size: int) -> "Iterator[tuple[Prepared, Any]]":
    """As `judged_on`, at the size of an upsampler. Raises ValueError where no held-out picture is so large."""
    import numpy as np

    from unclip.data.prepare.identity import is_prepared
    from unclip.data.prepare.write import prepare
    from unclip.recipes.stages.upsampler import split_at

    ctx = context(run)
    if source is None or is_prepared(source, ctx.folder.data, ctx.config.captioned):
        prepared = replace(ctx, source=source).prepared_at(size)
        yield prepared, split_at(ctx, prepared)[1]
        return
    with tempfile.TemporaryDirectory() as place:
        prepared = prepare(source, Path(place), size, max_bad=1.0, least=size, background=ctx.config.background)  # pyright: ignore[reportArgumentType]
        yield prepared, np.arange(len(prepared))


def held_out(root: Path) -> Any:
    """The rows of a run's data that it did not train on."""
    return context(root).split[1]


def config_of(root: Path) -> "RunConfig":
    """The settings of a run."""
    from unclip.recipes.settings.run import RunConfig, read_settings
    from unclip.runs.folder import RunFolder

    path = RunFolder(root).settings
    return RunConfig.from_dict(read_settings(path), str(path))


def context(root: Path) -> "Context":
    """A run as its stages saw it. Raises ValueError where its data are gone."""
    from unclip.core import machine
    from unclip.data.prepare.write import load_prepared
    from unclip.recipes.context import Context
    from unclip.runs.folder import RunFolder

    run, config = RunFolder(root), config_of(root)
    return Context(run, config, load_prepared(run.data), machine.device(), config.precision)


def drawn(curve: Mapping[str, Any], run: Path) -> Path | None:
    """The rate-distortion curve as a plot in the run's folder, where matplotlib is here."""
    from unclip.figures import plots
    from unclip.runs.folder import RunFolder

    if not plots.available():
        return None
    path = RunFolder(run).plots / "rate-distortion.png"
    plots.rate_curve(curve, path)
    return path


def table(scores: Mapping[str, Any]) -> "Table":
    """Groups of figures as a table; exact scores as percent with their standard errors."""
    from rich.table import Table

    sheet = Table("", "score", "value", box=None, pad_edge=False, header_style="dim")
    for group, figures in scores.items():
        rows = list(_rows(figures if isinstance(figures, Mapping) and "mean" not in figures else {"": figures}))
        for i, (name, value) in enumerate(rows):
            sheet.add_row(group if i == 0 else "", name, value, end_section=i == len(rows) - 1)
    return sheet


def _rows(figures: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for name, value in figures.items():
        if isinstance(value, Mapping) and "fraction" in value:
            if value["n"]:
                yield prefix + name, f"{value['fraction']:6.1%} ± {value['error']:.1%}"
        elif isinstance(value, Mapping) and "mean" in value:
            yield prefix + name, f"{value['mean']:.4f} ± {value['error']:.4f}"
        elif isinstance(value, Mapping):
            yield from _rows(value, f"{prefix}{name}.")
        else:
            yield prefix + name, f"{value:,.4g}" if isinstance(value, float) else f"{value}"
