"""A prepared data set on disk: images.npy, captions.jsonl, prepared.json, and what is done with them."""

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8

from unclip.data.prepare.inspect import DataReport
from unclip.data.prepare.rows import Column, Lines, Texts

VERSION = 2
HEADER = 128
"""Bytes of the npy header, a multiple of 64 so that the pixels stay aligned in memory."""
_AGAIN = "prepare the data again"
Rows = int | np.integer | slice | Sequence[int] | np.ndarray
"""Which images: a number, a part, or a list of numbers."""

SKIPPED = "skipped.jsonl"
"""Names what could not be used, with the reason."""
WORDS = "words.txt"
"""A word a line, of all captions, where the data set holds only some of them (a model in the box)."""


class Pictures:
    """uint8 [n, size, size, 3] on disk. Each image is compared with the digest that was taken when it was prepared,
    when this process first looks at it: a flipped bit is found before it is trained on or judged by."""

    def __init__(self, place: Path, file: np.ndarray, digests: Sequence[str], keys: Sequence[str]) -> None:
        self._place, self._file, self._digests, self._keys = place, file, digests, keys
        self._numbers, self._sound = np.arange(len(file)), np.zeros(len(file), dtype=bool)

    @property
    def shape(self) -> tuple[int, ...]:
        """(n, size, size, 3): images, height, width, channels."""
        return self._file.shape

    def __len__(self) -> int:
        return len(self._file)

    def __getitem__(self, rows: Rows) -> UInt8[np.ndarray, "*n size size 3"]:
        """A copy of these images. Raises ValueError that names the one that has changed, and what to do."""
        pixels, numbers = np.array(self._file[rows]), self._numbers[rows]
        new = np.flatnonzero(~self._sound[np.atleast_1d(numbers)])
        for place in new.tolist():
            row = int(np.atleast_1d(numbers)[place])
            if digest((pixels if pixels.ndim == 3 else pixels[place]).tobytes()) != self._digests[row]:
                raise ValueError(
                    f"{self._place}: damaged: the image of {self._keys[row]} is not the one that was prepared; "
                    "delete this file and run the same `unclip train` again: it is made anew from the data"
                )
            self._sound[row] = True
        return pixels

    def __iter__(self) -> Iterator[UInt8[np.ndarray, "size size 3"]]:
        return (self[row] for row in range(len(self)))


@dataclass(frozen=True, eq=False)
class Prepared:
    """A prepared data set: images of one size with their captions. Row i of each is the same image; what is not held in
    memory is read where it is asked for.

    Args:
        images: uint8 [n, size, size, 3], read from disk when they are indexed.
        captions: the captions of each image.
        keys: the path of each image in the data set that it comes from.
        report: what the preparation found.
        digests: a hash of the pixels of each image, in hex.
    """

    images: Pictures
    captions: Sequence[tuple[str, ...]]
    keys: Sequence[str]
    report: DataReport
    digests: Sequence[str]

    def __len__(self) -> int:
        return len(self.keys)

    @property
    def size(self) -> int:
        """The side of the images in pixels."""
        return self.images.shape[1]

    @property
    def texts(self) -> Texts:
        """Every caption."""
        return Texts(self.captions)


def digest(pixels: bytes) -> str:
    """By which the pixels of an image are known, hex."""
    return hashlib.blake2b(pixels, digest_size=16).hexdigest()


def temporary(path: Path) -> Path:
    """Where a file is written before it gets its name."""
    return path.with_name(path.name + ".tmp")


def npy_header(shape: tuple[int, ...]) -> bytes:
    """Version 1.0 of the npy format: magic, length as uint16, a Python dict padded with spaces."""
    about = f"{{'descr': '|u1', 'fortran_order': False, 'shape': {shape}, }}".encode()
    return b"\x93NUMPY\x01\x00" + (HEADER - 10).to_bytes(2, "little") + about.ljust(HEADER - 11) + b"\n"


def read_about(out: Path) -> dict[str, Any] | None:
    """prepared.json, or None where there is none; raises ValueError when it is damaged."""
    try:
        about = json.loads((out / "prepared.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise ValueError(f"{out / 'prepared.json'}: is damaged ({error}); delete it and {_AGAIN}") from error
    return about if isinstance(about, dict) else None


def load_prepared(out: str | Path) -> Prepared:
    """Opens a prepared data set, such as the folder `data` of a run.

    The captions are compared with their hash at once; they and the images stay on disk, and each image is compared with
    its digest when it is first looked at. So a million images are there at once.

    Raises ValueError where there is none, another version wrote it, or its files do not fit together.
    """
    out = Path(out)
    about = read_about(out)
    if about is None:
        raise ValueError(f"{out}: holds no prepared data set (no prepared.json); {_AGAIN}")
    if about.get("version") != VERSION:
        raise ValueError(f"{out}: has format version {about.get('version')}, this unclip reads {VERSION}; {_AGAIN}")
    place = out / "captions.jsonl"
    try:
        images, lines = np.load(out / "images.npy", mmap_mode="r", allow_pickle=False), Lines(place)
        if lines.sha256 != about["sha256"][place.name]:
            raise ValueError(f"{place}: SHA-256 {lines.sha256[:12]}..., expected {about['sha256'][place.name][:12]}...")
        report = DataReport.from_dict(about["report"])
        fits = images.shape == (len(lines), about["size"], about["size"], 3) and images.dtype == np.uint8
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{out}: is damaged ({error}); run the same `unclip train` again: it is made anew") from error
    if not fits or len(lines) != about["count"]:
        raise ValueError(f"{out}: images.npy {images.shape} and its {len(lines)} captions do not fit; {_AGAIN}")
    digests, keys = Column(lines, "digest", str), Column(lines, "key", str)
    pictures = Pictures(out / "images.npy", images, digests, keys)
    return Prepared(pictures, Column(lines, "captions", tuple), keys, report, digests)


def reusable(out: Path, size: int, fingerprint: str, how: dict[str, Any]) -> Prepared | None:
    """What an earlier call left, if it is whole, of the same files and size, and made in the same way."""
    try:
        about = read_about(out)
        wanted = (size, fingerprint, how)
        if about is None or (about.get("size"), about.get("fingerprint"), about.get("how")) != wanted:
            return None
        return load_prepared(out)
    except ValueError:  # damaged, or of another version: it is made anew from the same files
        return None


def read_captions(out: Path) -> Iterator[str]:
    """Every caption of a prepared data set, in its order, without opening the images."""
    with (out / "captions.jsonl").open(encoding="utf-8") as lines:
        for line in lines:
            yield from json.loads(line)["captions"]


def has_words(out: Path) -> bool:
    """Whether it is known which words the captions of a data set have."""
    return (out / WORDS).exists() or (out / "captions.jsonl").exists()


def read_words(out: Path) -> Iterator[str]:
    """Texts that together have every word of its captions."""
    if (out / WORDS).exists():
        return iter((out / WORDS).read_text(encoding="utf-8").splitlines())
    return read_captions(out)
