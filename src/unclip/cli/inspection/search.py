"""`unclip search`: the run's own images that are nearest to words, or to an image."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from unclip.cli.arguments.device import on_device
from unclip.cli.arguments.metadata import signing
from unclip.cli.arguments.model import Run, chosen, open_model
from unclip.cli.arguments.output import check_folder, slug, write_picture
from unclip.cli.errors import guarded
from unclip.cli.screen.warnings import warn, warn_size

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.table import Table


@guarded
@signing
@on_device
def search(
    query: Annotated[str, Parameter(help="Words, or an image file.")],
    /,
    *,
    run: Run = None,
    n: Annotated[int, Parameter(name="-n", help="How many.")] = 8,
    out: Annotated[Path, Parameter(help="Where the sheet goes.")] = Path("out"),
) -> None:
    """Find the images of a run's data that are nearest to words; to an image, the nearest images and captions."""
    check_folder(out)
    from PIL import Image

    import unclip
    from unclip.cli.screen.console import stdout
    from unclip.data.prepare.write import load_prepared
    from unclip.generation.captioned import CaptionedModel
    from unclip.images.files import KEY, grid
    from unclip.images.read import ImageInput
    from unclip.latents.search import captions_near, embed_query, nearest_rows, read_query
    from unclip.runs.embeddings import data_folder, run_embeddings

    model, console = open_model(chosen(run, [Path(query)]), CaptionedModel), stdout()
    wanted = read_query(model, query, **model.look)
    seen = isinstance(wanted, ImageInput)
    if seen:
        warn_size(console, wanted)
    else:
        warn(console, model, [query])
    vector, folder = embed_query(model, wanted), data_folder(model.folder)
    prepared = load_prepared(folder.data)
    every = run_embeddings(folder, model.clip, prepared, model.device, model.precision)
    found = nearest_rows(vector, every, n)
    rows = [(f"{f.cosine:.3f}", prepared.captions[f.row][0], prepared.keys[f.row]) for f in found]
    console.print(_table("cosine", "caption of the image", "image", rows=rows))
    if seen:
        captions = sorted({texts[0] for texts in prepared.captions})
        near = [(f"{cosine:.3f}", caption) for caption, cosine in captions_near(model, vector, captions, n)]
        console.print(_table("cosine", "caption", rows=near))
    labels = [f"{cosine} {caption}" for cosine, caption, _ in rows]
    sheet = grid([[Image.fromarray(prepared.images[f.row])] for f in found], labels, max(1, 96 // prepared.size))
    made = {"command": "search", "of": [query], "options": {"n": n}}
    by = {"model": model.hash, "stages": model.stages.hashes(["clip"]), "unclip": unclip.__version__}
    sheet.info[KEY] = {"made": made, **by}
    stem = slug(Path(query).stem if seen else query)
    console.print(str(write_picture(sheet, out, f"search-{stem}")))


def _table(*heads: str, rows: "Sequence[Sequence[str]]") -> "Table":
    from rich.table import Table

    from unclip.core.shown import printable

    table = Table(*heads, box=None, pad_edge=False, header_style="dim")
    for row in rows:
        table.add_row(*map(printable, row))
    return table
