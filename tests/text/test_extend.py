"""A tokenizer that learns further words keeps what it knew."""

import pytest
from tests.text.test_tokenizer import CAPTIONS

from unclip.text.extend import extended, pieces
from unclip.text.tokenizer import Tokenizer

NEW = ["a grinning face with a red heart", "a grinning cat beside a face", "eine Straße, und ein Hähnchen"]
LARGE = 2000


@pytest.fixture(scope="module")
def base() -> Tokenizer:
    return Tokenizer.train(CAPTIONS, LARGE)


def test_known_words_keep_their_numbers_and_new_ones_become_one_token(base: Tokenizer):
    made = extended(base, NEW, LARGE, 77)
    for caption in CAPTIONS:
        assert made([caption])[0].tolist() == base([caption])[0].tolist()
    assert base.lengths(["grinning"])[0] > 5 and made.lengths(["grinning"]) == [3]
    assert made.lengths(NEW) == [len(caption.replace(",", " ,").split()) + 2 for caption in NEW]
    for caption in (*NEW, "Øλ🦊"):
        ids, _ = made([caption])
        assert made.decode(ids[0].tolist()) == caption.lower()
    assert extended(base, NEW, LARGE, 77).backend.to_str() == made.backend.to_str()


def test_the_pieces_of_each_further_token_spell_it(base: Tokenizer):
    made = extended(base, NEW, LARGE, 77)
    spelled = pieces(base, made)
    assert len(spelled) == made.size - base.size
    names = {number: token for token, number in made.backend.get_vocab().items()}
    for number, parts in enumerate(spelled, base.size):
        assert "".join(names[part] for part in parts) == names[number] and len(parts) > 1
    with pytest.raises(ValueError, match="another tokenizer: .* is token"):
        pieces(base, Tokenizer.train(NEW, LARGE))


def test_room_and_context(base: Tokenizer):
    none = extended(base, NEW, base.size, 77)
    assert none.size == base.size and none.backend.to_str() == base.backend.to_str()
    few = extended(base, NEW, base.size + 3, 77)
    assert few.size == base.size + 3
    assert extended(base, ["hi"], LARGE, 77).context == base.context
    assert extended(base, ["hi " * 50], LARGE, 60).context == 52
    assert extended(base, ["hi " * 90], LARGE, 60).context == 60
    assert extended(base, [], LARGE, 77).size == base.size
    with pytest.raises(ValueError, match=f"vocabulary = 9: .* has {base.size:,} tokens; take"):
        extended(base, NEW, 9, 77)
