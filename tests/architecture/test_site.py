"""`make docs`: the site is built without a network, no link in it is dead, and it takes nothing from another host."""

import json
import re
import shutil
import subprocess
import sys
from html import unescape
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from tests.architecture.pages import ROOT
from tools.reference import pages
from tools.site import BESIDE, inward

pytest.importorskip("mkdocs", reason="it comes with the test tools")
LOADED = {"script": "src", "img": "src", "link": "href", "iframe": "src"}
"""Tags whose file a browser fetches by itself."""
NO_PROSE = {"code", "pre", "math", "script", "style"}


class Page(HTMLParser):
    """The links of a page, what it loads, the names that a link may end in, its formulas, and what it says in prose."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links, self.loaded, self.names = list[str](), list[str](), set[str]()
        self.formulas, self.prose, self.inside = list[str](), "", list[str]()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: unescape(value or "") for name, value in attrs}
        self.names |= {found[name] for name in ("id", "name") if name in found}
        if tag in LOADED and LOADED[tag] in found and found.get("rel") != "canonical":
            self.loaded.append(found[LOADED[tag]])
        if tag == "a" and "href" in found:
            self.links.append(found["href"])
        if tag == "math":
            self.formulas.append(found["alttext"])
        if tag in NO_PROSE:
            self.inside.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag in NO_PROSE:
            self.inside.remove(tag)

    def handle_data(self, data: str) -> None:
        self.prose += "" if self.inside else data


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> dict[Path, Page]:
    """The pages of the site, by their files."""
    place = tmp_path_factory.mktemp("site")
    shutil.copytree(ROOT / "docs", place / "docs", ignore=shutil.ignore_patterns("reference"))
    shutil.copytree(ROOT / "tools", place / "tools", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(ROOT / "course", place / "course")
    for name in ("mkdocs.yml", *BESIDE):
        shutil.copy(ROOT / name, place / name)
    for name, text in pages().items():
        (place / "docs" / "reference" / name).parent.mkdir(parents=True, exist_ok=True)
        (place / "docs" / "reference" / name).write_text(text, encoding="utf-8")
    command = [sys.executable, "-m", "mkdocs", "build", "--quiet", "--strict", "--site-dir", "made"]
    done = subprocess.run(command, cwd=place, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return {path: Page(path.read_text(encoding="utf-8")) for path in sorted((place / "made").rglob("*.html"))}


@pytest.mark.slow
def test_no_link_is_dead(site: dict[Path, Page]) -> None:
    assert len(site) > 50
    dead = []
    for path, page in site.items():
        for link in (*page.links, *page.loaded):
            to = urlsplit(link)
            if to.scheme or to.netloc or path.name == "404.html":
                continue
            target = (path.parent / unquote(to.path)).resolve() if to.path else path
            known = site[target].names if target in site else {to.fragment}
            if not target.is_file() or (to.fragment and unquote(to.fragment) not in known):
                dead.append(f"{path.name}: {link}")
    assert not dead, "\n".join(dead)


@pytest.mark.slow
def test_nothing_comes_from_another_host(site: dict[Path, Page]) -> None:
    for path, page in site.items():
        assert not [what for what in page.loaded if urlsplit(what).netloc], path.name
        assert not re.search(r"url\(['\"]?https?:", path.read_text(encoding="utf-8"))


@pytest.mark.slow
def test_every_page_is_two_clicks_away(site: dict[Path, Page]) -> None:
    """The index leads to each; what stands in the menu of every page does, too."""
    [index] = [path for path in site if path.name == "index.html" and path.parent.name == "made"]
    reached = {
        (index.parent / urlsplit(link).path).resolve() for link in site[index].links if not urlsplit(link).scheme
    }
    folders = {index.parent, index.parent / "course"}
    away = [path.name for path in site if path.parent in folders and path not in {*reached, index}]
    assert set(away) <= {"404.html", "search.html"}, away


@pytest.mark.slow
def test_every_notebook_is_a_page(site: dict[Path, Page]) -> None:
    """Reached from docs/course.md, too; its formulas are drawn, and no sign of Markdown or TeX is left."""
    [course] = [path for path in site if path.name == "course.html" and path.parent.name == "made"]
    for path in sorted((ROOT / "course").glob("*.ipynb")):
        page = site[course.parent / "course" / f"{path.stem}.html"]
        assert f"course/{path.stem}.html" in site[course].links
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        text = "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")
        pieces = [piece for formula in text.split("$$")[1::2] for piece in formula.split("\\qquad")]
        pieces += "".join(text.split("$$")[::2]).split("$")[1::2]
        assert sorted(page.formulas) == sorted(" ".join(piece.split()) for piece in pieces)
        assert not re.findall(r".*(?:\$|\\[A-Za-z]|\*\*|`|\]\().*", page.prose), path.name


def test_links_of_the_files_beside() -> None:
    assert inward("[a](docs/data.md#x) [b](CHANGELOG.md) [c](https://d.e)") == (
        "[a](data.md#x) [b](changelog.md) [c](https://d.e)"
    )
