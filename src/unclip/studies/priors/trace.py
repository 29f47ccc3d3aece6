"""`unclip evaluate --trace`: a run's scores with parts of it replaced, so that an error can be traced to its stage."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from unclip.evaluation.embedding_sources import GENERATED, SourceScores, compare_ways, tracing
from unclip.generation.priors import with_prior
from unclip.generation.text_to_image import require
from unclip.studies.priors.benchmark import judge_all, measured_on, open_unclip


@dataclass(frozen=True)
class Trace:
    """ways: way -> figures; paired: these less those of what `generate` does (`beside`)."""

    ways: dict[str, Any]
    paired: dict[str, Any]


def trace(root: Path, n: int, seed: int) -> Trace:
    """The run's figures with parts of it replaced.

    Raises ValueError for a run without a prior, an unfinished one, or one whose data are gone.
    """
    opened, model = open_unclip(root)
    own, text, none = (require(with_prior(model, name).prior, "prior") for name in ("diffusion", "text", "none"))
    ways, found = tracing(own, text, none), dict[str, SourceScores]()
    for _ in judge_all(model, ways, measured_on(opened, model, n, seed), found):
        pass
    return Trace({name: scores.metrics for name, scores in found.items()}, compare_ways(found, GENERATED, seed))
