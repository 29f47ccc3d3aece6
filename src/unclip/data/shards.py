"""Tar shards in the WebDataset layout: read as a stream, and written by `pack`."""

import gzip
import io
import itertools
import json
import os
import tarfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from unclip.core.files import write_folder
from unclip.data.decode import format_of
from unclip.data.item import (
    FileSource,
    Item,
    Source,
    captions_in,
    extension,
    held,
    is_picture,
    key_of,
    no_picture,
    stem,
    text_lines,
)

Sample = dict[str, bytes]  # name in the tar -> bytes

_ADVICE = "picture and caption must follow one another in the tar (tar --sort=name)"


def is_shard(name: str) -> bool:
    """Whether a file ends in .tar, .tar.gz or .tgz."""
    return name.lower().endswith((".tar", ".tar.gz", ".tgz"))


@dataclass(frozen=True)
class ShardSource(FileSource):
    """One tar, or a folder of them; the key of a pair is "shard-000.tar/0001.png"."""

    kind: str = field(default="webdataset shards", init=False)

    def __iter__(self) -> Iterator[Item]:
        for file in self.files:
            for sample in _samples(self.path(file.name)):
                yield _item(key_of(file.name), sample)


def _item(shard: str, sample: Sample) -> Item:
    captions, problem = _captions(sample)
    pictures = sorted((name for name in sample if is_picture(name)), key=len)  # 1.jpg before 1.mask.jpg
    if not pictures:
        name = key_of(next(iter(sample)))
        return Item(f"{shard}/{name}", no_picture, captions, f"no picture beside it; {_ADVICE}")
    return Item(f"{shard}/{key_of(pictures[0])}", held(sample[pictures[0]]), captions, problem)


def _captions(sample: Sample) -> tuple[tuple[str, ...], str | None]:
    """The captions of a sample, from its .txt or else its .json, and what is wrong with them."""
    try:
        for name in sorted((name for name in sample if extension(name) == "txt"), key=len):
            if captions := text_lines(sample[name]):
                return captions, None
        for name in sorted((name for name in sample if extension(name) == "json"), key=len):
            row = json.loads(sample[name].decode("utf-8-sig"))
            if isinstance(row, dict) and (captions := captions_in(row)):
                return captions, None
    except UnicodeDecodeError:
        return (), "its caption is not UTF-8; save it as UTF-8"
    except (ValueError, RecursionError) as error:
        return (), f"its .json is not JSON ({error})"
    return (), f"no caption in a .txt or .json beside it; {_ADVICE}"


def _samples(path: Path) -> Iterator[Sample]:
    """Neighbours in a tar that share their name up to its first dot, as WebDataset groups them."""
    with _opened(path) as tar:
        for _, group in itertools.groupby(_members(tar), lambda member: _first_stem(member[0])):
            sample = dict(group)
            if any(stem(name) == _first_stem(name) for name in sample if is_picture(name)):
                yield sample
            else:  # "cat.1.jpg cat.1.txt cat.2.jpg": here the last dot is what tells the pairs apart
                names = itertools.groupby(sample, stem)
                yield from ({name: sample[name] for name in part} for _, part in names)


def _members(tar: tarfile.TarFile) -> Iterator[tuple[str, bytes]]:
    for member in tar:
        base = member.name.rpartition("/")[2]
        known = is_picture(base) or extension(base) in {"txt", "json"}
        if not known or not member.isfile() or base.startswith("."):
            continue
        content = tar.extractfile(member)
        if content is not None:
            yield member.name.removeprefix("./"), content.read()


def _first_stem(name: str) -> str:
    folder, slash, base = name.rpartition("/")
    return folder + slash + base.partition(".")[0]


@contextmanager
def _opened(path: Path) -> Iterator[tarfile.TarFile]:
    """The tar as a forward-only stream; a ValueError names the shard when it is damaged or cut short."""
    try:
        with path.open("rb") as file:
            zipped = file.read(2) == b"\x1f\x8b"
            _check_end(file, zipped)
            # gzip, not tarfile, unpacks: it says so when the file ends early, tarfile would take that for the end.
            stream = gzip.GzipFile(fileobj=file) if zipped else file
            with tarfile.open(fileobj=stream, mode="r|*") as tar:
                yield tar
    except (tarfile.TarError, EOFError, OSError, zlib.error) as error:
        raise ValueError(f"{path}: is damaged or cut short ({error}); download or pack it again") from error


def _check_end(file: io.BufferedReader, zipped: bool) -> None:
    """A tar ends in blocks of zeros; tarfile itself does not notice a tar that was cut between two members."""
    if not zipped:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - 512))
        if any(file.read()):
            raise tarfile.ReadError("it does not end as a tar does")
    file.seek(0)


def pack(source: Source, out: Path, per_shard: int = 10_000) -> int:
    """Write a data set as WebDataset shards out/shard-00000.tar, … and return the number of pairs written.

    Pictures keep their original bytes; captions go into `.txt`, one per line; items with a problem are left out.
    The same data gives the same bytes. The folder appears only when it is complete.
    Raises ValueError when `out` is there already and not empty, per_shard < 1, or there is not one pair.
    """
    if per_shard < 1:
        raise ValueError(f"per_shard is {per_shard}; it must be at least 1")
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise ValueError(f"{out}: is there already and not empty; name a new folder")
    counts: list[int] = []

    def fill(building: Path) -> None:
        pairs = (item for item in source if item.problem is None)
        for number, first in enumerate(pairs):
            shard = itertools.chain([first], itertools.islice(pairs, per_shard - 1))
            counts.append(_write_shard(building / f"shard-{number:05d}.tar", shard, sum(counts)))
        if not counts:
            raise ValueError(f"{source.root}: there is no usable pair to pack; every picture needs a caption")

    write_folder(out, fill)
    return sum(counts)


def _write_shard(path: Path, items: Iterator[Item], start: int) -> int:
    count = 0
    with tarfile.open(path, "w", format=tarfile.USTAR_FORMAT) as tar:
        for item in items:
            try:
                data, name = item.read(), f"{start + count:08d}"
            except OSError as error:
                raise ValueError(f"{item.key}: cannot be read ({error.strerror}); check its permissions") from error
            ending = extension(item.key) if is_picture(item.key) else format_of(data)
            _add(tar, f"{name}.{ending}", data)
            _add(tar, f"{name}.txt", "\n".join(item.captions).encode())
            count += 1
    return count


def _add(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    info = tarfile.TarInfo(name)  # its defaults (time 0, user 0, mode 644) make the shard reproducible
    info.size = len(data)
    tar.addfile(info, io.BytesIO(data))
