"""Judges: feature nets that no run has trained, by which sets of images are compared.

from unclip import judges
judge = judges.load("supervised")
features = judge.features(images)  # [n, 3, h, w] in [-1, 1] -> [n, d]
"""

from typing import TYPE_CHECKING

from unclip.core.imports.lazy import lazy

if TYPE_CHECKING:
    from unclip.judges.judge import Judge as Judge
    from unclip.judges.recipe import Recipe as Recipe
    from unclip.judges.recipe import train as train
    from unclip.judges.shipped import load as load
    from unclip.judges.torchscript import Wants as Wants
else:
    __all__, __getattr__, __dir__ = lazy(
        __name__,
        {
            "unclip.judges.shipped": "load",
            "unclip.judges.judge": "Judge",
            "unclip.judges.recipe": "train Recipe",
            "unclip.judges.torchscript": "Wants",
        },
    )
