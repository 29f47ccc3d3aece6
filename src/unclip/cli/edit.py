"""`unclip edit` and `unclip extend`: paint a part of a picture anew, or beyond its borders."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter

from unclip.cli.generate import free_name, slug
from unclip.cli.guard import guarded
from unclip.cli.warn import say, warn

if TYPE_CHECKING:
    from unclip.pipeline.inpaint import Painted
    from unclip.pipeline.text_to_image import TextToImage

Method = Annotated[
    Literal["auto", "model", "repaint"],
    Parameter(
        help="model: the stage of `unclip add inpaint`; repaint: the decoder alone, slower; auto: what is there."
    ),
]
Run = Annotated[Path, Parameter(help="A finished run folder.")]
Number = Annotated[int, Parameter(name="-n", help="Pictures.")]
Seed = Annotated[int, Parameter(help="Of the first picture; the next ones count up.")]
Out = Annotated[Path, Parameter(help="Where the pictures go.")]
Steps = Annotated[int | None, Parameter(help="Denoising steps.")]
Guidance = Annotated[float | None, Parameter(help="How closely to follow the prompt; 1 is none.")]


@guarded
def edit(
    image: Annotated[Path, Parameter(help="The picture.")],
    prompt: Annotated[
        str, Parameter(help="What the whole picture shows when it is done; without one its own embedding leads.")
    ] = "",
    /,
    *,
    run: Run,
    mask: Annotated[
        Path | None,
        Parameter(help="A picture of the same size, white where to paint; without one, where IMAGE is transparent."),
    ] = None,
    n: Number = 4,
    seed: Seed = 0,
    out: Out = Path("out"),
    steps: Steps = None,
    guidance: Guidance = None,
    method: Method = "auto",
) -> None:
    """Paint a part of a picture anew; every pixel outside the mask is kept."""
    from unclip.pipeline.inpaint import edit as paint
    from unclip.pipeline.painter import Request
    from unclip.pipeline.settings import Settings

    request = Request(prompt, n, seed, Settings(steps=steps, guidance=guidance), method)
    show(paint(opened(run, prompt), image, mask, request), f"{image.stem}-edit", out)


@guarded
def extend(
    image: Annotated[Path, Parameter(help="The picture.")],
    prompt: Annotated[
        str, Parameter(help="What the larger picture shows; without one the picture's own embedding leads.")
    ] = "",
    /,
    *,
    run: Run,
    by: Annotated[float | None, Parameter(help="Share of its side that each side grows by, as 0.5.")] = None,
    left: Annotated[float | None, Parameter(help="The same for one side; wins over --by.")] = None,
    right: Annotated[float | None, Parameter(help="As --left.")] = None,
    up: Annotated[float | None, Parameter(help="As --left.")] = None,
    down: Annotated[float | None, Parameter(help="As --left.")] = None,
    n: Number = 4,
    seed: Seed = 0,
    out: Out = Path("out"),
    steps: Steps = None,
    guidance: Guidance = None,
    method: Method = "auto",
) -> None:
    """Paint on beyond the borders of a picture, which is kept as it is."""
    from unclip.pipeline.inpaint import Sides
    from unclip.pipeline.inpaint import extend as paint
    from unclip.pipeline.painter import Request
    from unclip.pipeline.settings import Settings

    sides = Sides(*((by or 0.0) if share is None else share for share in (left, right, up, down)))
    request = Request(prompt, n, seed, Settings(steps=steps, guidance=guidance), method)
    show(paint(opened(run, prompt), image, sides, request), f"{image.stem}-extend", out)


def opened(run: Path, prompt: str) -> "TextToImage":
    """The run's model; warns of a prompt that it cannot read. Raises ValueError where it is no text-to-image model."""
    from rich.console import Console

    from unclip.pipeline.load import load
    from unclip.pipeline.text_to_image import TextToImage

    model = load(run)
    if not isinstance(model, TextToImage):
        raise ValueError(f"{run}: a plain DDPM cannot be told what to paint; use a text-to-image run")
    warn(Console(soft_wrap=True, highlight=False), model, [prompt] if prompt.strip() else [])
    return model


def show(painted: "Painted", stem: str, out: Path) -> None:
    """Writes what was painted and tells the notes and the paths."""
    from rich.console import Console

    console = Console(soft_wrap=True, highlight=False)
    for note in painted.notes:
        say(console, note)
    for path in write(painted, slug(stem), out):
        console.print(str(path), markup=False)


def write(painted: "Painted", stem: str, out: Path) -> Iterable[Path]:
    """Writes a PNG a seed, then a sheet: original, mask, results; yields the paths."""
    from unclip.pipeline.images import KEY, save_png

    names = [f"{stem}-{picture.info[KEY]['seed']}" for picture in painted.pictures]
    for picture, name in zip([*painted.pictures, painted.sheet()], [*names, stem], strict=True):
        path = free_name(out, name, lambda other, mine=picture.info[KEY]: _same(mine, other))
        save_png(picture, path)
        yield path


def _same(mine: dict[str, Any], other: dict[str, Any]) -> bool:
    """Whether two pictures answer the same request."""
    return all(mine.get(key) == other.get(key) for key in ("made", "shown"))
