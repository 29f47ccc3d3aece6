"""What mkdocs calls while it builds the site (`make docs`): the README, the changelog and their like become pages.

So do the notebooks of the course. All of them lie beside the folder of the pages, where GitHub looks for them or shows
them, and link into it.
"""

import re
from pathlib import Path
from typing import TYPE_CHECKING

from tools.notebooks import pages

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files

ROOT = Path(__file__).resolve().parents[1]
BESIDE = {
    "README.md": "overview.md",
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "SECURITY.md": "security.md",
}
"""File beside the folder -> the page that it becomes."""
FROM_BESIDE = re.compile(rf"\]\((?:docs/([^)\s]+)|({'|'.join(map(re.escape, BESIDE))})([^)\s]*))\)")
NOTEBOOK = re.compile(r"\]\(\.\./(course/\w+)\.ipynb\)")
"""A link to a notebook, as a page has it."""


def inward(text: str) -> str:
    """The text of such a file, its links as those of a page."""
    return FROM_BESIDE.sub(lambda found: f"]({found[1] or BESIDE[found[2]] + found[3]})", text)


def on_files(files: "Files", config: "MkDocsConfig") -> "Files":
    """Adds the pages. `files`, `config`: mkdocs' own."""
    from mkdocs.structure.files import File

    for name, page in BESIDE.items():
        files.append(File.generated(config, page, content=inward((ROOT / name).read_text(encoding="utf-8"))))
    for page in pages():
        for name, content in {f"{page.stem}.md": page.text, **page.pictures}.items():
            files.append(File.generated(config, f"course/{name}", content=content))
    return files


def on_page_markdown(markdown: str, **_: object) -> str:
    """Links out of the folder become links to these pages."""
    for name, page in BESIDE.items():
        markdown = markdown.replace(f"](../{name}", f"]({page}")
    return NOTEBOOK.sub(r"](\1.md)", markdown)
