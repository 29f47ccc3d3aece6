"""Do images fit their captions? Asked of a CLIP that the images were not made to please: that of another run."""

from collections.abc import Sequence
from typing import Any

from unclip.core.typing import Images
from unclip.evaluation.alignment import matched_against_shuffled
from unclip.evaluation.suite import among_all
from unclip.generation.captioned import CaptionedModel


def judged_alignment(
    judge: CaptionedModel, made: Images, real: Images, captions: Sequence[str], every: Sequence[str]
) -> dict[str, Any]:
    """CLIP score with the own caption and with another one (the shuffled control), and retrieval among all captions of
    the data set, of generated images and of real ones. Raises ValueError for images of a size that the judge was not
    trained on."""
    if judge.size != made.shape[-1]:
        raise ValueError(
            f"the images have {made.shape[-1]} px, this judge's CLIP sees {judge.size} px: name a run with --size "
            f"{made.shape[-1]}"
        )
    texts = judge.embed_captions(captions)
    sets = {"generated": made, "real": real}
    scores = {name: matched_against_shuffled(judge.embed_images(x), texts, captions) for name, x in sets.items()}
    return {"clip_score": scores, "retrieval_among_all": among_all(judge, sets, captions, every)}
