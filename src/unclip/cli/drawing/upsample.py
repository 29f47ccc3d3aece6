"""`unclip upsample`: a person's own small images, enlarged by the upsamplers of a run."""

import time
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

import unclip
from unclip.cli.arguments.device import on_device
from unclip.cli.arguments.metadata import signing
from unclip.cli.arguments.model import Run, chosen, open_model
from unclip.cli.arguments.options import SEED
from unclip.cli.arguments.output import check_folder, slug, write_picture
from unclip.cli.errors import guarded


@guarded
@signing
@on_device
def upsample(
    *pictures: Annotated[Path, Parameter(help="Images of any size.")],
    run: Run = None,
    size: Annotated[
        int | None,
        Parameter(help="Which of the run's sizes an image as small as the decoder's would get; the largest."),
    ] = None,
    strength: Annotated[
        float, Parameter(help="How blurred or damaged the images are, 0 to 1; more is mended more freely.")
    ] = 0.0,
    steps: Annotated[
        int | None,
        Parameter(help="Denoising steps of each upsampler; by default as many as it was made with. Example: --steps 4"),
    ] = None,
    seed: Annotated[int, Parameter(help=SEED)] = 0,
    out: Annotated[Path, Parameter(help="Where the images go.")] = Path("out"),
) -> None:
    """Enlarge images by drawing the details that they lack."""
    if not pictures:
        raise ValueError("no image: name one, as unclip upsample small.png --run runs/mine")
    check_folder(out)
    from unclip.cli.screen.console import stdout
    from unclip.cli.screen.waiting import waiting
    from unclip.generation.text_to_image import TextToImage

    console, place = stdout(), chosen(run, pictures)
    with waiting(f"loading {place}", console) as say:
        model = open_model(place, TextToImage)
        start = time.perf_counter()
        for path in pictures:
            say(f"enlarging {path}")
            done = unclip.upsample(model, path, seed, size, strength, steps)
            console.print(str(write_picture(done, out, f"{slug(path.stem)}-{done.width}x{done.height}")))
        took = time.perf_counter() - start
    console.print(f"{len(pictures)} image{'s' * (len(pictures) > 1)} in {took:.1f} s")
