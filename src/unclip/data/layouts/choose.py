"""Which of the layouts that a folder could be read in is meant."""

from unclip.core.shown import printable
from unclip.data.files.file_names import telling
from unclip.data.item import extension
from unclip.data.layouts.contents import Contents
from unclip.data.layouts.kinds import Layout
from unclip.data.layouts.left_out import FOREIGN, PACKED

_PICTURES: tuple[Layout, ...] = ("metadata", "text", "folders")
_CONTAINERS: tuple[Layout, ...] = ("parquet", "tar")


def recognised(contents: Contents, captioned: bool, forms: str) -> Layout:
    """The layout of a folder. Raises ValueError where there is none, and where either of two may be meant.

    captioned: images without captions are of no use. forms: the layouts that are known, for whoever has none.
    """
    of_pictures: list[Layout] = [layout for layout in _PICTURES if contents.has(layout)]
    if not captioned and contents.pictures and not of_pictures:
        of_pictures = ["pictures"]
    # A few captions in class folders: by either layout something is lost.
    torn = of_pictures == ["text", "folders"] and not contents.whole("text", captioned)
    packed: list[Layout] = [layout for layout in _CONTAINERS if contents.has(layout)]
    candidates: list[Layout] = [*(of_pictures if torn else of_pictures[:1]), *packed]
    if not candidates:
        raise ValueError(_nothing(contents, forms))
    likely: list[Layout] = [layout for layout in candidates if contents.whole(layout, captioned)] or candidates
    if len(likely) > 1:
        found = "; ".join(f"{contents.count(layout)} (--captions {layout})" for layout in likely)
        raise ValueError(
            f"{printable(contents.root)}: holds more than one data set, and either may be meant: {found}. Say which, "
            "as shown in brackets, or name one file"
        )
    return likely[0]


def named_layout(contents: Contents, layout: Layout) -> Layout:
    """The layout that was asked for. Raises ValueError where the folder does not have it."""
    if not contents.has(layout):
        lies = contents.endings() or "nothing"
        raise ValueError(f"--captions {layout}: {printable(contents.root)} has nothing of the kind; it holds {lies}")
    return layout


def others(contents: Contents, layout: Layout) -> list[str]:
    """A line that says which layout is taken, where there is another."""
    every: tuple[Layout, ...] = (*_PICTURES, *_CONTAINERS)
    found: list[Layout] = [other for other in every if contents.has(other) and other != layout]
    if layout == "text" and not contents.whole("folders", True):
        found = [other for other in found if other != "folders"]
    if not found:
        return []
    rest = "; ".join(f"{contents.count(other)} (--captions {other})" for other in found)
    return [f"captions are taken from: {contents.count(layout)}; not from: {rest}"]


def _nothing(contents: Contents, forms: str) -> str:
    where, pictures = printable(contents.root), contents.pictures
    if not pictures:
        hints = dict.fromkeys(hint for file in contents.files if (hint := _hint(extension(file.name))))
        lies = contents.endings() or "no files"
        return "\n".join([f"{where}: holds no image, parquet file or tar shard, but {lies}", *hints, forms])
    hint = "write some, or train on images alone: unclip train DATA --model ddpm (without --classes)"
    lies = contents.files.those(lambda name: extension(name) in ("txt", "caption", "json", "jsonl", "csv", "tsv"))
    told = [f"{where}: holds {len(pictures):,} images but no captions; {hint}"]
    if lies:
        told.append(
            f"{len(lies):,} files may hold captions ({', '.join(printable(f.name) for f in lies[:3])}), but none has "
            "the name of an image beside it, or is a metadata.jsonl, .json or .csv with file_name and text: rename them"
        )
    if words := telling(pictures.names()):
        examples = ", ".join(f'"{printable(word)}"' for word in dict.fromkeys(words[:3]))
        told.append(f"their names seem to say what they show ({examples}): --captions names takes them as captions")
    return "\n".join([*told, forms])


def _hint(ending: str) -> str:
    if ending in FOREIGN:
        return f"  .{ending}: convert them to PNG or JPEG"
    return f"  .{ending}: {PACKED[ending]}" if ending in PACKED else ""
