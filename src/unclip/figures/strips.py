"""The two halves of diffusion as images: noising (forward) and denoising (reverse), side by side in time."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import torch
from PIL import Image, ImageDraw, ImageFont

from unclip.core.noise import Noise
from unclip.core.typing import Float, Images, Tensor
from unclip.diffusion.forward import chain
from unclip.diffusion.grids import UniformTime
from unclip.diffusion.level import noised
from unclip.diffusion.samplers import Step
from unclip.diffusion.schedules import BetaTable, LinearBeta
from unclip.images.files import save_picture, to_pictures

States = Float[Tensor, "times c h w"]
"""One image at several times."""
TIMES = (0, 50, 100, 200, 300, 400, 600, 800, 1000)
"""Where DDPM's forward process is looked at, of T = 1000."""
SIDE, GAP, LETTERS = 96, 6, 15
"""Pixels: what an image is zoomed towards, between images, and the height of the labels' font."""
MOST = 9
"""Images in a row."""


def noising_strip(
    image: Images,
    out: Path,
    schedule: BetaTable | None = None,
    seed: int = 0,
    shown: Callable[[Tensor], Tensor] = lambda x: x,
) -> None:
    """The first image of `image` at `TIMES` of T = 1000 (of a shorter table: at the same shares of it), two rows.

    Above, each x_t by one jump from x_0 (DDPM Eq. 4), one eps for all; below, by t single steps (Eq. 2), each with
    noise of its own. No eye can tell which is which: the two have one distribution. shown: what becomes an image of a
    state, where that is a code.
    """
    table = schedule or LinearBeta()
    times = [round(t / TIMES[-1] * len(table.betas)) for t in TIMES]
    rows = [to_pictures(shown(states(image, table, times, seed))) for states in (_jumped, _walked)]
    save_sheet(rows, [f"t = {t}" for t in times], ["one jump", "t steps"], out)


def _jumped(image: Images, table: BetaTable, times: Sequence[int], seed: int) -> States:
    x0 = image[:1].float().cpu()
    eps = Noise.per_sample([seed]).normal(x0.shape)
    return torch.cat([x0 if t == 0 else noised(x0, table.table[t - 1].float(), eps) for t in times])


def _walked(image: Images, table: BetaTable, times: Sequence[int], seed: int) -> States:
    x0 = image[:1].float().cpu()
    walk = chain(x0, UniformTime()(table, len(table.betas)), Noise.per_sample([seed]))
    states = [x0, *(state.x for state in walk)]
    return torch.cat([states[t] for t in times])


def denoising_strip(steps: Iterable[Step], out: Path) -> None:
    """Two rows for the first sample: the state, below it the clean estimate that led to it; at most nine columns."""
    chosen = _spread(list(steps), MOST)
    states_of = [(step.x, step.x0) for _, step in chosen]
    rows = [to_pictures(torch.cat([s[:1].float().cpu() for s in states])) for states in zip(*states_of, strict=True)]
    save_sheet(rows, [f"step {number}" for number, _ in chosen], ["x_t", "x_0 guess"], out)


def _spread(steps: Sequence[Step], maximum: int) -> list[tuple[int, Step]]:
    """(number from 1, step), evenly chosen, the first and the last among them."""
    if not steps:
        raise ValueError("no steps: a denoising strip needs at least one")
    count = min(maximum, len(steps))
    places = [round(i * (len(steps) - 1) / max(1, count - 1)) for i in range(count)]
    return [(place + 1, steps[place]) for place in places]


def save_sheet(
    rows: Sequence[Sequence[Image.Image]], heads: Sequence[str], names: Sequence[str], out: Path, side: int = SIDE
) -> None:
    """Rows of images, zoomed by a whole number towards `side`, under one line of heads and beside their names."""
    font = ImageFont.load_default(size=LETTERS)
    side = rows[0][0].width * max(1, side // rows[0][0].width)
    left, top = max(round(font.getlength(name)) for name in names) + 2 * GAP, LETTERS + 2 * GAP
    size = (left + len(heads) * (side + GAP), top + len(rows) * (side + GAP))
    sheet = Image.new("RGB", size, "white")
    pen = ImageDraw.Draw(sheet)
    for j, head in enumerate(heads):
        pen.text((left + j * (side + GAP) + side // 2, top // 2), head, fill="black", font=font, anchor="mm")
    for i, row in enumerate(rows):
        y = top + i * (side + GAP)
        pen.text((GAP, y + side // 2), names[i], fill="black", font=font, anchor="lm")
        for j, picture in enumerate(row):
            x = left + j * (side + GAP)
            pen.rectangle((x - 1, y - 1, x + side, y + side), outline="#c6ccd3")  # a white image has an edge, too
            sheet.paste(picture.resize((side, side), Image.Resampling.NEAREST), (x, y))
    save_picture(sheet, out)
