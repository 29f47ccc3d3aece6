"""Parquet files in the Hugging Face layout: an image column {bytes, path} and a text column or a ClassLabel.

`datasets.Dataset.save_to_disk` writes the same columns as Arrow files, which are read, too.

The only file that needs pyarrow, which is imported when a Parquet file is first opened.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from unclip.core.imports.missing import install
from unclip.core.shown import printable
from unclip.data.files.regular import open_regular
from unclip.data.item import CAPTION_NAMES, FileSource, Item, captions_of, extension, held, key_of, no_picture

TABLES = ("parquet", "arrow")
"""Endings of the files that are read here."""
_IMAGE_NAMES = ("image", "img", "picture", "jpg", "png", "webp")
_ROWS = 64  # at a time: images of 1 MB are then 64 MB


@dataclass(frozen=True)
class ParquetSource(FileSource):
    """One Parquet file, or a folder of them; the key of row 17 is "train.parquet#17"."""

    kind: str = field(default="parquet", init=False)

    def __iter__(self) -> Iterator[Item]:
        for file in self.files:
            yield from _items(self.path(file.name), key_of(file.name), self.column)


def _items(path: Path, name: str, column: str) -> Iterator[Item]:
    with _opened(path) as table:
        features = _features(table.schema_arrow)
        image = _image_column(path, table.schema_arrow, features)
        caption, caption_of = _caption_column(path, table.schema_arrow, features, column)
        for number, row in enumerate(_read(table, [image, caption])):
            yield _item(f"{name}#{number}", row[image], caption_of(row[caption]), caption)


def _item(key: str, picture: object, captions: tuple[str, ...], column: str) -> Item:
    data = picture.get("bytes") if isinstance(picture, dict) else picture
    if not isinstance(data, bytes):
        reason = "the row holds no image bytes; save the data set with the images embedded"
        return Item(key, no_picture, captions, reason)
    return Item(key, held(data), captions, None if captions else f'no caption in the column "{column}"')


def rows(path: Path) -> Iterator[dict[str, object]]:
    """Every row of a Parquet file as a dict; raises ValueError when it is damaged or pyarrow is missing."""
    with _opened(path) as table:
        yield from _read(table, None)


def _read(table: Any, columns: list[str] | None) -> Iterator[dict[str, Any]]:
    for batch in table.iter_batches(batch_size=_ROWS, columns=columns):
        yield from batch.to_pylist()


@dataclass(frozen=True)
class _Stream:
    """An Arrow file as `_items` asks a Parquet file."""

    reader: Any

    @property
    def schema_arrow(self) -> Any:
        """The columns."""
        return self.reader.schema

    def iter_batches(self, batch_size: int, columns: list[str] | None) -> Iterator[Any]:
        """The rows, so many at a time."""
        for batch in self.reader:
            part = batch if columns is None else batch.select(columns)
            yield from (part.slice(start, batch_size) for start in range(0, len(part), batch_size))


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """The open file; pyarrow's own errors become a ValueError that names it."""
    try:
        import pyarrow
        import pyarrow.ipc
        import pyarrow.parquet
    except ImportError as error:
        raise ValueError(f"{printable(path)}: {install('reading Parquet needs', 'pyarrow')}") from error
    arrow = extension(path.name) == "arrow"
    try:
        with open_regular(path) as file:
            if arrow:
                yield _Stream(pyarrow.ipc.open_stream(file))
                return
            with pyarrow.parquet.ParquetFile(file) as table:
                yield table
    except (pyarrow.ArrowException, OSError) as error:
        known = f"is damaged, or no {'Arrow' if arrow else 'Parquet'} file ({printable(error)})"
        raise ValueError(f"{printable(path)}: {known}; download it again") from error


def _features(schema: Any) -> dict[str, Any]:
    """The `huggingface` features in the schema's metadata, {} where there are none."""
    try:
        found = json.loads((schema.metadata or {}).get(b"huggingface", b"{}"))["info"]["features"]
    except (ValueError, KeyError, TypeError):
        return {}
    return {name: kind for name, kind in found.items() if isinstance(kind, dict)} if isinstance(found, dict) else {}


def _image_column(path: Path, schema: Any, features: dict[str, Any]) -> str:
    """The column of images: by its feature, else a struct with `bytes`, else binary under a usual name."""
    for name in schema.names:
        if features.get(name, {}).get("_type") == "Image":
            return name
    for name in schema.names:
        kind = str(schema.field(name).type)
        if kind.startswith("struct<") and "bytes: " in kind:
            return name
        if "binary" in kind and name.lower() in _IMAGE_NAMES:
            return name
    columns = ", ".join(printable(name, 40) for name in schema.names[:20])
    raise ValueError(f"{printable(path)}: its columns are {columns}; it needs a column image with {{bytes, path}}")


def _caption_column(
    path: Path, schema: Any, features: dict[str, Any], column: str
) -> tuple[str, Callable[[object], tuple[str, ...]]]:
    """The column of captions and how to read it: a text column, else a ClassLabel with names; only `column`, where it
    is named."""
    for name in (column,) if column else (*CAPTION_NAMES, "label"):
        if name in schema.names and "string" in str(schema.field(name).type):
            return name, captions_of
    for name in schema.names if not column else {column} & set(schema.names):
        names = features.get(name, {}).get("names")
        if features.get(name, {}).get("_type") == "ClassLabel" and isinstance(names, list):
            return name, partial(_class_name, names)
    texts = [name for name in schema.names if "string" in str(schema.field(name).type)]
    wanted = (
        f"has no column of captions {printable(column)}" if column else "needs a column text, or a label with names"
    )
    columns = ", ".join(printable(name, 40) for name in schema.names[:20])
    advice = (
        f"name the one with the captions: --caption-column '{printable(texts[-1], 40)}'"
        if texts
        else "a label's names must be in the file's huggingface metadata, as datasets.Dataset.to_parquet writes them"
    )
    raise ValueError(f"{printable(path)}: {wanted}; its columns are {columns}: {advice}")


def _class_name(names: list[object], value: object) -> tuple[str, ...]:
    inside = isinstance(value, int) and 0 <= value < len(names)  # -1 is "no label" in Hugging Face data sets
    return captions_of(str(names[value]).replace("_", " ")) if inside and isinstance(value, int) else ()
