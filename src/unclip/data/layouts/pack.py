"""A data set written as tar shards."""

import io
import itertools
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path

from unclip.core.disk.new import new_folder
from unclip.core.shown import printable
from unclip.data.images.decode import format_of
from unclip.data.item import Item, Source, extension, is_picture, mixed


def pack(source: Source, out: Path, per_shard: int = 10_000, left: Callable[[Item], None] | None = None) -> int:
    """Write a data set as WebDataset shards out/shard-00000.tar, … and return the number of pairs written.

    Images keep their original bytes; captions go into `.txt`, one per line; items with a problem are left out,
    and `left` is called with each. They stay in their order, but for class folders, which are mixed: a shard of one
    class would be held out of a training as a whole.
    The same data gives the same bytes. The folder appears only when it is complete.
    Raises ValueError when `out` is there already and not empty, or is being made, per_shard < 1, there is not one
    pair, or an image is not a file.
    """
    if per_shard < 1:
        raise ValueError(f"per_shard is {per_shard}; it must be at least 1")
    with new_folder(out) as building:
        count = _write(building, _usable(source, left), per_shard)
        if not count:
            raise ValueError(f"{printable(source.root)}: there is no usable pair to pack; every image needs a caption")
    return count


def _usable(source: Source, left: Callable[[Item], None] | None) -> Iterator[Item]:
    for item in sorted(source, key=lambda item: mixed(item.key)) if source.kind == "class folders" else source:
        if item.problem is None:
            yield item
        elif left is not None:
            left(item)


def _write(building: Path, pairs: Iterator[Item], per_shard: int) -> int:
    count = 0
    for number, first in enumerate(pairs):
        shard = itertools.chain([first], itertools.islice(pairs, per_shard - 1))
        count += _write_shard(building / f"shard-{number:05d}.tar", shard, count)
    return count


def _write_shard(path: Path, items: Iterator[Item], start: int) -> int:
    count = 0
    with tarfile.open(path, "w", format=tarfile.USTAR_FORMAT) as tar:
        for item in items:
            try:
                data, name = item.read(), f"{start + count:08d}"
                if not isinstance(data, bytes):
                    raise ValueError(f"{printable(item.key)}: is in memory; only images that are files can be packed")
            except OSError as error:
                where = printable(item.key)
                raise ValueError(f"{where}: cannot be read ({error.strerror}); check its permissions") from error
            ending = extension(item.key) if is_picture(item.key) else format_of(data)
            _add(tar, f"{name}.{ending}", data)
            _add(tar, f"{name}.txt", "\n".join(item.captions).encode())
            count += 1
    return count


def _add(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    info = tarfile.TarInfo(name)  # its defaults (time 0, user 0, mode 644) make the shard reproducible
    info.size = len(data)
    tar.addfile(info, io.BytesIO(data))
