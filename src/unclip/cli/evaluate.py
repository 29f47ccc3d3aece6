"""`unclip evaluate`: the scores of a finished run, as a table and as JSON."""

import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from unclip.cli.guard import guarded

if TYPE_CHECKING:
    from rich.table import Table

    from unclip.pipeline.text_to_image import TextToImage


@guarded
def evaluate(
    run: Annotated[Path, Parameter(help="A finished run folder.")],
    /,
    *,
    data: Annotated[
        str | None, Parameter(help="Captioned pictures; `shapes`: the exact score. Default: the run's held-out pairs.")
    ] = None,
    split: Annotated[str, Parameter(help="train or validation, where the data has splits.")] = "validation",
    n: Annotated[int, Parameter(name="-n", help="Pictures to generate (with shapes: a category).")] = 256,
    seed: Annotated[int, Parameter(help="Of the generated pictures.")] = 0,
    json: Annotated[Path | None, Parameter(help="Where to write the scores.")] = None,
) -> None:
    """Score a finished run on pairs that it was not trained on."""
    if n < 2:
        raise ValueError(f"-n {n}: a score needs at least 2 pictures")
    from rich.console import Console

    import unclip
    from unclip.core.store import to_json, write_atomic
    from unclip.pipeline.load import load

    model = load(run)
    scores = score(model, run, data, split, n, seed)
    about = {"run": str(run), "model": model.hash, "data": data, "n": n, "seed": seed, "unclip": unclip.__version__}
    Console().print(table(scores))
    if json is not None:
        write_atomic(json, to_json({**about, "scores": scores}))


def score(model: "TextToImage", run: Path, data: str | None, split: str, n: int, seed: int) -> dict[str, Any]:
    """The scores on `data`; on the data of the run itself, on those pairs only that it held out."""
    from unclip.cli.opening import is_same_data, open_data
    from unclip.data.prepare import load_prepared, prepare
    from unclip.data.shapes_world import World
    from unclip.evaluate import suite
    from unclip.pipeline.run_folder import RunFolder
    from unclip.pipeline.text_to_image import there

    folder, size = RunFolder(run), there(model.decoder, "decoder").config.size
    source = open_data(data, size, split) if data is not None else None
    if isinstance(source, World):
        return suite.evaluate_shapes(model, source, n, seed)
    if source is None or is_same_data(source, folder.data):
        prepared = load_prepared(folder.data)
        return suite.evaluate(model, prepared, held_out(model, folder.root), n, seed)
    with tempfile.TemporaryDirectory() as place:
        prepared = prepare(source, Path(place), size, max_bad=1.0)
        return suite.evaluate(model, prepared, _all(len(prepared)), n, seed)


def _all(n: int) -> Any:
    import numpy as np

    return np.arange(n)


def held_out(model: "TextToImage", root: Path) -> Any:
    """The rows of a run's data that it did not train on."""
    from unclip.data.prepare import load_prepared
    from unclip.pipeline.run_folder import RunFolder
    from unclip.recipes.config import RunConfig, read_settings
    from unclip.recipes.context import Context

    run = RunFolder(root)
    config = RunConfig.from_dict(read_settings(run.settings), str(run.settings))
    context = Context(run, config, load_prepared(run.data), model.tokenizer, model.device, model.precision)
    return context.split[1]


def table(scores: Mapping[str, Any]) -> "Table":
    """Groups of figures as a table; exact scores as percent with their standard errors."""
    from rich.table import Table

    sheet = Table("", "score", "value", box=None, pad_edge=False, header_style="dim")
    for group, figures in scores.items():
        rows = list(_rows(figures if isinstance(figures, Mapping) else {"": figures}))
        for i, (name, value) in enumerate(rows):
            sheet.add_row(group if i == 0 else "", name, value, end_section=i == len(rows) - 1)
    return sheet


def _rows(figures: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for name, value in figures.items():
        if isinstance(value, Mapping) and "fraction" in value:
            if value["n"]:
                yield prefix + name, f"{value['fraction']:6.1%} ± {value['error']:.1%}"
        elif isinstance(value, Mapping):
            yield from _rows(value, f"{prefix}{name}.")
        else:
            yield prefix + name, f"{value:,.4g}" if isinstance(value, float) else f"{value}"
