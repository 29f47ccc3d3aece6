"""`unclip study`: what a run does to images, measured."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from unclip.cli.arguments.device import on_device
from unclip.cli.arguments.model import OwnRun
from unclip.cli.arguments.options import SEED
from unclip.cli.arguments.output import check_folder
from unclip.cli.errors import guarded


@guarded
@on_device
def study(
    run: Annotated[OwnRun, Parameter(help="A finished run folder of a text-to-image model.")],
    *,
    out: Annotated[Path, Parameter(help="Where study.html, study.json and the plots go.")],
    what: Annotated[str, Parameter(help="Parts; clip-guidance is one more.")] = "inversion,interpolation,guidance",
    n: Annotated[int, Parameter(name="-n", help="Held-out images to invert; captions of the guidance sweep.")] = 32,
    pairs: Annotated[int, Parameter(help="Pairs of images to blend.")] = 8,
    steps: Annotated[str, Parameter(help="Numbers of steps of the inversion; blends take the least.")] = "50,250",
    scales: Annotated[str, Parameter(help="Guidance scales of the sweeps.")] = "1,1.5,2,3,4,6",
    seed: Annotated[int, Parameter(help=SEED)] = 0,
) -> None:
    """Measure inversion error, smoothness of blends, and guidance, on images that the run was not trained on."""
    counts, strengths = (tuple(_number(name, word) for word in _words(text)) for name, text in
                         (("--steps", steps), ("--scales", scales)))  # fmt: skip
    check_folder(out)
    from unclip.cli.screen.console import stdout
    from unclip.cli.screen.progress import follow
    from unclip.studies.manipulation.study import StudyRequest
    from unclip.studies.manipulation.study import study as recipe

    ask = StudyRequest(tuple(_words(what)), n, pairs, tuple(int(count) for count in counts), strengths, seed)
    code = follow(recipe(run, out, ask), console := stdout())
    console.print(f"done: open {out / 'study.html'}")
    raise SystemExit(code)


def _words(text: str) -> list[str]:
    return [word.strip() for word in text.split(",") if word.strip()]


def _number(name: str, word: str) -> float:
    try:
        return float(word)
    except ValueError as error:
        raise ValueError(f"{name}: {word!r} is not a number; write them like 1,2,4") from error
