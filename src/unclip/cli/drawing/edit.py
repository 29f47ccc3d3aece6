"""`unclip edit` and `unclip extend`: paint a part of an image anew, or beyond its borders."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from unclip.cli.arguments.beside import beside
from unclip.cli.arguments.device import on_device
from unclip.cli.arguments.metadata import signing
from unclip.cli.arguments.model import Run, chosen, open_model
from unclip.cli.arguments.options import FIRST_SEED, NEGATIVE
from unclip.cli.arguments.output import check_folder, slug, write_picture
from unclip.cli.errors import guarded
from unclip.cli.screen.warnings import say, warn

if TYPE_CHECKING:
    from unclip.editing.canvas import Sides
    from unclip.editing.fill import Request
    from unclip.editing.inpaint import Inpainted
    from unclip.generation.text_to_image import TextToImage


@Parameter(name="*")
@dataclass(frozen=True)
class EditOptions:
    """What both commands take."""

    run: Run = None
    n: Annotated[int, Parameter(name="-n", help="Pictures.")] = 4
    seed: Annotated[int, Parameter(help=FIRST_SEED)] = 0
    out: Annotated[Path, Parameter(help="Where the images go.")] = Path("out")
    steps: Annotated[int | None, Parameter(help="Denoising steps.")] = None
    guidance: Annotated[float | None, Parameter(help="How closely to follow the prompt; 1 is none.")] = None
    negative: Annotated[str | None, Parameter(help=NEGATIVE)] = None
    size: Annotated[
        int | None,
        Parameter(help="Paint at this size, px, of those the run draws; by default as IMAGE has pixels for."),
    ] = None
    method: Annotated[
        Literal["auto", "model", "repaint"],
        Parameter(
            help="model: what `unclip add inpaint` trained; repaint: the decoder alone, slower; auto: what is there."
        ),
    ] = "auto"

    def request(self, prompt: str) -> "Request":
        """As the pipeline takes it."""
        from unclip.editing.fill import Request
        from unclip.generation.settings import Settings

        said = {"steps": self.steps, "guidance": self.guidance, "negative": self.negative, "size": self.size}
        settings = Settings.from_dict(said, "")
        return Request(prompt, self.n, self.seed, settings, self.method)


@Parameter(name="*")
@dataclass(frozen=True)
class GrowthOptions:
    """By how much an image grows."""

    by: Annotated[float | None, Parameter(help="Each side, by this share of the image's, as 0.5.")] = None
    left: Annotated[float | None, Parameter(help="One side; wins over --by.")] = None
    right: Annotated[float | None, Parameter(help="As --left.")] = None
    up: Annotated[float | None, Parameter(help="As --left.")] = None
    down: Annotated[float | None, Parameter(help="As --left.")] = None

    def sides(self) -> "Sides":
        """As the pipeline takes it."""
        from unclip.editing.canvas import Sides

        every = self.by or 0.0
        return Sides(*(every if side is None else side for side in (self.left, self.right, self.up, self.down)))


@guarded
@signing
@beside
@on_device
def edit(
    image: Annotated[Path, Parameter(help="The image.")],
    prompt: Annotated[
        str, Parameter(help="What the whole image shows when it is done; without one its own embedding leads.")
    ] = "",
    /,
    *,
    how: EditOptions = EditOptions(),
    mask: Annotated[
        Path | None,
        Parameter(help="An image of the same size, white where to paint; without one, where IMAGE is transparent."),
    ] = None,
) -> None:
    """Paint a part of an image anew; every pixel outside the mask is kept."""
    from unclip.editing.inpaint import fill_hole

    request = how.request(prompt)
    with open_for_edit(how, image, prompt) as model:
        show(fill_hole(model, image, mask, request, print_note), f"{image.stem}-edit", how.out)


@guarded
@signing
@beside
@on_device
def extend(
    image: Annotated[Path, Parameter(help="The image.")],
    prompt: Annotated[
        str, Parameter(help="What the larger image shows; without one the image's own embedding leads.")
    ] = "",
    /,
    *,
    how: EditOptions = EditOptions(),
    growth: GrowthOptions = GrowthOptions(),
) -> None:
    """Paint on beyond the borders of an image, which is kept as it is."""
    from unclip.editing.inpaint import grow

    sides, request = growth.sides(), how.request(prompt)
    with open_for_edit(how, image, prompt) as model:
        show(grow(model, image, sides, request, print_note), f"{image.stem}-extend", how.out)


@contextmanager
def open_for_edit(how: EditOptions, image: Path, prompt: str) -> "Iterator[TextToImage]":
    """The run's model; warns of a prompt that it cannot read. Raises ValueError for another kind of model."""
    check_folder(how.out)
    from unclip.cli.screen.console import stdout
    from unclip.cli.screen.waiting import waiting
    from unclip.generation.text_to_image import TextToImage

    console, run = stdout(), chosen(how.run, [image])
    with waiting(f"loading {run}", console) as tell:
        model = open_model(run, TextToImage)
        warn(console, model, [text for text in (prompt, how.negative or "") if text.strip()])
        tell("painting")
        yield model


def print_note(note: str) -> None:
    """A note before the painting begins."""
    from unclip.cli.screen.console import stdout

    say(stdout(), note)


def show(painted: "Inpainted", stem: str, out: Path) -> None:
    """Writes what was painted and tells the paths."""
    from unclip.cli.screen.console import stdout

    console = stdout()
    for path in write(painted, slug(stem), out):
        console.print(str(path))


def write(painted: "Inpainted", stem: str, out: Path) -> Iterable[Path]:
    """Writes a PNG a seed, then a sheet: original, mask, results; yields the paths."""
    from unclip.images.files import KEY

    names = [f"{stem}-{picture.info[KEY]['seed']}" for picture in painted.images]
    for picture, name in zip([*painted.images, painted.sheet()], [*names, stem], strict=True):
        yield write_picture(picture, out, name)
