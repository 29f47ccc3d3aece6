"""`unclip classify`: which of some labels fits an image, by the run's CLIP."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from unclip.cli.arguments.device import on_device
from unclip.cli.arguments.model import Run, chosen, open_model
from unclip.cli.errors import guarded
from unclip.cli.screen.warnings import warn, warn_size
from unclip.core.shown import printable

SHOWN = 5
"""Labels an image that are printed, the likeliest first."""


@guarded
@on_device
def classify(
    *pictures: Annotated[Path, Parameter(help="Images of any size.")],
    labels: Annotated[
        list[str],
        Parameter(help="What to tell apart, in words like those of the captions.", negative="", consume_multiple=True),
    ],
    run: Run = None,
    template: Annotated[
        list[str] | None,
        Parameter(
            help='A sentence around each label, as "an image of {}"; repeated, their mean counts.',
            negative="",
            consume_multiple=False,
        ),
    ] = None,
) -> None:
    """Tell which label fits each image best; only the labels named here compete."""
    import torch
    from rich.table import Table

    from unclip.cli.screen.console import stdout
    from unclip.cli.screen.waiting import waiting
    from unclip.generation.captioned import CaptionedModel
    from unclip.images.read import read_image
    from unclip.latents import zero_shot

    templates = template or zero_shot.PLAIN
    if not pictures:
        raise ValueError('no image: unclip classify heart.png --labels "a red heart" "a blue heart" --run runs/mine')
    texts = zero_shot.prompts(labels, templates)
    console, place = stdout(), chosen(run, pictures)
    with waiting(f"loading {place}", console):
        model = open_model(place, CaptionedModel)
        warn(console, model, texts)
        taken = [read_image(path, model.clip.config.vision.size, **model.look) for path in pictures]
        for one in taken:
            warn_size(console, one)
        found = zero_shot.classify(model, torch.cat([one.images for one in taken]), labels, templates)
    table = Table("image", "label", "probability", box=None, pad_edge=False, header_style="dim")
    for path, row in zip(pictures, found, strict=True):
        best = row.topk(min(SHOWN, len(labels)))
        for i, (share, label) in enumerate(zip(best.values.tolist(), best.indices.tolist(), strict=True)):
            name = "" if i else printable(path)
            table.add_row(name, printable(labels[label]), f"{share:6.1%}", end_section=i == len(best.values) - 1)
    console.print(table)
