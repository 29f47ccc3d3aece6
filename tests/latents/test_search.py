"""Retrieval both ways: words find images, an image finds itself and its caption."""

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from tests.drawn import NAMES
from tests.fakes import draw
from tests.latents.seeing import CAPTIONS, COLOURS, IMAGES, trained

from unclip.images.files import to_pictures
from unclip.latents.search import captions_near, embed_query, is_file, nearest_rows, read_query


def test_nearest_is_the_order_of_the_cosines():
    among, query = F.normalize(draw(30, 8, key="among"), dim=1), F.normalize(draw(1, 8, key="query"), dim=1)
    cosines = (among @ query[0]).tolist()
    found = nearest_rows(query, among, 7)
    assert [f.row for f in found] == sorted(range(30), key=lambda i: -cosines[i])[:7]
    assert [f.cosine for f in found] == pytest.approx(sorted(cosines)[:-8:-1])
    assert len(nearest_rows(query, among, 99)) == 30


def test_words_find_their_pictures():
    every = trained().embed_images(IMAGES)
    right = []
    for colour in range(len(NAMES)):
        found = nearest_rows(embed_query(trained(), f"{NAMES[colour]} circle"), every, 5)
        right += [COLOURS[f.row].item() == colour for f in found]
    assert sum(right) / len(right) > 0.7


def test_a_picture_finds_itself_and_captions_of_its_colour(tmp_path: Path):
    every, names, right = trained().embed_images(IMAGES), sorted(set(CAPTIONS)), 0
    for row in (3, 290, 311):
        to_pictures(IMAGES[row : row + 1])[0].save(tmp_path / "a.png")
        query = embed_query(trained(), read_query(trained(), str(tmp_path / "a.png")))
        first = nearest_rows(query, every, 1)[0]
        assert torch.equal(IMAGES[first.row], IMAGES[row])
        assert first.cosine > 0.99
        near = captions_near(trained(), query, names, 3)
        assert [cosine for _, cosine in near] == sorted((cosine for _, cosine in near), reverse=True)
        right += near[0][0].split()[0] == CAPTIONS[row].split()[0]
    assert right >= 2


def test_what_is_a_file_and_what_are_words(tmp_path: Path):
    (tmp_path / "noend").write_bytes(b"")
    assert is_file(str(tmp_path / "noend"))
    assert is_file("missing.PNG")
    assert not is_file("a red heart.")
    with pytest.raises(ValueError, match="missing.PNG: no such image"):
        read_query(trained(), "missing.PNG")


def test_refuses():
    unit = F.normalize(draw(3, 8), dim=1)
    with pytest.raises(ValueError, match="n = 0: ask for at least 1"):
        nearest_rows(unit[:1], unit, 0)
    with pytest.raises(ValueError, match="width 4 and 8: these are of different CLIPs"):
        nearest_rows(unit[:1, :4], unit, 1)
    with pytest.raises(ValueError, match="an empty query"):
        read_query(trained(), " ")
