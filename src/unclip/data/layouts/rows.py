"""The lines of metadata files, one reader per form: .jsonl, .json, .csv, .parquet."""

import csv
import io
import json
from collections.abc import Container, Iterator
from functools import partial
from pathlib import Path

from unclip.core.shown import printable
from unclip.data.files.regular import open_regular, read_regular
from unclip.data.item import CAPTION_NAMES, Row, captions_of, extension, key_of, normal
from unclip.data.layouts import parquet

MOST_LINE = 1_000_000
"""Bytes of one line of metadata."""
MOST_JSON = 500_000_000
"""Bytes of a metadata.json, which can only be read as a whole."""

Rows = Iterator[tuple[int, Row | str]]


def rows(root: Path, name: str, column: str = "") -> Iterator[tuple[str, Row | str]]:
    """(place, `normal` row) for each line of a metadata file; in place of a row that cannot be read: the reason.

    column: of the captions, where it has none of the usual names. Raises ValueError where the file cannot be read.
    """
    captions = {column.strip().lower()} if column else CAPTION_NAMES
    readers = {"jsonl": _jsonl, "json": _json, "csv": partial(_csv, captions), "parquet": _parquet}
    path = root / name
    try:
        for line, row in readers[extension(name)](path):
            yield f"{key_of(name)}:{line}", row if isinstance(row, str) else normal(row)
    except OSError as error:
        raise ValueError(f"{printable(path)}: cannot be read ({error.strerror or error})") from error


def _jsonl(path: Path) -> Rows:
    with open_regular(path) as file:
        for number, line in enumerate(iter(lambda: file.readline(MOST_LINE + 1), b""), 1):
            if len(line) > MOST_LINE:
                raise ValueError(f"{printable(path)}: line {number} has more than {MOST_LINE / 1e6:.0f} MB; shorten it")
            if not line.strip():
                continue
            try:
                row = json.loads(line.decode("utf-8-sig"))
                yield number, row if isinstance(row, dict) else 'is no JSON object like {"file_name": …, "text": …}'
            except UnicodeDecodeError:
                yield number, "is not UTF-8; save the file as UTF-8"
            except (ValueError, RecursionError) as error:
                yield number, f"is not JSON ({error}); each line must be one JSON object"


def _json(path: Path) -> Rows:
    """A list of rows, or an object whose keys are the names of images and whose values are captions or rows."""
    try:
        found = json.loads(read_regular(path, MOST_JSON).decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{printable(path)}: is not JSON in UTF-8 ({printable(error)}); save it again") from error
    if isinstance(found, list):
        for number, row in enumerate(found, 1):
            yield number, row if isinstance(row, dict) else 'is no JSON object like {"file_name": …, "text": …}'
    elif isinstance(found, dict) and all(isinstance(v, dict) or captions_of(v) for v in found.values()):
        for number, (name, value) in enumerate(found.items(), 1):
            yield number, {"file_name": name, **(value if isinstance(value, dict) else {"text": value})}
    else:
        raise ValueError(
            f'{printable(path)}: is not a list of objects like {{"file_name": …, "text": …}}, and no object of '
            "captions by file name; write it in one of these forms"
        )


def _csv(captions: Container[str], path: Path) -> Rows:
    with open_regular(path) as file:
        # Bytes that are not UTF-8 become half surrogates, so that one bad row does not cost the whole file.
        lines = io.TextIOWrapper(file, encoding="utf-8-sig", errors="surrogateescape", newline="")
        first = lines.readline(MOST_LINE)
        reader = csv.reader(_chain(first, lines, path), delimiter=_delimiter(first), strict=True)
        try:
            header = [name.strip() for name in next(reader, [])]
            if "file_name" not in map(str.lower, header):
                columns = ", ".join(printable(name, 40) for name in header) or "none"
                raise ValueError(f"{printable(path)}: its columns are {columns}; it needs file_name and text")
            for fields in reader:
                if fields:
                    yield reader.line_num, _csv_row(header, fields, captions, _delimiter(first))
        except csv.Error as error:
            why = 'a text that begins with " must end with it, and a " inside it must be doubled'
            raise ValueError(f"{printable(path)}: line {reader.line_num}: {error}; {why}") from error


def _chain(first: str, lines: io.TextIOWrapper, path: Path) -> Iterator[str]:
    line = first
    while line:
        if len(line) >= MOST_LINE:
            raise ValueError(f"{printable(path)}: has a line of more than {MOST_LINE / 1e6:.0f} MB; shorten it")
        yield line
        line = lines.readline(MOST_LINE)


def _delimiter(header: str) -> str:
    """What stands between the columns: some spreadsheets write semicolons or tabs."""
    return next((mark for mark in (",", ";", "\t") if mark in header), ",")


def _csv_row(header: list[str], fields: list[str], captions: Container[str], mark: str) -> Row | str:
    """A row; where a caption in the last column has commas but no quotes around it, all of it."""
    if any(map(_has_surrogates, fields)):
        return "is not UTF-8; save the file as UTF-8"
    if len(fields) > len(header):
        if header[-1].lower() not in captions:
            known = f"has {len(fields)} fields where the header names {len(header)}"
            return f'{known}; put double quotes around a caption that has a "{mark}" in it'
        fields = [*fields[: len(header) - 1], mark.join(fields[len(header) - 1 :])]
    return {name: _unquoted(text) for name, text in zip(header, fields, strict=False)}


def _unquoted(text: str) -> str:
    """A field with a space before its quotes, which CSV does not take for quotes."""
    inner = text.strip()
    quoted = text[:1] == " " and len(inner) > 1 and inner[0] == inner[-1] == '"'
    return inner[1:-1].replace('""', '"') if quoted else text


def _has_surrogates(text: str) -> bool:
    return any("\ud800" <= letter <= "\udfff" for letter in text)


def _parquet(path: Path) -> Rows:
    yield from enumerate(parquet.rows(path))
