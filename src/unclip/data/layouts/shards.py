"""Tar shards in the WebDataset layout, read as a stream that holds one sample at a time."""

import itertools
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from unclip.core.shown import printable
from unclip.data.files.members import CAPTIONS, Member, members
from unclip.data.files.regular import MOST_PACKED
from unclip.data.item import (
    FileSource,
    Item,
    Skipped,
    captions_in,
    clean,
    extension,
    held,
    is_picture,
    key_of,
    lacks_captions,
    no_picture,
    normal,
    same,
    stem,
    text_lines,
)

_ADVICE = "image and caption must follow one another in the tar (tar --sort=name)"
MOST_HELD = 64_000_000
"""Bytes of members with one first name, after which they are taken apart by their last dot."""

Sample = dict[str, Member]


def is_shard(name: str) -> bool:
    """Whether a file ends in .tar, .tar.gz or .tgz."""
    return name.lower().endswith((".tar", ".tar.gz", ".tgz"))


@dataclass(frozen=True)
class ShardSource(FileSource):
    """One tar, or a folder of them; the key of a pair is "shard-000.tar/0001.png"."""

    kind: str = field(default="webdataset shards", init=False)

    def __iter__(self) -> Iterator[Item]:
        for file in self.files:
            shard = key_of(file.name)
            for sample in samples_of(members(self.path(file.name))):
                yield from items_of(shard, sample, self.column)


def items_of(shard: str, sample: Sample, column: str) -> Iterator[Item]:
    """The pair of a sample, and a refusal for each member of it that may not be read."""
    for member in sample.values():
        if member.refused:
            read = Skipped(member.refused) if is_picture(member.name) else no_picture
            yield Item(f"{shard}/{key_of(member.name)}", read, (), member.refused)
    read = {name: member for name, member in sample.items() if not member.refused}
    pictures = sorted(filter(is_picture, read), key=len)  # 1.jpg before 1.mask.jpg
    if pictures:
        (captions, problem), data = _captions(read, column), read[pictures[0]].data
        yield Item(f"{shard}/{key_of(pictures[0])}", held(data), captions, problem, len(data))
    elif texts := [name for name in read if extension(name) in CAPTIONS]:
        captions, _ = _captions(read, column)
        yield Item(f"{shard}/{key_of(texts[0])}", no_picture, captions, f"no image beside it; {_ADVICE}")


def _captions(sample: Sample, column: str) -> tuple[tuple[str, ...], str | None]:
    """The captions of a sample, from its .txt, .caption, .json or .cls, and what is wrong with them."""
    row: dict[str, object] = {}
    try:
        for name in sorted(sample, key=lambda name: (_rank(name), len(name))):
            data, ending = sample[name].data, extension(name)
            if ending in ("txt", "caption") and (captions := text_lines(data)):
                return captions, None
            if ending == "json":
                found = json.loads(data.decode("utf-8-sig"))
                row = found if isinstance(found, dict) else {}
                if captions := captions_in(normal(row), column):
                    return captions, None
            if ending == "cls" and (captions := _class(data)):
                return captions, None
    except UnicodeDecodeError:
        return (), "its caption is not UTF-8; save it as UTF-8"
    except (ValueError, RecursionError) as error:
        return (), f"its .json is not JSON ({error})"
    if row:
        return (), lacks_captions("its .json", row, column)
    endings = sorted({extension(name) for name in sample if not is_picture(name)} - {""})
    lies = (
        f"beside it lies {', '.join(f'.{printable(e, 20)}' for e in endings)}" if endings else "nothing lies beside it"
    )
    return (), f"no caption in a .txt, .caption, .json or .cls; {lies}; {_ADVICE}"


def _rank(name: str) -> int:
    return CAPTIONS.index(extension(name)) if extension(name) in CAPTIONS else len(CAPTIONS)


def _class(data: bytes) -> tuple[str, ...]:
    """The caption of a .cls: the name of the class, or "class 7" where there is only a number."""
    text = data.decode("utf-8-sig").strip()
    return clean([f"class {text}" if re.fullmatch(r"-?\d+", text) else text.replace("_", " ")])


def samples_of(stream: Iterator[Member]) -> Iterator[Sample]:
    """Neighbours in a tar that share their name up to its first dot, as WebDataset groups them."""
    for first, group in itertools.groupby(stream, lambda member: _first_stem(member.name)):
        sample, size = Sample(), 0
        for member in group:
            if member.repeated:  # of its own, so that it takes no other's place
                yield {member.name: member}
                continue
            size += member.size
            if size > MOST_PACKED:
                member = Member(member.name, b"", f"makes its sample larger than {MOST_PACKED / 1e6:,.0f} MB")
            sample[member.name] = member
            if size > MOST_HELD and not _names(sample, first):
                *whole, sample = _parts(sample)
                yield from whole
                size = sum(kept.size for kept in sample.values())
        yield from [sample] if _names(sample, first) else _parts(sample)


def _names(sample: Sample, first: str) -> bool:
    """Whether an image of the sample has just the name that all of them share."""
    return any(same(stem(name)) == first for name in sample if is_picture(name))


def _parts(sample: Sample) -> Iterator[Sample]:
    """ "cat.1.jpg cat.1.txt cat.2.jpg": here the last dot is what tells the pairs apart."""
    for _, names in itertools.groupby(sample, lambda name: same(stem(name))):
        yield {name: sample[name] for name in names}


def _first_stem(name: str) -> str:
    folder, slash, base = same(name).rpartition("/")
    return folder + slash + base.partition(".")[0]
