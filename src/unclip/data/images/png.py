"""The pieces of a PNG, walked without decoding a pixel: the texts in it, and the same file without them.

Pillow gives up a whole image for a text that is long once it is unpacked, as other tools write their workflows; and
it decodes an image of any size to reach a text behind it.
"""

import io
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

Seekable = io.BytesIO | io.BufferedReader
SIGNATURE = b"\x89PNG\r\n\x1a\n"
MOST_CHUNKS = 200_000
MOST_TEXT = 2**20
"""Bytes of one text, unpacked."""
MOST_PROFILE = 2**24
_TEXTS = (b"tEXt", b"zTXt", b"iTXt")
_XMP = b"XML:com.adobe.xmp\0"


@dataclass(frozen=True)
class Light:
    """A PNG for Pillow without texts and profile. profile: the colour profile, unpacked; bits: the significant ones of
    its first channel, where the file says so."""

    data: bytes
    profile: bytes | None = None
    bits: int | None = None


def lightened(data: bytes) -> Light:
    """Any file: a PNG without its texts (but for an uncompressed XMP, which may turn it), all else as it is."""
    if not data.startswith(SIGNATURE):
        return Light(data)
    view, kept = memoryview(data), list[bytes | memoryview]([SIGNATURE])
    profile, bits, end = None, None, len(SIGNATURE)
    for name, start, length in chunks(io.BytesIO(data)):
        content, end = view[start : start + length], start + length + 4
        if name == b"iCCP":
            profile = _profile(bytes(content))
        elif name == b"sBIT" and content:
            bits = content[0]
            kept.append(view[start - 8 : end])
        elif name not in _TEXTS or (name == b"iTXt" and bytes(content[:20]) == _XMP + b"\0\0" and length < MOST_TEXT):
            kept.append(view[start - 8 : end])
    if sum(map(len, kept)) + len(data) - end == len(data):
        return Light(data, bits=bits)
    return Light(b"".join([*kept, view[end:]]), profile, bits)


def chunks(file: Seekable) -> Iterator[tuple[bytes, int, int]]:
    """(name, where its content starts, its length) of each piece, as far as the file goes."""
    at = len(SIGNATURE)
    for _ in range(MOST_CHUNKS):
        file.seek(at)
        head = file.read(8)
        if len(head) < 8 or not head[4:].isalpha():
            return
        length = int.from_bytes(head[:4])
        yield head[4:], at + 8, length
        at += length + 12
        if head[4:] == b"IEND":
            return


def text_in(file: Seekable, key: str) -> str | None:
    """The text of this name in a PNG; None where it has none, or the file is no PNG.

    Raises ValueError where the text is damaged, or longer than `MOST_TEXT` once it is unpacked.
    """
    if file.read(len(SIGNATURE)) != SIGNATURE:
        return None
    wanted = key.encode("latin-1") + b"\0"
    for name, start, length in chunks(file):
        if name not in _TEXTS:
            continue
        file.seek(start)
        if file.read(len(wanted)) != wanted:
            continue
        if length > MOST_TEXT:
            raise ValueError(f"its text {key!r} has {length:,} bytes, more than {MOST_TEXT:,}")
        rest = file.read(length - len(wanted))
        if int.from_bytes(file.read(4)) != zlib.crc32(name + wanted + rest):
            raise ValueError(f"its text {key!r} is damaged")
        return _text(name, rest)
    return None


def _text(name: bytes, rest: bytes) -> str:
    """The content of a text behind its name. Raises ValueError where it is not to be read."""
    if name == b"tEXt":
        return rest.decode("latin-1")
    packed, body = name == b"zTXt", rest[1:]
    if name == b"iTXt":
        packed, parts = rest[:1] == b"\1", rest[2:].split(b"\0", 2)
        body = parts[-1] if len(parts) == 3 else b""
    try:
        data = _unpacked(body, MOST_TEXT) if packed else body
        return data.decode("latin-1" if name == b"zTXt" else "utf-8")
    except (zlib.error, UnicodeDecodeError) as error:
        raise ValueError(f"its text is damaged ({error})") from error


def _profile(content: bytes) -> bytes | None:
    """The colour profile behind its name; None where it is damaged: the image is still one."""
    try:
        return _unpacked(content.partition(b"\0")[2][1:], MOST_PROFILE)
    except (zlib.error, ValueError):
        return None


def _unpacked(data: bytes, maximum: int) -> bytes:
    unpack = zlib.decompressobj()
    found = unpack.decompress(data, maximum)
    if unpack.unconsumed_tail:
        raise ValueError(f"it unpacks to more than {maximum:,} bytes")
    return found
