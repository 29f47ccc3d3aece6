"""`unclip evaluate --trace`: a run's scores with parts of it replaced, so that an error can be traced to its stage."""

from pathlib import Path
from typing import Any

from unclip.evaluation.embedding_sources import SourceScores, tracing
from unclip.generation.priors import with_prior
from unclip.generation.text_to_image import require
from unclip.studies.priors.benchmark import judge_all, measured_on, open_unclip


def trace(root: Path, n: int, seed: int) -> dict[str, Any]:
    """Way -> figures. Raises ValueError for a run without a prior, an unfinished one, or one whose data are gone."""
    opened, model = open_unclip(root)
    own, text, none = (require(with_prior(model, name).prior, "prior") for name in ("diffusion", "text", "none"))
    ways, found = tracing(own, text, none), dict[str, SourceScores]()
    for _ in judge_all(model, ways, measured_on(opened, model, n, seed), found):
        pass
    return {way.name: found[way.name].metrics for way in ways}
