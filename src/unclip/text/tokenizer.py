"""A byte-level BPE tokenizer trained on the user's own captions (Hugging Face `tokenizers`), saved with the model.

Text is lower-cased and stripped, as CLIP's is; a caption becomes <start> ... <end> <pad> ...
"""

import itertools
from collections.abc import Iterable, Sequence
from pathlib import Path

import torch
from tokenizers import Tokenizer as Backend
from tokenizers import decoders, models, normalizers, pre_tokenizers, trainers

from unclip.core.disk.atomic import write_atomic
from unclip.core.shown import printable
from unclip.core.typing import Ids, Mask

PAD, START, END = "<pad>", "<start>", "<end>"
FEW, MANY = 100, 10_000
"""Captions that are read one by one; those that are held at once where all of a data set are read."""


def check_text(text: str) -> str:
    """The text. Raises ValueError for what is not a text, as the words of a command that were not typed in UTF-8."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise ValueError(f"{printable(text)}: not UTF-8 text (letter {error.start + 1}); type it in UTF-8") from error
    return text


def again(captions: Iterable[str]) -> Iterable[str]:
    """The same, to be gone through more than once: held in memory only where it is an iterator."""
    return list(captions) if iter(captions) is captions else captions


class Tokenizer:
    """Text to ids and back. `context`: the most tokens of a caption, <start> and <end> included."""

    def __init__(self, backend: Backend, context: int) -> None:
        self.backend, self.context = backend, context
        backend.encode_special_tokens = True  # a caption that says "<end>" means the letters
        self.start, self.end = self._number(START), self._number(END)
        pad = backend.token_to_id(PAD)
        self.pad = self.end if pad is None else pad  # as CLIP's own pads

    @classmethod
    def train(cls, captions: Iterable[str], vocabulary: int = 4096, longest: int = 77) -> "Tokenizer":
        """Learns at most `vocabulary` tokens; the context is the longest caption's length, at most `longest`.

        Raises ValueError for a caption that is not UTF-8 text.
        """
        captions = again(captions)
        backend = Backend(models.BPE())
        backend.normalizer = normalizers.Sequence([normalizers.NFC(), normalizers.Lowercase(), normalizers.Strip()])
        backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
        backend.decoder = decoders.ByteLevel()
        trainer = trainers.BpeTrainer(
            vocab_size=vocabulary,
            special_tokens=[PAD, START, END],
            initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
            show_progress=False,
        )
        backend.train_from_iterator(map(check_text, captions), trainer)
        return cls(backend, longest).fitted(captions)

    def fitted(self, captions: Iterable[str]) -> "Tokenizer":
        """The same with the longest caption's length as its context, where that is less."""
        return Tokenizer(self.backend, min(self.context, max(self.lengths(captions), default=2)))

    @property
    def size(self) -> int:
        """Number of tokens in the vocabulary."""
        return self.backend.get_vocab_size()

    def _number(self, token: str) -> int:
        found = self.backend.token_to_id(token)
        if found is None:
            raise ValueError(f"it has no token {token}")
        return found

    def name(self, number: int) -> str:
        """How a token is written. number: below `size`."""
        found = self.backend.id_to_token(number)
        assert found is not None, number
        return found

    def lengths(self, captions: Iterable[str]) -> list[int]:
        """Tokens of each caption before any cut, <start> and <end> included."""
        rest = iter(captions)
        parts = iter(lambda: list(itertools.islice(rest, MANY)), [])
        return [len(ids) + 2 for some in parts for ids in self._encoded(some)]

    def __call__(self, captions: Sequence[str]) -> tuple[Ids, Mask]:
        """ids [b, n] and the mask of real tokens [b, n]; n: the longest caption; those over `context` are cut."""
        return self.padded(self.rows(captions))

    def rows(self, captions: Sequence[str]) -> list[list[int]]:
        """The ids of each caption, cut to `context`, with <start> and <end>."""
        return [[self.start, *ids[: self.context - 2], self.end] for ids in self._encoded(captions)]

    def padded(self, rows: Sequence[Sequence[int]]) -> tuple[Ids, Mask]:
        """The same as one tensor [b, n], and the mask of what is no padding."""
        longest = max(map(len, rows))
        ids = torch.tensor([[*row, *[self.pad] * (longest - len(row))] for row in rows])
        lengths = torch.tensor([len(row) for row in rows])
        return ids, torch.arange(longest)[None] < lengths[:, None]

    def split(self, caption: str) -> tuple[str, str]:
        """What of a caption is within the context, and the rest of it, as the tokens spell them."""
        [ids], maximum = self._encoded([caption]), self.context - 2
        return self.decode(ids[:maximum]), self.decode(ids[maximum:])

    def _encoded(self, captions: Sequence[str]) -> list[list[int]]:
        texts = list(map(check_text, captions))
        if len(texts) < FEW:  # one by one: the threads of a batch would disturb torch's
            return [self.backend.encode(text).ids for text in texts]
        return [e.ids for e in self.backend.encode_batch(texts)]

    def decode(self, ids: Sequence[int]) -> str:
        """The text without special tokens."""
        text = self.backend.decode([i for i in ids if i not in (self.pad, self.start, self.end)])
        suffix = getattr(self.backend.model, "end_of_word_suffix", None)  # of CLIP's own words
        return (text.replace(suffix, " ") if suffix else text).strip()

    def save(self, path: Path) -> None:
        """Writes `tokenizer.json`; the context travels in the models' configs."""
        write_atomic(path, self.backend.to_str(pretty=True))

    @classmethod
    def of(cls, text: str, context: int) -> "Tokenizer":
        """Of what `tokenizer.json` holds. Raises an Exception of the backend's, or ValueError, where it is none."""
        return cls(Backend.from_str(text), context)

    @classmethod
    def load(cls, path: Path, context: int) -> "Tokenizer":
        """Reads `tokenizer.json`. Raises ValueError that names the file where it is missing or damaged."""
        try:
            return cls.of(path.read_text(encoding="utf-8"), context)
        except Exception as error:
            raise ValueError(
                f"{path}: not a tokenizer ({printable(error)}); train again or copy it from the run"
            ) from error
