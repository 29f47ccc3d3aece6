"""A prepared data set on disk: images.npy, captions.jsonl, prepared.json, and what is done with them."""

import hashlib
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, TextIO

import numpy as np
from jaxtyping import Int64, UInt8

from unclip.core.files import write_atomic
from unclip.data.inspect import DataReport

VERSION = 1
_HEADER = 128  # bytes of the npy header, a multiple of 64 so that the pixels stay aligned in memory
_AGAIN = "prepare the data again"


@dataclass(frozen=True, eq=False)
class Prepared:
    """Pictures of one size with their captions, in the order of the source; row i of all three belongs together."""

    images: UInt8[np.ndarray, "n size size 3"]  # memory-mapped
    captions: list[tuple[str, ...]]
    keys: list[str]
    report: DataReport

    def __len__(self) -> int:
        return len(self.keys)

    @property
    def size(self) -> int:
        """The side of the pictures in pixels."""
        return self.images.shape[1]

    def split(
        self, held_out: float = 0.05, seed: int = 0, most: int = 1000
    ) -> tuple[Int64[np.ndarray, " train"], Int64[np.ndarray, " held"]]:
        """(training, held-out) row indices, each ascending.

        A pair is held out when the hash of its key falls below `held_out`, so it stays where it is when data is
        added; of more than `most` the smallest hashes are taken. Copies of a picture go by the first one's key: a
        held-out picture is not trained on under another name. At least one pair is held out, never more than half
        (where these bounds cut through copies, they are parted). Raises ValueError when there are fewer than two
        pairs or `held_out` is not in [0, 1].
        """
        if len(self) < 2:
            raise ValueError(f"a data set of {len(self)} pair cannot be split; it needs at least 2")
        if not 0 <= held_out <= 1:
            raise ValueError(f"held_out is {held_out}; it must be a share between 0 and 1")
        first: dict[bytes, str] = {}
        names = (first.setdefault(_digest(x), key) for x, key in zip(self.images, self.keys, strict=True))
        hashes = np.array([_hash(seed, name) for name in names])
        count = max(1, min(int((hashes < held_out).sum()), most, len(self) // 2))
        chosen = np.zeros(len(self), dtype=bool)
        chosen[np.argsort(hashes, kind="stable")[:count]] = True
        return np.flatnonzero(~chosen), np.flatnonzero(chosen)


def _digest(pixels: np.ndarray) -> bytes:
    return hashlib.blake2b(pixels.tobytes(), digest_size=16).digest()


def _hash(seed: int, key: str) -> float:
    """A number in [0, 1) that depends on the key and the seed alone."""
    digest = hashlib.blake2b(f"{seed}:{key}".encode(), digest_size=6).digest()
    return int.from_bytes(digest) / 2**48


class Writer:
    """Writes a prepared data set under temporary names; `commit` renames them, prepared.json last.

    A data set without prepared.json does not exist, so that a killed preparation is simply done again.
    """

    def __init__(self, out: Path, size: int) -> None:
        out.mkdir(parents=True, exist_ok=True)
        (out / "prepared.json").unlink(missing_ok=True)
        self.out, self.size, self.count = out, size, 0
        self.images: BinaryIO = _temporary(out / "images.npy").open("wb")
        self.captions: TextIO = _temporary(out / "captions.jsonl").open("w", encoding="utf-8")
        self.skipped: TextIO = _temporary(out / "skipped.jsonl").open("w", encoding="utf-8")
        self.images.write(bytes(_HEADER))  # n is not known before the end

    def __enter__(self) -> "Writer":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for file in (self.images, self.captions, self.skipped):
            file.close()
            Path(file.name).unlink(missing_ok=True)

    def add(self, pixels: np.ndarray, key: str, captions: tuple[str, ...]) -> None:
        """One more pair; raises ValueError when the pixels are not uint8 [size, size, 3]."""
        if pixels.shape != (self.size, self.size, 3) or pixels.dtype != np.uint8:
            wanted = f"uint8 [{self.size}, {self.size}, 3]"
            raise ValueError(f'picture "{key}" is {pixels.dtype} {list(pixels.shape)}; it must be {wanted}')
        self.images.write(pixels.tobytes())
        self.captions.write(_line({"key": key, "captions": captions}))
        self.count += 1

    def skip(self, key: str, reason: str) -> None:
        """Note an item that cannot be used."""
        self.skipped.write(_line({"key": key, "reason": reason}))

    def keep_skipped(self) -> Path:
        """Give skipped.jsonl its name, also where nothing else will be kept; returns its path."""
        return _rename(self.skipped, self.out / "skipped.jsonl")

    def commit(self, report: DataReport, fingerprint: str) -> None:
        """Make the data set exist."""
        self.images.seek(0)
        self.images.write(_npy_header((self.count, self.size, self.size, 3)))
        _rename(self.images, self.out / "images.npy")
        _rename(self.captions, self.out / "captions.jsonl")
        self.keep_skipped()
        about = {"version": VERSION, "size": self.size, "count": self.count, "kind": report.kind}
        about |= {"fingerprint": fingerprint, "report": report.as_dict()}
        write_atomic(self.out / "prepared.json", json.dumps(about, indent=2))


def _temporary(path: Path) -> Path:
    return path.with_name(path.name + ".tmp")


def _rename(file: BinaryIO | TextIO, path: Path) -> Path:
    """Close and rename, the bytes on the disk first: a rename must not survive a power cut that its data did not."""
    if not file.closed:
        file.flush()
        os.fsync(file.fileno())
        file.close()
        os.replace(_temporary(path), path)
    return path


def _line(values: dict[str, Any]) -> str:
    return json.dumps(values, ensure_ascii=False) + "\n"


def _npy_header(shape: tuple[int, ...]) -> bytes:
    """Version 1.0 of the npy format: magic, length as uint16, a Python dict padded with spaces."""
    about = f"{{'descr': '|u1', 'fortran_order': False, 'shape': {shape}, }}".encode()
    return b"\x93NUMPY\x01\x00" + (_HEADER - 10).to_bytes(2, "little") + about.ljust(_HEADER - 11) + b"\n"


def read_about(out: Path) -> dict[str, Any] | None:
    """prepared.json, or None where there is none; raises ValueError when it is damaged."""
    try:
        about = json.loads((out / "prepared.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise ValueError(f"{out / 'prepared.json'}: is damaged ({error}); delete it and {_AGAIN}") from error
    return about if isinstance(about, dict) else None


def load_prepared(out: Path) -> Prepared:
    """Open a prepared data set; the pictures stay on disk until they are looked at.

    Raises ValueError when there is none, when another version wrote it, or when its files do not fit together.
    """
    about = read_about(out)
    if about is None:
        raise ValueError(f"{out}: holds no prepared data set (no prepared.json); {_AGAIN}")
    if about.get("version") != VERSION:
        raise ValueError(f"{out}: has format version {about.get('version')}, this unclip reads {VERSION}; {_AGAIN}")
    try:
        images = np.load(out / "images.npy", mmap_mode="r", allow_pickle=False)
        rows = list(_rows(out / "captions.jsonl"))
        report = DataReport.from_dict(about["report"])
        fits = images.shape == (len(rows), about["size"], about["size"], 3) and images.dtype == np.uint8
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{out}: is damaged ({error}); delete it and {_AGAIN}") from error
    if not fits or len(rows) != about["count"]:
        raise ValueError(f"{out}: images.npy {images.shape} and its {len(rows)} captions do not fit; {_AGAIN}")
    return Prepared(images, [captions for _, captions in rows], [key for key, _ in rows], report)


def read_captions(out: Path) -> Iterator[str]:
    """Every caption of a prepared data set, in its order, without opening the pictures."""
    return (caption for _, captions in _rows(out / "captions.jsonl") for caption in captions)


def _rows(path: Path) -> Iterator[tuple[str, tuple[str, ...]]]:
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            row = json.loads(line)
            yield row["key"], tuple(row["captions"])
