"""Does a stage learn its images by heart? What it draws on the way, beside images that it was not trained on."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np

from unclip.core.noise import derive
from unclip.core.typing import Images
from unclip.data.loader import select_rows, to_tensor
from unclip.evaluation.judging.copies import FEWEST, Nearness
from unclip.evaluation.judging.reference import Reference
from unclip.judges.network import SIDES
from unclip.judges.shipped import load
from unclip.recipes.context import Context
from unclip.recipes.settings.recipe import Recipe

JUDGE = "supervised"
MOST = 4096
"""Training images among which the nearest is looked for."""
LEAST = 256
"""The same of a stage with little time."""
EACH, SHARE = 0.001, 0.01
"""Seconds that an image takes the judge on one core, and the share of a stage's time that all of them may take."""
CHANCE = 0.01 / (4 * 2)
"""A warning is given where so many near-copies are less likely than this; four previews, by features and by pixels,
accuse a sound stage in 1 of 100 runs at most."""
PART = 256


@dataclass
class CopyWatch:
    """Compares what a stage draws with the images that it is trained on.

    seconds: that the stage may take, on which depends among how many training images the nearest is looked for; 0: not
    known. Nothing here depends on the clock: a run that is continued finds the same.
    """

    ctx: Context
    recipe: Recipe
    seconds: float = 0.0
    reference: Reference | None = field(default=None, init=False)
    told: bool = field(default=False, init=False)

    def __call__(self, drawn: Images) -> dict[str, Nearness]:
        """Judge, or "pixels" -> how near they come; nothing where nothing can be said."""
        if self._why_not(drawn):
            return {}
        self.reference = self.reference or self._reference(drawn.shape[1])
        return self.reference.nearness(drawn.float().clamp(-1, 1).cpu())

    def notes(self, drawn: Images, found: Mapping[str, Nearness]) -> Iterator[str]:
        """A line; once a warning where so many near-copies are no chance, or why nothing can be said."""
        if not found:
            if not self.told:
                yield f"copies: cannot be known, {self._why_not(drawn)}"
            self.told = True
            return
        by = {"features" if name == JUDGE else name: one for name, one in found.items()}
        shares = ", ".join(f"{one.copies.share.value:.0%} by {name}" for name, one in by.items())
        ratios = " and ".join(f"{one.ratio:.2g}" for one in by.values())
        yield (
            f"copies: of {len(drawn)} images {shares} are nearer to a training image than held-out ones are "
            f"(expected {found[JUDGE].copies.expected:.1%}); median distance {ratios} x held-out"
        )
        if copied(found) and not self.told:
            yield f"! it learns images by heart; what helps: {self._ways()}"
            self.told = True

    def _why_not(self, drawn: Images) -> str:
        """Why nothing can be said of copies; no word where something can."""
        splits, size = self.ctx.splits, self.ctx.config.size
        known = {"validation": splits.validation, "training": splits.train, "drawn": drawn}
        for name, images in known.items():
            if len(images) < FEWEST:
                return f"{len(images)} {name} images are too few to compare with, {FEWEST} would do"
        return "" if size >= SIDES[0] else f"the judge sees images of {SIDES[0]} px or more, these have {size}"

    def _reference(self, channels: int) -> Reference:
        splits, images = self.ctx.splits, self.ctx.prepared.images
        order = np.random.default_rng(derive(self.ctx.config.seed, "copies")).permutation(splits.train)
        some = np.sort(order[: most(self.seconds)])
        parts = (to_tensor(select_rows(images, some[i : i + PART], channels)) for i in range(0, len(some), PART))
        held_out = to_tensor(select_rows(images, splits.validation, channels))
        return Reference(load(JUDGE, self.ctx.device), parts, held_out, self.mirrored)

    @property
    def mirrored(self) -> bool:
        """Whether the stage trains on mirrored images, too."""
        return getattr(self.recipe, "flip", False)

    def _ways(self) -> str:
        name = self.recipe.name
        flips = getattr(self.recipe, "flip", None) is False
        stop = "" if self.ctx.config.stop_at_copies else " or --set stop_at_copies=0.2"
        ways = [
            "more images",
            f"mirrored ones (--set {name}.flip=true) where left and right mean nothing" if flips else "",
            f"an earlier end (a smaller --budget{stop})",
            f"a smaller network ({name}.network)",
        ]
        return ", ".join(filter(None, ways))


def copied(found: Mapping[str, Nearness]) -> float:
    """The largest share of near-copies that is no chance; 0 where there is none."""
    copies = [one.copies for one in found.values()]
    clear = [c.share.value for c in copies if c.p < CHANCE and c.share.low > c.expected]
    return max(clear, default=0.0)


def most(seconds: float) -> int:
    """How many training images are looked at in a stage of so many seconds; 0: of no known length."""
    return min(MOST, max(LEAST, round(seconds * SHARE / EACH))) if seconds else MOST
