"""How near a DDPM's images come to those it was trained on, over its training: drawn at 3, 10, 30, 100 and 300 passes.

    python benchmarks/memorisation.py train ../shared/data/emoji OUT --images 100 [--size 32] [--seed 0]
    python benchmarks/memorisation.py score OUT [--ladder FOLDER] [--plots docs/pictures]
    python benchmarks/memorisation.py planted OUT

train: the recipe of `unclip train --model ddpm`, not mirrored, on so many images of the data's training split, drawn by
the seed; keeps 512 images as OUT/IMAGES/PASSES.npy. It is stopped and continued at will.

score: of all that is there, the share of near-copies and the distances to the nearest training image, beside those of
the held-out images (validation and test), as a Markdown table; with --plots, memorisation.png and, of the fewest images
and the most passes, memorisation-pairs.png. --ladder: a folder of finished runs of `unclip train --model ddpm`, each
with what it drew beside it, as RUN.npy (uint8 [n, side, side, 3]).

planted: the same table of training images themselves, with some grain or blur, in the place of drawn ones: what is seen
of a model that knows its images by heart.
"""

import argparse
import copy
import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from judge_sets import blurred
from torch import nn

from unclip.core import machine
from unclip.core.noise import Noise, initial_weights
from unclip.data.loader import to_pixels, to_tensor
from unclip.data.prepare.read import load_prepared
from unclip.data.prepare.splits import SHARE, Splits, copies, split_rows
from unclip.data.prepare.write import Prepared, prepare
from unclip.data.source import open_source
from unclip.evaluation.judging.compared import Compared
from unclip.evaluation.judging.copies import closest_pairs, score_copies
from unclip.evaluation.judging.reference import QUANTILE
from unclip.evaluation.sets.kernel import kid_estimate
from unclip.figures.strips import save_sheet
from unclip.figures.study_plots import Line, Panel, panels_plot
from unclip.generation.ddpm import DDPMPipeline
from unclip.images.files import to_pictures
from unclip.judges.shipped import TRAINED, load_all
from unclip.models.ddpm import DDPM
from unclip.recipes.feed import PictureFeed
from unclip.recipes.settings.run import stored_config
from unclip.recipes.splits import splits_of
from unclip.recipes.stages.ddpm import DDPMRecipe
from unclip.runs.folder import RunFolder
from unclip.training.checkpoint import load_checkpoint, save_checkpoint
from unclip.training.plan import Plan
from unclip.training.trainer import Trainer

PASSES = (3, 10, 30, 100, 300)
SPACES = (*TRAINED, "pixels")
PAIRS, PLANTED = 10, 100
DRAWN, BATCH = 512, 64


def main() -> None:
    """Trains until it has drawn at the last of `PASSES`; or scores what was drawn."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="what", required=True)
    train = commands.add_parser("train")
    train.add_argument("data", type=Path)
    train.add_argument("out", type=Path)
    train.add_argument("--images", type=int, default=100)
    train.add_argument("--size", type=int, default=32)
    train.add_argument("--seed", type=int, default=0)
    scores = commands.add_parser("score")
    scores.add_argument("out", type=Path)
    scores.add_argument("--ladder", type=Path)
    scores.add_argument("--plots", type=Path)
    planted = commands.add_parser("planted")
    planted.add_argument("out", type=Path)
    asked = parser.parse_args()
    machine.prepare_memory()
    if asked.what == "score":
        ladder = ladder_cells(asked.ladder) if asked.ladder else ()
        cells = table(itertools.chain(campaign_cells(asked.out), ladder), "passes")
        if asked.plots and cells:
            panels_plot([panel(cells, space) for space in SPACES], asked.plots / "memorisation.png")
            first = min(cells, key=lambda cell: (cell.images, -float(cell.what)))
            pairs_sheet(first.compared, asked.plots / "memorisation-pairs.png")
        return
    if asked.what == "planted":
        table(planted_cells(asked.out), "copies with")
        return
    prepared = prepare(open_source(asked.data), asked.out / "data", asked.size, 1.0, captioned=False)
    rows = splits(prepared).train
    rows = np.sort(np.random.default_rng(asked.seed).permutation(rows)[: asked.images])
    place = asked.out / str(len(rows))
    place.mkdir(parents=True, exist_ok=True)
    np.save(place / "rows.npy", rows)
    campaign(prepared, rows, place, asked.seed)


def splits(prepared: Prepared) -> Splits:
    return split_rows(prepared.keys, copies(prepared), SHARE)


def campaign(prepared: Prepared, rows: np.ndarray, place: Path, seed: int) -> None:
    """Trains on these rows, and draws at each of `PASSES`."""
    recipe = DDPMRecipe()
    with initial_weights(seed, "ddpm"):
        module = DDPM(recipe.config(prepared.size, ()))
    marks = {round(passes * len(rows) / recipe.train.batch): passes for passes in PASSES}
    plan = Plan(steps=max(marks), cooldown=recipe.train.cooldown)
    feed = PictureFeed(prepared, rows, recipe.train.batch, seed, flip=False)
    trainer = Trainer(module, feed, recipe.train, plan, seed, "float32", 1)
    checkpoint = (place / "checkpoint", place / "checkpoint-before")
    for line in load_checkpoint(checkpoint, trainer):
        print(line, flush=True)
    averaged = copy.deepcopy(module).eval().requires_grad_(False)
    for report in trainer.steps():
        if report.step in marks:
            averaged.load_state_dict(trainer.ema.average)
            np.save(place / f"{marks[report.step]}.npy", drawn(averaged, seed))
            print(f"{marks[report.step]} passes: step {report.step}, loss {report.loss:.4f}", flush=True)
        if report.step % 500 == 0 or report.step in marks:
            save_checkpoint(checkpoint, trainer)


def drawn(model: nn.Module, seed: int) -> np.ndarray:
    """uint8 [DRAWN, h, w, 3] by the recipe's own sampling."""
    assert isinstance(model, DDPM)
    pipeline, parts = DDPMPipeline(model, device="cpu", precision="float32"), []
    for first in range(seed, seed + DRAWN, BATCH):
        *_, last = pipeline.steps([""] * BATCH, range(first, first + BATCH))
        parts.append(to_pixels(last.x.clamp(-1, 1)))
    return np.concatenate(parts)


@dataclass
class Cell:
    """What a model had drawn that saw so many images. what: after how many passes; or what was done to copies."""

    images: int
    what: str
    compared: Compared

    def __post_init__(self) -> None:
        self.scores = score_copies(self.compared.spaces, QUANTILE)
        seen = self.compared.spaces[TRAINED[0]]
        self.kid = kid_estimate(seen.made, seen.real, Noise.shared(0, "memorisation"))

    def row(self) -> str:
        parts = [f"{self.images:,}", self.what]
        for score in (self.scores[space] for space in SPACES):
            share = score["near_copies"]
            low, high = (f"{100 * share[end]:.1f}" for end in ("low", "high"))
            parts += [f"{100 * share['mean']:.1f} ({low} to {high})", f"{score['nearest']:.2f}"]
        expected = 100 * self.scores[TRAINED[0]]["expected"]
        parts += [f"{expected:.1f}", f"{self.kid.value:.3f} ± {self.kid.error:.3f}"]
        return "| " + " | ".join(parts) + " |"


def table(cells: Iterable[Cell], what: str) -> list[Cell]:
    """Prints them as Markdown, each as soon as it is scored."""
    heads = ["images", what, *(head for s in SPACES for head in (f"copies, {s}, %", f"median, {s}"))]
    print("| " + " | ".join([*heads, "expected, %", "KID"]) + " |")
    print("|--:" * (len(heads) + 2) + "|", flush=True)
    done = []
    for cell in cells:
        print(cell.row(), flush=True)
        done.append(cell)
    return done


def campaign_cells(out: Path) -> Iterator[Cell]:
    prepared = load_prepared(out / "data")
    held_out = splits(prepared).held_out
    for place in sorted((path.parent for path in out.glob("*/rows.npy")), key=lambda path: int(path.name)):
        rows = np.load(place / "rows.npy")
        for passes in PASSES:
            if (file := place / f"{passes}.npy").exists():
                yield Cell(len(rows), f"{passes}", compared(prepared, rows, held_out, np.load(file)))


def ladder_cells(ladder: Path) -> Iterator[Cell]:
    found = []
    for file in ladder.glob("*.npy"):
        run = RunFolder(file.with_suffix(""))
        config, prepared = stored_config(run.settings), load_prepared(run.data)
        rows = splits_of(run, prepared, config)
        steps = run.state()["ddpm"]["metrics"]["steps"]
        found.append((steps * config.recipes["ddpm"].train.batch / len(rows.train), prepared, rows, file))
    for passes, prepared, rows, file in sorted(found, key=lambda one: one[0]):
        yield Cell(len(rows.train), f"{passes:.3g}", compared(prepared, rows.train, rows.held_out, np.load(file)))


def planted_cells(out: Path) -> Iterator[Cell]:
    prepared = load_prepared(out / "data")
    found, noise = splits(prepared), Noise.shared(0, "planted")
    for count in (100, 1000, len(found.train)):
        rows = np.sort(np.random.default_rng(0).permutation(found.train)[:count])
        some = to_tensor(np.asarray(prepared.images[np.random.default_rng(1).permutation(rows)[:PLANTED]]))
        for grain in (0.0, 0.02, 0.05, 0.1):
            made = (some + grain * noise.normal(some.shape)).clamp(-1, 1)
            yield Cell(count, f"grain {grain:g}", compared(prepared, rows, found.held_out, to_pixels(made)))
        for blur in (0.5, 0.8):
            made = blurred(some, blur)
            yield Cell(count, f"blur {blur:g} px", compared(prepared, rows, found.held_out, to_pixels(made)))


def compared(prepared: Prepared, train: np.ndarray, held_out: np.ndarray, made: np.ndarray) -> Compared:
    real, known = (to_tensor(np.asarray(prepared.images[rows])) for rows in (held_out, train))
    return Compared(to_tensor(made), real, known, load_all(TRAINED))


def panel(cells: list[Cell], space: str) -> Panel:
    """Share of near-copies over passes, a line a number of images."""
    lines = []
    for images in sorted({cell.images for cell in cells}):
        some = [cell for cell in cells if cell.images == images]
        shares = [cell.scores[space]["near_copies"] for cell in some]
        passes, values = [float(cell.what) for cell in some], [100 * share["mean"] for share in shares]
        lines.append(Line(f"{images:,} images", passes, values, [100 * share["error"] for share in shares]))
    expected = 100 * max(cell.scores[space]["expected"] for cell in cells)
    return Panel(f"near-copies, %: {space}", "passes over the images", lines, even=expected, log=True)


def pairs_sheet(seen: Compared, out: Path) -> None:
    """The closest pairs by the first judge: generated above, the nearest training image below."""
    pairs = closest_pairs(seen.spaces[TRAINED[0]], PAIRS)
    rows = [to_pictures(images) for images in (seen.made[pairs.made], seen.train[pairs.train])]
    save_sheet(rows, [""] * PAIRS, ["drawn", "trained on"], out)


if __name__ == "__main__":
    main()
