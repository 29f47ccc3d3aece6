"""`unclip compare`: two finished runs on the same held-out captions and seeds, and the error of the difference; and
models of images alone beside each other, whatever their family.

What both runs share, how hard a caption is and what a seed brings, cancels in the difference, so its error is smaller
than the errors of the two figures suggest. It does not hold what another training seed would change.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from unclip.core.noise import Noise
from unclip.core.typing import Images
from unclip.data.layouts.kinds import Split
from unclip.data.loader import select_rows, to_tensor
from unclip.data.prepare.write import load_prepared
from unclip.evaluation import pictures, suite
from unclip.evaluation.levels import Mean
from unclip.evaluation.sets.estimate import Estimate
from unclip.evaluation.sets.frechet import GROUPS
from unclip.evaluation.sets.kernel import kid_scores
from unclip.evaluation.sets.paired import frechet_difference, kid_difference, paired_difference
from unclip.generation.base import ImageModel
from unclip.generation.captioned import CaptionedModel
from unclip.generation.classed import ClassModel
from unclip.generation.load import kind_of, load
from unclip.generation.settings import Settings
from unclip.judges.judge import Judge
from unclip.judges.shipped import load_all
from unclip.recipes.api.judged_data import Judged, rows_of, trained_on
from unclip.runs.embeddings import data_folder
from unclip.runs.folder import RunFolder
from unclip.studies.families.study import Family, Shared, figures, sheet


@dataclass(frozen=True)
class CompareRequest:
    """How two runs are compared. Raises ValueError for too few images.

    Args:
        n: held-out captions, or images of models of images alone.
        seed: of the first image; the next takes the next.
        split: whose images.
        features: judges of sets of images; none: those that are shipped.
        judges: other runs, whose CLIP says how well images fit their captions.
    """

    n: int = 256
    seed: int = 0
    split: Split = "validation"
    features: tuple[str, ...] = ()
    judges: tuple[Path, ...] = ()

    def __post_init__(self) -> None:
        if self.n < 2:
            raise ValueError(f"n = {self.n}: a comparison needs at least 2 images")


@dataclass(frozen=True)
class Drawn:
    """What a run drew for the shared captions, beside the true images, [n, c, h, w] in [-1, 1]."""

    root: Path
    model: ImageModel
    made: Images


def compare(first: Path, second: Path, asked: CompareRequest) -> dict[str, Any]:
    """Figure -> {first, second, difference: second less first with error and interval, z}.

    Raises ValueError for runs of other sizes, of other data, or that hold out other images.
    """
    captions, real = shared([first, second], asked)
    drawn = [_draw(root, captions, asked) for root in (first, second)]
    names = captions if any(captions) else [str(i) for i in range(len(captions))]
    scores = dict[str, Any]()
    for judge in load_all(asked.features):
        scores |= _sets(judge, drawn, real, names, asked.seed)
    for root in asked.judges:
        scores[f"CLIP score by {root}"] = _alignment(root, drawn, captions, asked.seed)
    return scores


def beside(roots: Sequence[Path], asked: CompareRequest) -> tuple[dict[str, dict[str, Any]], Image.Image]:
    """Models of images alone beside each other, whatever their family: run -> figure -> value, and one picture.

    Raises ValueError where a run reads captions, and for runs of other sizes, of other data, or that hold out other
    images.
    """
    captions, real = shared(roots, asked)
    found = [Family.of(root, _of_images(root)) for root in roots]
    prepared, rows = trained_on(RunFolder(roots[0]), load_prepared(RunFolder(roots[0]).data), asked.seed)
    train = to_tensor(select_rows(prepared.images, rows[: len(real)], 3))
    on = Shared(captions, real, train, load_all(asked.features), asked.seed)
    return {str(family.root): figures(family, on) for family in found}, sheet(found, on)


def of_families(roots: Sequence[Path]) -> bool:
    """Whether runs are compared as families: of images alone, and either of several kinds or more than two."""
    kinds = [kind_of(root) for root in roots]
    if not all(issubclass(kind, ClassModel) for kind in kinds):
        if len(roots) > 2:
            raise ValueError(
                f"{len(roots)} runs: of those that read captions two are compared at a time; several at once only of "
                "--model ddpm, vae, flow and gan"
            )
        return False
    return len(roots) > 2 or len(set(kinds)) > 1


def _of_images(root: Path) -> ClassModel:
    return load(root, kind=ClassModel)


def shared(roots: Sequence[Path], asked: CompareRequest) -> tuple[list[str], Images]:
    """Captions and true images that all runs hold out."""
    held = [_held_out(root, asked) for root in roots]
    prepared, rows = held[0]
    for root, (other, others) in zip(roots[1:], held[1:], strict=True):
        if [prepared.digests[row] for row in rows] != [other.digests[row] for row in others]:
            raise ValueError(
                f"{roots[0]} and {root} do not hold out the same images at the same size: a comparison needs runs of "
                "the same data, --size and held_out; compare the pages of `unclip evaluate` instead"
            )
    if len(rows) < 2:
        raise ValueError(f"{roots[0]}: split {asked.split} has {len(rows)} images, and a comparison needs at least 2")
    captions = [prepared.captions[row][0] if prepared.captions[row] else "" for row in rows]
    return captions, to_tensor(select_rows(prepared.images, rows, 3))


def _held_out(root: Path, asked: CompareRequest) -> Judged:
    run = RunFolder(root)
    run.require()
    prepared = load_prepared(data_folder(run).data)
    return prepared, rows_of(run, prepared, asked.split)[: asked.n]


def _draw(root: Path, captions: Sequence[str], asked: CompareRequest) -> Drawn:
    model = load(root)
    if isinstance(model, ClassModel):
        labels = model.labels([c if model.classes else "" for c in captions]).cpu()
        return Drawn(root, model, pictures.generate_images(model, labels, asked.seed, Settings()))
    assert isinstance(model, CaptionedModel)
    return Drawn(root, model, suite.generate_for_captions(model, captions, asked.seed))


def _sets(judge: Judge, drawn: Sequence[Drawn], real: Images, names: Sequence[str], seed: int) -> dict[str, Any]:
    a, b = (judge.features(d.made) for d in drawn)
    true = judge.features(real)
    difference = kid_difference(b, a, true, names)
    scores = {f"KID, {judge.name}": _row(kid_scores(a, true, seed), kid_scores(b, true, seed), difference)}
    if min(len(a), len(true), len(set(names))) >= max(GROUPS, a.shape[1] + 1):
        found = frechet_difference(b, a, true, names, Noise.shared(seed, "frechet"))
        scores[f"Frechet distance, {judge.name}"] = {"difference": found.figure(), "z": found.z}
    return scores


def _alignment(root: Path, drawn: Sequence[Drawn], captions: Sequence[str], seed: int) -> dict[str, Any]:
    judge = load(root)
    if not isinstance(judge, CaptionedModel) or not all(isinstance(d.model, CaptionedModel) for d in drawn):
        raise ValueError(f"--judge {root}: captions are judged by, and of, text-to-image runs only")
    texts = judge.embed_captions(captions)
    a, b = ((judge.embed_images(d.made) * texts).sum(1) for d in drawn)
    return _row(asdict(Mean.of(a)), asdict(Mean.of(b)), paired_difference(b, a, captions, Noise.shared(seed, "paired")))


def _row(first: dict[str, float], second: dict[str, float], difference: Estimate) -> dict[str, Any]:
    return {"first": first, "second": second, "difference": difference.figure(), "z": difference.z}
