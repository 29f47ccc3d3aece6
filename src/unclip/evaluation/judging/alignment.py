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
    embeddings = {"generated": judge.embed_images(made), "real": judge.embed_images(real)}
    scores = {name: matched_against_shuffled(z, texts, captions) for name, z in embeddings.items()}
    return {"clip_score": scores, "retrieval_among_all": among_all(judge, embeddings, captions, every)}
