"""A way from one page of a folder to another beside it."""

from dataclasses import dataclass
from html import escape


@dataclass(frozen=True)
class Link:
    """words: what it says; file: the name of the page in the same folder."""

    words: str
    file: str


def nav(link: Link | None) -> str:
    """The link as HTML; nothing where there is none."""
    return f'<nav><a href="{escape(link.file)}">{escape(link.words)}</a></nav>\n' if link else ""
