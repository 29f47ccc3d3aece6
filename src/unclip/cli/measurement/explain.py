"""`unclip explain`: a run's diffusion in images for a lecture."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from unclip.cli.arguments.device import on_device
from unclip.cli.arguments.model import Run, chosen
from unclip.cli.arguments.options import SEED
from unclip.cli.arguments.output import check_folder
from unclip.cli.errors import guarded


@guarded
@on_device
def explain(
    run: Run = None,
    *,
    out: Annotated[Path, Parameter(help="Where the images and explain.html go.")],
    steps: Annotated[
        str | None, Parameter(help="Numbers of steps to compare; 5,10,20,50,1000, as far as the schedule has them.")
    ] = None,
    samplers: Annotated[str | None, Parameter(help="Samplers to compare, as ddim,dpmpp-2m; by default all.")] = None,
    n: Annotated[int, Parameter(name="-n", help="Images for each sampler and number of steps.")] = 4,
    seed: Annotated[int, Parameter(help=SEED)] = 0,
    slides: Annotated[
        bool, Parameter(negative="", help="Make the lecture as well: slides.html, and a PNG of each slide in slides/.")
    ] = False,
) -> None:
    """Draw how diffusion works, from a run's own images and model; of a vae, flow or gan, what its z is.

    Schedules, noising, denoising, the loss by noise level, two moons in the
    plane, and samples by number of steps; explain.html shows all of them.
    With --slides the whole lecture, up to DALL-E 2, as slides.
    """
    asked = None if steps is None else tuple(_number(part) for part in _parts(steps))
    check_folder(out)
    from unclip.cli.screen.console import stdout
    from unclip.cli.screen.progress import follow
    from unclip.studies.explain.request import ExplainRequest
    from unclip.studies.explain.study import explain as recipe

    ask = ExplainRequest(asked, tuple(_parts(samplers or "")), n, seed, slides)
    code = follow(recipe(chosen(run), out, ask), console := stdout())
    console.print(f"done: open {out / 'explain.html'}")
    if slides:
        console.print(f"the lecture: open {out / 'slides.html'}; arrow keys turn the slides, printing makes a PDF")
    raise SystemExit(code)


def _parts(words: str) -> list[str]:
    return [part.strip() for part in words.split(",") if part.strip()]


def _number(word: str) -> int:
    if not word.isdecimal() or int(word) < 1:
        raise ValueError(f"--steps: {word!r} is not a number of steps; write them like 5,10,20,50")
    return int(word)
