"""Trains a judge by the recipe of the shipped ones, on drawn images and, where asked, on your own.

    python benchmarks/train_judges.py supervised | self-supervised | random --out FOLDER
                                      [--steps N | --minutes M] [--images PREPARED_OR_RUN] [--seed N]

Without options it makes what is shipped (docs/judges.md).
"""

import argparse
from dataclasses import replace
from pathlib import Path

import torch

from unclip import judges
from unclip.judges.recipe import shipped_recipe
from unclip.training import Report


def told(report: Report) -> None:
    if report.step % 50 == 0:
        parts = " ".join(f"{name}={value:.2f}" for name, value in report.parts.items())
        print(f"{report.step} {report.elapsed:.0f}s loss={report.loss:.3f} {parts}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kind", choices=["supervised", "self-supervised", "random"])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--steps", type=int)
    parser.add_argument("--minutes", type=float)
    parser.add_argument("--images", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    torch.set_num_threads(1)  # the sums of several threads differ in their last bits
    recipe = replace(shipped_recipe(given.kind), seed=given.seed)
    if given.steps:
        recipe = replace(recipe, train=replace(recipe.train, steps=given.steps))
    judge = judges.train(given.kind, given.out, recipe, given.minutes, given.images, told)
    print(f"{given.out}: {judge.hash}")


if __name__ == "__main__":
    main()
