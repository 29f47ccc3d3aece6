"""Training captions drawn at random: the true image beside generated ones, for a person to judge.

python benchmarks/caption_grid.py RUN OUT.png [-n 40] [--each 2] [--seed 0] [--steps 24] [--sampler ancestral]
"""

import argparse
import random
from pathlib import Path

from PIL import Image

import unclip
from unclip.data.prepare.write import Prepared, load_prepared
from unclip.generation.settings import Settings
from unclip.images.files import grid
from unclip.recipes.settings.run import stored_config
from unclip.recipes.splits import splits_of
from unclip.runs.folder import RunFolder


def draw_rows(folder: RunFolder, prepared: Prepared, n: int, seed: int) -> list[int]:
    """n training rows."""
    train = splits_of(folder, prepared, stored_config(folder.settings)).train
    return random.Random(seed).sample([int(i) for i in train], n)


def main() -> None:
    """Writes the grid: caption, true image, generated images; two blocks side by side."""
    parser = argparse.ArgumentParser()
    parser.add_argument("run", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("-n", type=int, default=40)
    parser.add_argument("--each", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--steps", type=int, default=24)
    parser.add_argument("--sampler", default="ancestral")
    args = parser.parse_args()
    folder = RunFolder(args.run)
    prepared = load_prepared(folder.data)
    rows = draw_rows(folder, prepared, args.n, args.seed)
    captions = [prepared.captions[r][0] for r in rows]
    settings = Settings(steps=args.steps, sampler=args.sampler)
    made = unclip.load(args.run).generate(captions, args.each, args.seed, settings)
    lines = [
        [Image.fromarray(prepared.images[r]), *made[i * args.each : (i + 1) * args.each]] for i, r in enumerate(rows)
    ]
    half = (args.n + 1) // 2
    blocks = [grid(lines[i : i + half], captions[i : i + half], zoom=1) for i in range(0, args.n, half)]
    sheet = Image.new("RGB", (sum(b.width + 12 for b in blocks), max(b.height for b in blocks)), "white")
    left = 0
    for block in blocks:
        sheet.paste(block, (left, 0))
        left += block.width + 12
    sheet.save(args.out, optimize=True)


if __name__ == "__main__":
    main()
