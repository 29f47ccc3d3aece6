"""Zero-shot classification: the formula, a CLIP that tells colours by prompt ensembles, and what is refused."""

import pytest
import torch
import torch.nn.functional as F
from tests.drawn import NAMES, SHAPES
from tests.latents.seeing import COLOURS, IMAGES, NEW, trained

from unclip.latents.zero_shot import classify, label_embeddings, prompts

TEMPLATES = tuple(f"{{}} {shape}" for shape in SHAPES)


def test_a_label_is_the_normalised_mean_over_its_templates():
    found = label_embeddings(trained(), ["red", "blue"], ["{} circle", "{} square", "{}"])
    for label, vector in zip(("red", "blue"), found, strict=True):
        each = trained().embed_captions([f"{label} circle", f"{label} square", label])
        assert torch.allclose(each.norm(dim=1), torch.ones(3), atol=1e-5)
        assert torch.allclose(vector, F.normalize(each.mean(0), dim=0), atol=1e-6)
    assert torch.allclose(
        label_embeddings(trained(), ["red", "blue"])[0], trained().embed_captions(["red"])[0], atol=1e-6
    )


def test_probabilities_are_the_softmax_at_clips_temperature():
    model, labels = trained(), ["red circle", "blue square", "green circle"]
    cosines = model.embed_images(IMAGES[:4]) @ model.embed_captions(labels).t()
    temperature = 1 / model.clip.log_scale.exp()
    assert torch.allclose(classify(model, IMAGES[:4], labels), (cosines / temperature).softmax(1), atol=1e-5)


def test_tells_colours_whatever_the_shape():
    def right(templates: tuple[str, ...]) -> float:
        found = classify(trained(), IMAGES[NEW], NAMES, templates).argmax(1)
        return (found == COLOURS[NEW]).float().mean().item()

    one_shape = [right((template,)) for template in TEMPLATES]
    assert right(TEMPLATES) > 0.7  # chance is one in six
    assert right(TEMPLATES) >= sum(one_shape) / len(one_shape)


@pytest.mark.parametrize(
    "labels, templates, why",
    [
        (["red"], ["{}"], "1 label: name at least 2"),
        ([], ["{}"], "0 labels"),
        ("red", ["{}"], "pass a list"),
        (["red", " "], ["{}"], "an empty label"),
        (["red", "blue", "red"], ["{}"], "'red' is there twice"),
        (["red", "blue"], ["a heart"], "write {} where the label belongs"),
    ],
)
def test_refuses(labels: list[str], templates: list[str], why: str):
    with pytest.raises(ValueError, match=why):
        prompts(labels, templates)


def test_braces_in_labels_are_letters():
    assert prompts(["{0}", "}{"], ["a {}!"]) == ["a {0}!", "a }{!"]
