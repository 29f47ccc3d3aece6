"""A tokenizer that learns further words: every token keeps its number, and words that were one token stay as they are.

Byte-pair encoding goes on where it had ended (Sennrich et al. 2016, algorithm 1): the most frequent pair of neighbours
in the new captions becomes a token, and its rule stands behind all that there were. A word that the old rules make one
token offers no pair to the new ones, so a caption of such words has the same numbers as before.
"""

import json
from collections.abc import Iterable, Iterator

import tokenizers
from tokenizers import models, trainers

from unclip.text.tokenizer import Tokenizer, again, check_text

FIRST = 0x10000
"""Token n is shown to the trainer as the letter FIRST + n."""


def extended(base: Tokenizer, captions: Iterable[str], vocabulary: int, longest: int) -> Tokenizer:
    """`base` with tokens for what it spells in pieces in these captions, most frequent first.

    Args:
        base: the tokenizer that the weights know; it stays as it is.
        captions: the new ones.
        vocabulary: the most tokens that the new tokenizer may have.
        longest: the most tokens of a caption. The context is the longest caption's length within it, and no less than
            that of `base`.

    Raises ValueError where `base` has more tokens than `vocabulary`.
    """
    captions = again(captions)
    if vocabulary < base.size:
        raise ValueError(
            f"vocabulary = {vocabulary}: the tokenizer that is extended has {base.size:,} tokens; take {base.size} "
            "(none is added) or more"
        )
    spelled = json.loads(base.backend.to_str())
    vocab, merges = spelled["model"]["vocab"], spelled["model"]["merges"]
    for pair in _learned(base, captions, vocabulary - base.size):
        vocab.setdefault("".join(pair), len(vocab))
        merges.append(list(pair))
    made = Tokenizer(tokenizers.Tokenizer.from_str(json.dumps(spelled)), base.context)
    lengths = made.lengths(captions)
    made.context = max(base.context, min(longest, max(lengths, default=2)))
    return made


def _learned(base: Tokenizer, captions: Iterable[str], room: int) -> list[tuple[str, str]]:
    """The rules that byte-pair encoding finds next, each a pair of tokens as the vocabulary spells them."""
    words = list(_words(base, captions))
    seen = sorted({letter for word in words for letter in word})
    if not room or not seen:
        return []
    backend = tokenizers.Tokenizer(models.BPE())
    trainer = trainers.BpeTrainer(vocab_size=len(seen) + room, initial_alphabet=seen, show_progress=False)
    backend.train_from_iterator(words, trainer)
    rules = json.loads(backend.to_str())["model"]["merges"]
    token = {chr(FIRST + number): name for name, number in base.backend.get_vocab().items()}
    spelled = [("".join(map(token.__getitem__, left)), "".join(map(token.__getitem__, right))) for left, right in rules]
    return list(dict.fromkeys(spelled))


def _words(base: Tokenizer, captions: Iterable[str]) -> Iterator[str]:
    """Each word of the captions, its tokens as letters. A word is what byte-pair encoding never crosses."""
    backend, known = base.backend, dict[str, str]()
    for caption in map(check_text, captions):
        for word, _ in backend.pre_tokenizer.pre_tokenize_str(backend.normalizer.normalize_str(caption)):
            if word not in known:
                known[word] = "".join(chr(FIRST + token.id) for token in backend.model.tokenize(word))
            yield known[word]


def pieces(base: Tokenizer, made: Tokenizer) -> list[list[int]]:
    """For each token that an extension has more than its base: the tokens that the base spells it with.

    Raises ValueError where `made` is no extension of `base`, so that its numbers mean other words.
    """
    old, new = base.backend.get_vocab(), made.backend.get_vocab()
    other = next((token for token, number in sorted(old.items()) if new.get(token) != number), None)
    if other is not None:
        raise ValueError(
            f"another tokenizer: {other!r} is token {old[other]} of the one that the weights learned with, and "
            f"{new.get(other, 'none')} of this run's"
        )
    added = sorted(new.keys() - old.keys(), key=new.__getitem__)
    return [[piece.id for piece in base.backend.model.tokenize(token)] for token in added]
