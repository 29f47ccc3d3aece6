"""Generated images against real ones, by judges that the run did not train, between two ends that anyone can place.

    floor   training images against the held-out ones: two sets of one source
    noise   coloured noise against the held-out ones

A distance says little by itself; between floor and noise it says how far a model has come.
"""

from dataclasses import asdict, dataclass
from typing import Any

import torch

from unclip.core.noise import Noise
from unclip.core.typing import Float, Images, Tensor
from unclip.core.wide import wide
from unclip.evaluation.judging.compared import Compared, Space
from unclip.evaluation.judging.copies import score_copies
from unclip.evaluation.sets.coverage import density_coverage, precision_recall
from unclip.evaluation.sets.estimate import Estimate
from unclip.evaluation.sets.frechet import GROUPS, frechet
from unclip.evaluation.sets.kernel import kernel, kid_estimate
from unclip.evaluation.sets.spectrum import spectrum
from unclip.judges.judge import Judge

Features = Float[Tensor, "n d"]
NEIGHBOURS = 6
"""The fewest images of a set of which precision, recall, density and coverage are taken."""
SMALL = 16
"""The smallest side of images with a spectrum, px."""


@dataclass(frozen=True)
class Between:
    """KID of generated images to held-out ones, and its ends: that of coloured noise, and the floor of training images,
    None where there are not two of them."""

    made: Estimate
    noise: Estimate
    floor: Estimate | None

    @property
    def way(self) -> float:
        """How far from noise, 0, to the floor, 1 (a floor of 0 where there is none)."""
        return way(self.made.value, self.floor.value if self.floor else 0.0, self.noise.value)


def score_sets(compared: Compared, seed: int) -> dict[str, Any]:
    """The figures of generated images beside held-out ones.

    Judge -> `by_judge`; "spectrum": grain and softness; "copies": `score_copies`.
    """
    made, real = compared.made, compared.real
    scores: dict[str, Any] = {judge.name: _blind(judge) for judge in compared.judges if judge not in compared.able}
    scores |= {judge.name: by_judge(judge, compared.spaces[judge.name], real, seed) for judge in compared.able}
    if min(real.shape[-2:]) >= SMALL:
        found = spectrum(made, real)
        octaves = {f"{edge:.3g}": ratio.figure() for edge, ratio in zip(found.edges, found.ratios, strict=True)}
        scores["spectrum"] = {"grain": found.grain.figure(), "blur": found.blur.figure(), "octaves": octaves}
    return {**scores, "copies": score_copies(compared.spaces)}


def _blind(judge: Judge) -> str:
    return f"cannot be known: it sees sides of {judge.sides[0]} to {judge.sides[1]} px"


def by_judge(judge: Judge, seen: Space, real: Images, seed: int) -> dict[str, Any]:
    """KID, Frechet distance, precision, recall, density and coverage in the features of one judge.

    seen: the images as it sees them; real: the held-out ones themselves, whose colours noise is given. kid_floor,
    kid_noise: the same of training images and of coloured noise. way: how much of the way from noise to the floor the
    model has come, by the roots of the distances: 0 noise, 1 like the data.
    """
    noise, fake, true = Noise.shared(seed, "judge", judge.name), seen.made, seen.real
    ends = between(judge, seen, real, noise)
    scores: dict[str, Any] = {"kid": ends.made.figure(), "kid_noise": ends.noise.figure()}
    if ends.floor is not None:
        scores |= {"kid_floor": ends.floor.figure(), "way": ends.way}
    if min(len(fake), len(true)) > max(GROUPS, fake.shape[1]):
        found = frechet(fake, true, noise)
        scores["frechet"] = {**asdict(found), "infinite": found.infinite.figure()}
    if min(len(fake), len(true)) >= NEIGHBOURS:
        pr, dc = precision_recall(fake, true), density_coverage(fake, true)
        parts = {"precision": pr.precision, "recall": pr.recall, "density": dc.density, "coverage": dc.coverage}
        scores |= {name: value.figure() for name, value in parts.items()}
    return scores


def between(judge: Judge, seen: Space, real: Images, noise: Noise) -> Between:
    """The distance and its ends. seen, real: as of `by_judge`."""
    some, own = some_of(seen.train, len(seen.made), noise), kernel(seen.real, seen.real)

    def distance(features: Features) -> Estimate:
        return kid_estimate(features, seen.real, noise, bb=own)

    made = distance(seen.made)
    worst = distance(judge.features(coloured_noise(real, noise)))
    return Between(made, worst, distance(some) if len(some) > 1 else None)


def way(distance: float, floor: float, noise: float) -> float:
    """0 at noise's distance, 1 at the floor. By roots: a kernel distance is a square."""
    d, least, most = (max(x, 0.0) ** 0.5 for x in (distance, floor, noise))
    return max(0.0, min(1.0, (most - d) / max(most - least, 1e-9)))


def some_of(features: Float[Tensor, "k d"], n: int, noise: Noise) -> Float[Tensor, "j d"]:
    """n of the rows, or all of them."""
    return features if len(features) <= n else features[noise.uniform((len(features),)).argsort()[:n].cpu()]


def coloured_noise(real: Images, noise: Noise) -> Images:
    """Independent pixels with the mean and the covariance of the real images' colours, clamped to [-1, 1]: what a
    model that has learnt nothing but colours would draw."""
    n, c, h, w = real.shape
    pixels = wide(real).permute(0, 2, 3, 1).reshape(-1, c)
    covariance = torch.atleast_2d(torch.cov(pixels.t()))
    values, axes = torch.linalg.eigh(covariance)
    root = axes * values.clamp(min=0).sqrt()
    drawn = wide(noise.normal((n * h * w, c)).cpu()) @ root.t() + pixels.mean(0)
    return drawn.reshape(n, h, w, c).permute(0, 3, 1, 2).float().clamp(-1, 1)
