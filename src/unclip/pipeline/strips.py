"""The two halves of diffusion as pictures: noising (forward) and denoising (reverse), side by side in time."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import torch
from PIL import Image, ImageDraw, ImageFont

from unclip.core.noise import Noise
from unclip.core.typing import Images
from unclip.diffusion.level import noised
from unclip.diffusion.samplers import Step
from unclip.diffusion.schedules import LinearBeta
from unclip.pipeline.images import to_pictures

TIMES = (0, 50, 100, 200, 300, 400, 600, 800, 1000)
"""Where DDPM's forward process is looked at, of T = 1000."""
SIDE, GAP, LETTERS = 96, 6, 13
"""Pixels: what a picture is zoomed towards, between pictures, and the height of the labels' font."""
MOST = 9
"""Pictures in a row."""


def noising_strip(image: Images, out: Path, schedule: LinearBeta | None = None, seed: int = 0) -> None:
    """x_t = alpha x_0 + sigma eps (DDPM Eq. 4) for the first picture of `image`, one eps, at `TIMES` of T = 1000."""
    schedule = schedule or LinearBeta()
    x0 = image[:1].float().cpu()
    eps = Noise.per_sample([seed]).normal(x0.shape)
    levels = [schedule.table[round(t / 1000 * schedule.T) - 1].float() for t in TIMES if t]
    states = torch.cat([x0, *(noised(x0, level, eps) for level in levels)])
    labels = [f"t = {round(t / 1000 * schedule.T)}" for t in TIMES]
    _save(_sheet([to_pictures(states)], labels, ["x_t"]), out)


def denoising_strip(steps: Iterable[Step], out: Path) -> None:
    """Two rows for the first sample: the state, below it the clean estimate that led to it; at most nine columns."""
    chosen = _spread(list(steps), MOST)
    states_of = [(step.x, step.x0) for _, step in chosen]
    rows = [to_pictures(torch.cat([s[:1].float().cpu() for s in states])) for states in zip(*states_of, strict=True)]
    _save(_sheet(rows, [f"step {number}" for number, _ in chosen], ["x_t", "x_0 guess"]), out)


def _spread(steps: Sequence[Step], most: int) -> list[tuple[int, Step]]:
    """(number from 1, step), evenly chosen, the first and the last among them."""
    if not steps:
        raise ValueError("no steps: a denoising strip needs at least one")
    count = min(most, len(steps))
    places = [round(i * (len(steps) - 1) / max(1, count - 1)) for i in range(count)]
    return [(place + 1, steps[place]) for place in places]


def _sheet(rows: Sequence[Sequence[Image.Image]], heads: Sequence[str], names: Sequence[str]) -> Image.Image:
    """Rows of pictures, zoomed by a whole number, under one line of heads and beside their names."""
    font = ImageFont.load_default(size=LETTERS)
    side = rows[0][0].width * max(1, SIDE // rows[0][0].width)
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
            pen.rectangle((x - 1, y - 1, x + side, y + side), outline="#c6ccd3")  # a white picture has an edge, too
            sheet.paste(picture.resize((side, side), Image.Resampling.NEAREST), (x, y))
    return sheet


def _save(sheet: Image.Image, out: Path) -> None:
    out.parent.mkdir(parents=True, exist_ok=True)
    sheet.save(out)
