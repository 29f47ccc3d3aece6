"""`unclip generate`: prompts, classes or seeds alone become PNG files and a labelled grid."""

import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from unclip.cli.arguments.beside import beside
from unclip.cli.arguments.device import on_device
from unclip.cli.arguments.metadata import signing
from unclip.cli.arguments.model import Run, chosen, open_model
from unclip.cli.arguments.options import FIRST_SEED, NEGATIVE
from unclip.cli.arguments.output import check_folder, slug, write_picture
from unclip.cli.errors import guarded
from unclip.cli.screen.warnings import warn

if TYPE_CHECKING:
    from PIL import Image

    from unclip.generation.base import ImageModel
    from unclip.generation.settings import Settings


@Parameter(name="*")
@dataclass(frozen=True)
class Drawing:
    """How to draw; None: as the model was stored."""

    steps: Annotated[int | None, Parameter(help="How many denoising steps. Example: --steps 50")] = None
    guidance: Annotated[float | None, Parameter(help="How closely to follow the prompt or class; 1 is none.")] = None
    guidance_form: Annotated[str | None, Parameter(help="cfg, interval, rescale, apg, zero-star, dynamic, auto.")] = (
        None
    )
    classifier_guidance: Annotated[
        float | None, Parameter(help="ddpm: scale of guidance by the classifier that `unclip add classifier` trained.")
    ] = None
    clip_guidance: Annotated[
        float | None, Parameter(help="Scale of guidance by the noise-aware CLIP that `unclip add noisy_clip` trained.")
    ] = None
    negative: Annotated[str | None, Parameter(help=NEGATIVE)] = None
    sampler: Annotated[str | None, Parameter(help="ancestral, ddim, dpmpp-2m ...; a wrong name lists them.")] = None
    grid: Annotated[str | None, Parameter(help="Where the steps lie: uniform, karras ...")] = None
    temperature: Annotated[
        float | None,
        Parameter(help="vae, flow, gan: of the noise; below 1 more typical images. Example: --temperature 0.7"),
    ] = None
    size: Annotated[
        int | None, Parameter(help="Side of the images in pixels, where the run has upsamplers; the largest.")
    ] = None

    @property
    def settings(self) -> "Settings":
        """As the pipeline takes it."""
        from unclip.generation.settings import Settings

        said = {
            "steps": self.steps,
            "guidance": self.guidance,
            "form": self.guidance_form,
            "sampler": self.sampler,
            "grid": self.grid,
            "classifier": self.classifier_guidance,
            "clip": self.clip_guidance,
            "size": self.size,
            "negative": self.negative,
            "temperature": self.temperature,
        }
        return Settings.from_dict(said, "")


@guarded
@signing
@beside
@on_device
def generate(
    *prompts: Annotated[
        str, Parameter(help="What to draw, in words like those of the captions; ddpm: classes, or none.")
    ],
    run: Run = None,
    n: Annotated[int, Parameter(name="-n", help="Images a prompt; without prompts (ddpm), images in all.")] = 1,
    seed: Annotated[int, Parameter(help=FIRST_SEED)] = 0,
    out: Annotated[Path, Parameter(help="Where the images go.")] = Path("out"),
    prior: Annotated[
        str,
        Parameter(help="unclip: diffusion, autoregressive, contrastive, text, text-shifted or none (caption alone)."),
    ] = "diffusion",
    how: Drawing = Drawing(),
) -> None:
    """Draw images for one or more prompts; a ddpm needs none."""
    check_folder(out)
    from unclip.cli.screen.console import stdout
    from unclip.cli.screen.waiting import waiting
    from unclip.generation.base import ImageModel

    console, place = stdout(), chosen(run)
    with waiting(f"loading {place}", console) as say:
        model = using(open_model(place, ImageModel), prior)
        settings = how.settings
        warn(console, model, [*prompts, *filter(None, [settings.negative])])
        say("drawing")
        start, done = time.perf_counter(), list["Image.Image"]()
        for picture, path in write_each(model.draw(prompts, n, seed, settings), out):
            console.print(str(path))
            done.append(picture)
            say(f"drawing, {len(done)} done")
        took = time.perf_counter() - start
        console.print(str(write_sheet(done, prompts, n, out)))
    count = f"{len(done)} image{'s' * (len(done) > 1)}"
    console.print(f"{count} in {took:.1f} s, {len(done) / took:.1f} images/s")


def using(model: "ImageModel", prior: str) -> "ImageModel":
    """The model with this prior. Raises ValueError where it has none to choose."""
    if prior == "diffusion":
        return model
    from unclip.generation.priors import with_prior
    from unclip.generation.text_to_image import TextToImage

    if not isinstance(model, TextToImage):
        raise ValueError(f"--prior {prior}: only a run of --model unclip has priors; leave it out")
    return with_prior(model, prior)


def write_each(pictures: Iterator["Image.Image"], out: Path) -> "Iterator[tuple[Image.Image, Path]]":
    """Writes each image as soon as it is drawn; yields it with its path."""
    from unclip.images.files import KEY

    for picture in pictures:
        about = picture.info[KEY]
        yield picture, write_picture(picture, out, f"{slug(about['prompt'])}-{about['seed']}")


def write_sheet(pictures: Sequence["Image.Image"], prompts: Sequence[str], n: int, out: Path) -> Path:
    """Writes the grid of all of them; returns its path."""
    from unclip.images.files import KEY

    sheet = sheet_of(pictures)
    sheet.info[KEY] = {**pictures[0].info[KEY], "prompts": list(prompts), "n": n}
    return write_picture(sheet, out, "grid")


def sheet_of(pictures: Sequence["Image.Image"]) -> "Image.Image":
    """A row a prompt; images without prompts in a square."""
    from unclip.images.files import KEY, grid

    rows: dict[str, list[Image.Image]] = {}
    for picture in pictures:
        rows.setdefault(picture.info[KEY]["prompt"], []).append(picture)
    zoom = max(1, 128 // pictures[0].width)
    if any(rows):
        return grid(list(rows.values()), list(rows), zoom)
    side = math.ceil(len(pictures) ** 0.5)
    return grid([pictures[i : i + side] for i in range(0, len(pictures), side)], zoom=zoom)
