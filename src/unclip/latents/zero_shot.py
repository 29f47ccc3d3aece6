"""Which of these labels fits an image best? Zero-shot classification with prompt ensembles (CLIP, section 3.1.4).

A label's embedding is the mean of its unit embeddings in several templates ("an image of {}"), made a unit vector
again. An image's probabilities over the labels are softmax(cosines / temperature), the temperature being CLIP's own:
what CLIP was trained to say of captions that are equally likely beforehand.
"""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import torch.nn.functional as F

from unclip.clip.model import CLIP
from unclip.core.typing import Float, Images, Tensor, Vectors

PLAIN = ("{}",)
"""The label as it is."""


@runtime_checkable
class Sees(Protocol):
    """A finished model that has a CLIP; every text-to-image model has one."""

    clip: CLIP

    def embed_images(self, images: Images) -> Vectors: ...

    def embed_captions(self, captions: Sequence[str]) -> Vectors: ...


def prompts(labels: Sequence[str], templates: Sequence[str] = PLAIN) -> list[str]:
    """Every label in every template, label by label.

    Raises ValueError for fewer than two labels, an empty or a repeated one, and a template without its {}.
    """
    if isinstance(labels, str):
        raise ValueError(f"labels = {labels!r}: pass a list of labels")
    if len(labels) < 2:
        raise ValueError(f"{len(labels)} label{'' if labels else 's'}: name at least 2 that an image can be told by")
    if any(not label.strip() for label in labels):
        raise ValueError("an empty label: write what an image may show, in words like those of the captions")
    if repeated := {label for label in labels if list(labels).count(label) > 1}:
        raise ValueError(f"the label {min(repeated)!r} is there twice; name each once")
    for template in templates:
        if "{}" not in template:
            raise ValueError(f'template {template!r}: write {{}} where the label belongs, as "an image of {{}}"')
    return [template.replace("{}", label) for label in labels for template in templates]


def label_embeddings(model: Sees, labels: Sequence[str], templates: Sequence[str] = PLAIN) -> Vectors:
    """A unit vector a label: normalised mean of its unit embeddings in the templates. Raises as `prompts` does."""
    texts = prompts(labels, templates or PLAIN)
    return F.normalize(model.embed_captions(texts).unflatten(0, (len(labels), -1)).mean(1), dim=-1)


def probabilities(model: Sees, images: Vectors, texts: Float[Tensor, "labels d"]) -> Float[Tensor, "b labels"]:
    """softmax over the labels of cosines / temperature, on the CPU."""
    scale = model.clip.log_scale.detach().exp()
    return (scale * (images.to(texts) @ texts.t())).softmax(1).cpu()


def classify(
    model: Sees, images: Images, labels: Sequence[str], templates: Sequence[str] = PLAIN
) -> Float[Tensor, "b labels"]:
    """Classifies images by words (CLIP, Radford et al. 2021, section 3.1): the probability of each label, [b, labels].

        classify(model, x, ["a cat", "a dog"], ["{}", "an image of {}"])

    Args:
        model: a text-to-image model.
        images: [b, c, size, size] in [-1, 1]; `read_image` makes one from a file.
        labels: at least two different ones.
        templates: sentences around a label, with {} in its place; the label's embedding is the mean over them.

    Raises:
        ValueError: for labels or templates that cannot work.
    """
    texts = label_embeddings(model, labels, templates)
    return probabilities(model, model.embed_images(images), texts)
