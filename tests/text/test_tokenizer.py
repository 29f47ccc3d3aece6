"""The tokenizer: every text survives, captions fit, saving changes nothing."""

from pathlib import Path

import pytest
import torch

from unclip.text.tokenizer import Tokenizer

CAPTIONS = [
    "a red circle left of a blue square",
    "a small green triangle on a white ground",
    "eine große Straße in Köln",
    "红色的圆形",
    "a smiling face 😀 with a flag 🏳️‍🌈",
    'two  spaces, punctuation; and "quotes" (42 %)',
]


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return Tokenizer.train(CAPTIONS, vocabulary=400)


def real(ids: torch.Tensor, mask: torch.Tensor) -> list[list[int]]:
    return [row[keep].tolist() for row, keep in zip(ids, mask, strict=True)]


@pytest.mark.parametrize("text", [*CAPTIONS, "never seen: ẞøλ🦊\u200d", "tab\there", "x"])
def test_text_comes_back_in_lower_case(tokenizer: Tokenizer, text: str):
    wide = Tokenizer(tokenizer.backend, 200)
    assert wide.decode(wide([text])[0][0].tolist()) == text.lower()


def test_captions_are_lower_cased_stripped_and_composed(tokenizer: Tokenizer):
    plain, loud, composed, apart = real(*tokenizer(["a red circle", "  A Red CIRCLE ", "k\u00f6ln", "ko\u0308ln"]))
    assert plain == loud
    assert composed == apart


def test_a_caption_is_start_words_end_padding(tokenizer: Tokenizer):
    ids, mask = tokenizer(["a red circle", "", CAPTIONS[0]])
    assert ids.shape == mask.shape
    assert ids.dtype == torch.int64
    for row, keep in zip(ids, mask, strict=True):
        n = int(keep.sum())
        assert keep.tolist() == [True] * n + [False] * (len(keep) - n)
        assert (row[0], row[n - 1]) == (tokenizer.start, tokenizer.end)
        assert (row[n:] == tokenizer.pad).all()
    assert mask.sum(1).tolist() == tokenizer.lengths(["a red circle", "", CAPTIONS[0]])
    assert mask.all(1).any()  # no column that is padding only
    assert real(ids, mask)[1] == [tokenizer.start, tokenizer.end]


def test_a_row_does_not_depend_on_its_neighbours(tokenizer: Tokenizer):
    assert real(*tokenizer(CAPTIONS)) == [real(*tokenizer([c]))[0] for c in CAPTIONS]


def test_a_cut_keeps_start_and_end(tokenizer: Tokenizer):
    short = Tokenizer(tokenizer.backend, 6)
    ids, mask = short([CAPTIONS[0] * 3, "a"])
    whole = real(*tokenizer([CAPTIONS[0]]))[0]
    assert ids.shape == (2, 6)
    assert ids[0].tolist() == [*whole[:5], tokenizer.end]
    assert mask[0].all()


def test_context_is_the_longest_caption_but_no_more_than_asked(tokenizer: Tokenizer):
    assert tokenizer.context == max(tokenizer.lengths(CAPTIONS))
    assert Tokenizer.train(CAPTIONS, vocabulary=400, longest=8).context == 8
    assert Tokenizer.train([]).context == 2


def test_vocabulary_is_no_larger_than_asked_and_holds_every_byte(tokenizer: Tokenizer):
    assert 256 + 3 <= tokenizer.size <= 400
    assert len(tokenizer(["a red circle"])[0][0]) < len("a red circle")  # frequent words were merged


def test_training_again_gives_the_same(tokenizer: Tokenizer):
    again = Tokenizer.train(iter(CAPTIONS), vocabulary=400)
    assert again.backend.to_str() == tokenizer.backend.to_str()
    assert again.context == tokenizer.context


def test_save_and_load(tokenizer: Tokenizer, tmp_path: Path):
    tokenizer.save(tmp_path / "tokenizer.json")
    loaded = Tokenizer.load(tmp_path / "tokenizer.json", tokenizer.context)
    assert loaded.size == tokenizer.size
    for a, b in zip(loaded(CAPTIONS), tokenizer(CAPTIONS), strict=True):
        assert torch.equal(a, b)


FORGED = '{"version":"1.0","added_tokens":[],"model":{"type":"\\u001b[31m"}}'


@pytest.mark.parametrize("text", [None, "", "{}", "no json", FORGED])
def test_a_missing_or_damaged_file_is_named(tmp_path: Path, text: str | None):
    path = tmp_path / "tokenizer.json"
    if text is not None:
        path.write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=r"tokenizer\.json: not a tokenizer [^\x1b]*$"):
        Tokenizer.load(path, 8)
