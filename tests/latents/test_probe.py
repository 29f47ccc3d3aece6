"""Projections on principal components, and CLIP's choice among labels."""

import pytest
import torch
import torch.nn.functional as F
from tests.fakes import draw
from tests.latents.gaussian import CAPTIONS, gaussian

from unclip.latents.probe import likely, reconstructions


def test_all_components_give_the_embedding_back_and_fewer_come_ever_nearer():
    data = F.normalize(draw(200, 12) * torch.linspace(2, 0.2, 12) + 1, dim=1)
    z = data[:1]
    dims, kept, explained = reconstructions(z, data)
    assert dims == (1, 2, 4, 8, 12)
    assert torch.allclose(kept.norm(dim=1), torch.ones(5), atol=1e-6)
    assert torch.allclose(kept[-1:], z, atol=1e-6)
    away = (kept - z).norm(dim=1)
    assert (away.diff() < 0).all()
    assert explained[-1] == pytest.approx(1)
    assert list(explained) == sorted(explained)


def test_data_of_few_dimensions_need_no_more_of_them():
    plane = F.normalize(draw(2, 9), dim=1)
    data = draw(100, 2) @ plane
    dims, kept, explained = reconstructions(data[:1], data)
    assert dims == (1, 2, 4, 8, 9)
    assert explained[1] == pytest.approx(1)
    assert torch.allclose(kept[1], F.normalize(data[0], dim=0), atol=1e-5)


def test_labels_are_a_softmax_of_scaled_cosines():
    model = gaussian()
    texts = model.embed_captions(CAPTIONS)
    found = likely(model, texts[2:3], CAPTIONS)
    assert found[0][0] == CAPTIONS[2]
    right = (model.clip.log_scale.exp() * texts[2:3] @ texts.t()).softmax(1)[0]
    assert dict(found) == pytest.approx(dict(zip(CAPTIONS, right.tolist(), strict=True)), rel=1e-4)
