"""The first captions of streamed shards: what a tokenizer learns its words from, and which classes there are."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

from unclip.core.disk.atomic import write_atomic
from unclip.data.files.listing import File
from unclip.data.files.regular import open_regular
from unclip.data.item import is_picture, key_of
from unclip.data.prepare.read import WORDS, read_captions
from unclip.data.stream.index import check_same, gone, sample_item
from unclip.data.stream.sample import hashed
from unclip.data.stream.shards import TEXTS, Shards

MOST = 10_000
"""Images whose captions are read before the first step."""


def note_texts(shards: Shards) -> None:
    """Keeps the captions of the first `MOST` images, shard by shard in the order of their hashes, and the words that
    these and the prepared images have; once. Raises ValueError where a shard is gone or has changed."""
    if (shards.place / TEXTS).exists():
        return
    found, words = list[tuple[str, ...]](), set[str]()
    for file in hashed(shards.trained):
        found += _captions(shards, file, MOST - len(found))
        if len(found) >= MOST:
            break
    for caption in (*(text for some in found for text in some), *read_captions(shards.place)):
        words.update(caption.split())
    write_atomic(shards.place / WORDS, "".join(f"{word}\n" for word in sorted(words)))
    write_atomic(shards.place / TEXTS, "".join(f"{json.dumps(some)}\n" for some in found))


def read_texts(place: Path) -> list[tuple[str, ...]]:
    """What `note_texts` kept. Raises ValueError that names the file where it is damaged or gone."""
    try:
        lines = (place / TEXTS).read_text(encoding="utf-8").splitlines()
        return [tuple(map(str, json.loads(line))) for line in lines]
    except (OSError, ValueError, TypeError) as error:
        raise ValueError(
            f"{place / TEXTS}: the captions of the run's shards are gone or damaged ({error}); delete the file, and "
            "the same `unclip train` reads them again"
        ) from error


def _captions(shards: Shards, file: File, most: int) -> Iterator[tuple[str, ...]]:
    """The captions of the first images of a shard; no image is read."""
    found, path = shards.index(file), shards.path(file.name)
    shards.note(file, found, write=True)
    try:
        with open_regular(path) as tar:
            check_same(path, file, os.fstat(tar.fileno()))
            for row in found.rows[:most]:
                item = sample_item(tar, key_of(file.name), row, shards.column, lambda name: not is_picture(name))
                if item.problem is None and item.captions:
                    yield item.captions
    except OSError as error:
        raise gone(path, error) from error
