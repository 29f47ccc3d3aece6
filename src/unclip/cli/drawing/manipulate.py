"""`unclip vary`, `blend`, `diff`, `invert`, `probe`: what one can do to an image (docs/manipulate.md)."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

import unclip
from unclip.cli.arguments.beside import beside
from unclip.cli.arguments.device import on_device
from unclip.cli.arguments.metadata import signing
from unclip.cli.arguments.model import Run, chosen, open_model
from unclip.cli.arguments.options import FIRST_SEED, SEED
from unclip.cli.arguments.output import check_folder, slug, write_picture
from unclip.cli.errors import guarded
from unclip.cli.screen.warnings import warn, warn_size
from unclip.core.shown import printable

if TYPE_CHECKING:
    from PIL import Image

    from unclip.cli.screen.console import Screen
    from unclip.generation.settings import Settings
    from unclip.generation.text_to_image import TextToImage
    from unclip.images.read import ImageInput
    from unclip.latents.inverted import Inverted

Picture = Annotated[Path, Parameter(help="An image, or the folder that `unclip invert` wrote of one.")]
Count = Annotated[int, Parameter(name="-n", help="Images to make.")]
SHOWN = 5
"""Labels that are printed."""
Prompt = Annotated[str, Parameter(help="A caption for the decoder; by default it sees none.")]


@Parameter(name="*")
@dataclass(frozen=True)
class ManipulateOptions:
    """What all these commands take."""

    run: Run = None
    out: Annotated[Path, Parameter(help="Where the images go.")] = Path("out")
    steps: Annotated[int | None, Parameter(help="DDIM steps; by default 50 with the image's own noise.")] = None
    guidance: Annotated[
        float | None, Parameter(help="1 is none, the default with the image's own noise; more drifts away from it.")
    ] = None

    @property
    def settings(self) -> "Settings":
        """As the pipeline takes it."""
        from unclip.generation.settings import Settings

        return Settings.from_dict({"steps": self.steps, "guidance": self.guidance}, "")


@dataclass(frozen=True)
class Bench:
    """The loaded model, the opened images, and where to tell what was done."""

    model: "TextToImage"
    sources: "Sequence[ImageInput | Inverted]"
    console: "Screen"
    out: Path

    @classmethod
    @contextmanager
    def open(cls, how: ManipulateOptions, pictures: Sequence[Path], prompts: Sequence[str] = ()) -> "Iterator[Bench]":
        """Loads the run and looks at what was given. Raises ValueError for a run of another kind, or a bad image."""
        check_folder(how.out)
        from unclip.cli.screen.console import stdout
        from unclip.cli.screen.waiting import waiting
        from unclip.generation.text_to_image import TextToImage
        from unclip.images.read import ImageInput
        from unclip.latents.invert import read_source

        console, run = stdout(), chosen(how.run, pictures)
        with waiting(f"loading {run}", console) as say:
            model = open_model(run, TextToImage)
            sources = [read_source(model, picture) for picture in pictures]
            for source in sources:
                if isinstance(source, ImageInput):
                    warn_size(console, source)
            warn(console, model, [prompt for prompt in prompts if prompt])
            say("drawing")
            yield cls(model, sources, console, how.out)

    def write(self, pictures: "Sequence[Image.Image]", stem: str) -> Path:
        """Writes each image, then all as one sheet: the original in front, a second at the end. Returns its path."""
        from unclip.images.files import KEY, contact, to_pictures

        names = [picture.info[KEY]["shown"] for picture in pictures]
        for picture, name in zip(pictures, names, strict=True):
            self.save(picture, f"{stem}-{slug(name)}")
        front, *back = (to_pictures(source.images)[0] for source in self.sources)
        labels = ["original", *names, *("original" for _ in back)]
        sheet = contact([front, *pictures, *back], labels)
        sheet.info[KEY] = {name: value for name, value in pictures[0].info[KEY].items() if name != "shown"}
        return self.save(sheet, stem)

    def save(self, picture: "Image.Image", stem: str) -> Path:
        """Writes one image; returns its path."""
        path = write_picture(picture, self.out, stem)
        self.console.print(str(path))
        return path


@guarded
@signing
@beside
@on_device
def vary(
    picture: Picture,
    /,
    *,
    how: ManipulateOptions = ManipulateOptions(),
    n: Count = 4,
    seed: Annotated[int, Parameter(help=FIRST_SEED)] = 0,
    eta: Annotated[float, Parameter(help="Fresh noise in each step: 0 is the image again, 1 as much as DDPM's.")] = 1.0,
    fresh: Annotated[
        bool, Parameter(help="Draw the start from the seed, too, and not from the image.", negative="")
    ] = False,
    prompt: Prompt = "",
) -> None:
    """Draw other images of what CLIP sees in one."""
    with Bench.open(how, [picture], [prompt]) as bench:
        pictures = unclip.vary(bench.model, bench.sources[0], n, seed, eta, fresh, prompt, how.settings)
        bench.write(pictures, f"{_stem(picture)}-vary")


@guarded
@signing
@beside
@on_device
def blend(
    a: Picture,
    b: Picture,
    /,
    *,
    how: ManipulateOptions = ManipulateOptions(),
    n: Count = 7,
    noise: Annotated[
        Literal["slerp", "fixed"], Parameter(help="Interpolated, with the images at the ends; or one for all.")
    ] = "slerp",
    seed: Annotated[int, Parameter(help=SEED)] = 0,
) -> None:
    """Draw the way from one image to another."""
    with Bench.open(how, [a, b]) as bench:
        pictures = unclip.blend(bench.model, bench.sources[0], bench.sources[1], n, noise, seed, how.settings)
        bench.write(pictures, f"{_stem(a)}-{_stem(b)}-blend")


@guarded
@signing
@beside
@on_device
def diff(
    picture: Picture,
    /,
    *,
    how: ManipulateOptions = ManipulateOptions(),
    to: Annotated[str, Parameter(help="What it should show.")],
    before: Annotated[str, Parameter(name="--from", help="What it shows now; by default the empty caption.")] = "",
    n: Count = 6,
    until: Annotated[float, Parameter(help="How far to turn, as a share of the angle to the words' difference.")] = 0.5,
) -> None:
    """Change an image by words: --from "a red heart" --to "a blue heart"."""
    with Bench.open(how, [picture], [before, to]) as bench:
        pictures = unclip.diff(bench.model, bench.sources[0], before, to, n, until, how.settings)
        bench.write(pictures, f"{_stem(picture)}-{slug(to)}")


@guarded
@signing
@beside
@on_device
def invert(picture: Picture, /, *, how: ManipulateOptions = ManipulateOptions(), prompt: Prompt = "") -> None:
    """Find the embedding and the noise that an image is drawn from; says how near it comes when drawn again."""
    from unclip.images.files import KEY

    with Bench.open(how, [picture], [prompt]) as bench:
        latent = unclip.invert(bench.model, bench.sources[0], prompt, how.settings)
        again = unclip.reconstruct(bench.model, latent)
        place = bench.write([again], f"{_stem(picture)}-invert").with_suffix("")
        place = write_latent(latent, place)
        bench.console.print(f"{place}  the latent: give this folder in the place of the image")
        error = again.info[KEY]["error"]
        told = f"PSNR {error['psnr']:.2f} dB, squared error {error['mse']:.3g} (pixels 0 to 1)"
        bench.console.print(f"drawn again: {told}")


@guarded
@signing
@beside
@on_device
def probe(
    picture: Picture,
    /,
    *,
    how: ManipulateOptions = ManipulateOptions(),
    labels: Annotated[
        list[str] | None,
        Parameter(
            help="What to choose from; by default the run's most frequent captions.", negative="", consume_multiple=True
        ),
    ] = None,
    seed: Annotated[int, Parameter(help=SEED)] = 0,
) -> None:
    """Show what CLIP sees in an image: labels, and images of ever more of its embedding."""
    with Bench.open(how, [picture], labels or ()) as bench:
        found = unclip.probe(bench.model, bench.sources[0], labels or (), seed, how.settings)
        bench.write(found.images, f"{_stem(picture)}-probe")
        for k, share in zip(found.dims, found.explained, strict=True):
            bench.console.print(f"{k:4} dimensions hold {share:6.1%} of the variance of the run's images")
        for label, chance in found.labels[:SHOWN]:
            bench.console.print(f"{chance:6.1%}  {printable(label)}")


def write_latent(latent: "Inverted", place: Path) -> Path:
    """Writes it to `place`, or beside it where something else has this name; returns the folder."""
    from unclip.latents.inverted import Inverted

    number, folder = 1, place
    while os.path.lexists(folder):
        try:
            if Inverted.load(folder).same(latent):
                return folder
        except (ValueError, OSError):  # no latent, and not ours to replace
            pass
        number += 1
        folder = place.with_name(f"{place.name}-{number}")
    latent.save(folder)
    return folder


def _stem(picture: Path) -> str:
    return slug(picture.stem)
