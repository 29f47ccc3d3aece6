"""`unclip generate`: prompts, classes or seeds alone become PNG files and a labelled grid."""

import math
import re
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from unclip.cli.guard import guarded
from unclip.cli.options import FIRST_SEED
from unclip.cli.warn import warn

if TYPE_CHECKING:
    from PIL import Image

    from unclip.pipeline.settings import Settings

LONGEST = 60
"""Letters of a prompt that go into a file's name."""


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
    sampler: Annotated[str | None, Parameter(help="ancestral, ddim, dpmpp-2m ...; a wrong name lists them.")] = None
    grid: Annotated[str | None, Parameter(help="Where the steps lie: uniform, karras ...")] = None
    size: Annotated[
        int | None, Parameter(help="Side of the pictures in pixels, where the run has upsamplers; the largest.")
    ] = None

    @property
    def settings(self) -> "Settings":
        """As the pipeline takes it."""
        from unclip.pipeline.settings import Settings

        said = {
            "steps": self.steps,
            "guidance": self.guidance,
            "form": self.guidance_form,
            "sampler": self.sampler,
            "grid": self.grid,
            "classifier": self.classifier_guidance,
            "clip": self.clip_guidance,
            "size": self.size,
        }
        return Settings.from_dict(said, "")


@guarded
def generate(
    *prompts: Annotated[
        str, Parameter(help="What to draw, in words like those of the captions; ddpm: classes, or none.")
    ],
    run: Annotated[Path, Parameter(help="A finished run folder.")],
    n: Annotated[int, Parameter(name="-n", help="Pictures a prompt; without prompts (ddpm), pictures in all.")] = 1,
    seed: Annotated[int, Parameter(help=FIRST_SEED)] = 0,
    out: Annotated[Path, Parameter(help="Where the pictures go.")] = Path("out"),
    prior: Annotated[
        str,
        Parameter(help="unclip: diffusion, autoregressive, contrastive, text, text-shifted or none (caption alone)."),
    ] = "diffusion",
    how: Drawing = Drawing(),
) -> None:
    """Draw pictures for one or more prompts; a ddpm needs none."""
    from unclip.cli.console import stdout
    from unclip.pipeline.load import load

    model, console = using(load(run), prior), stdout()
    warn(console, model, prompts)
    start = time.perf_counter()
    pictures = model.generate(prompts, n, seed, how.settings)
    took = time.perf_counter() - start
    for path in write(pictures, prompts, n, out):
        console.print(str(path), markup=False)
    count = f"{len(pictures)} picture{'s' * (len(pictures) > 1)}"
    console.print(f"{count} in {took:.1f} s, {len(pictures) / took:.1f} images/s")


def using(model: Any, prior: str) -> Any:
    """The model with this prior. Raises ValueError where it has none to choose."""
    if prior == "diffusion":
        return model
    from unclip.pipeline.priors import with_prior
    from unclip.pipeline.text_to_image import TextToImage

    if not isinstance(model, TextToImage):
        raise ValueError(f"--prior {prior}: only a run of --model unclip has priors; leave it out")
    return with_prior(model, prior)


def write(pictures: Sequence["Image.Image"], prompts: Sequence[str], n: int, out: Path) -> Iterable[Path]:
    """Writes the pictures as PNG files, then their grid; yields the paths."""
    from unclip.pipeline.images import KEY, save_picture

    for picture in pictures:
        about = picture.info[KEY]
        path = free_name(out, f"{slug(about['prompt'])}-{about['seed']}", lambda other, mine=about: same(mine, other))
        save_picture(picture, path)
        yield path
    sheet = sheet_of(pictures)
    sheet.info[KEY] = {**pictures[0].info[KEY], "prompts": list(prompts), "n": n}
    path = free_name(out, "grid", lambda other: "prompts" in other)
    save_picture(sheet, path)
    yield path


def sheet_of(pictures: Sequence["Image.Image"]) -> "Image.Image":
    """A row a prompt; pictures without prompts in a square."""
    from unclip.pipeline.images import KEY, grid

    rows: dict[str, list[Image.Image]] = {}
    for picture in pictures:
        rows.setdefault(picture.info[KEY]["prompt"], []).append(picture)
    zoom = max(1, 128 // pictures[0].width)
    if any(rows):
        return grid(list(rows.values()), list(rows), zoom)
    side = math.ceil(len(pictures) ** 0.5)
    return grid([pictures[i : i + side] for i in range(0, len(pictures), side)], zoom=zoom)


def slug(prompt: str) -> str:
    """A prompt as a file name: "A red heart!" -> "a-red-heart"."""
    return re.sub(r"[\W_]+", "-", prompt.lower())[:LONGEST].strip("-") or "picture"


def same(mine: dict[str, Any], other: dict[str, Any]) -> bool:
    """Whether two pictures answer the same request."""
    return all(mine[key] == other.get(key) for key in ("prompt", "seed"))


def free_name(folder: Path, stem: str, replaces: Callable[[dict[str, Any]], bool]) -> Path:
    """stem.png, or stem-2.png, ... : the first that is not there, or whose picture `replaces` says is the same."""
    from unclip.pipeline.images import read_about

    number = 1
    while True:
        path = folder / (f"{stem}.png" if number == 1 else f"{stem}-{number}.png")
        try:
            if not path.exists() or replaces(read_about(path)):
                return path
        except ValueError:  # a picture that somebody else made
            pass
        number += 1
