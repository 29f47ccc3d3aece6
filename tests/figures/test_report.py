import base64
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from PIL import Image

from unclip.figures.link import Link
from unclip.figures.report import Section, write_report


class Tags(HTMLParser):
    """Checks that every tag is closed, in order."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[str] = []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.seen.append(tag)
        if tag not in ("meta", "img"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_a_page_that_needs_nothing_else(tmp_path: Path):
    Image.new("RGB", (4, 4), "red").save(tmp_path / "a.png")
    table = [["name", "score"], ["<b>", 0.5], ["c & d", 2]]
    sections = [Section("One <1>", "First.\n\nSecond & last.", table, [tmp_path / "a.png"]), Section("Two")]
    path = write_report(tmp_path, "Run <x>", sections)
    assert path == tmp_path / "report.html"
    page = path.read_text(encoding="utf-8")
    tags = Tags()
    tags.feed(page)
    assert not tags.open
    assert tags.seen.count("p") == 2
    assert tags.seen.count("tr") == 3
    assert "script" not in tags.seen and "a" not in tags.seen
    assert "<title>Run &lt;x&gt;</title>" in page
    assert "<td>&lt;b&gt;</td>" in page
    assert "Second &amp; last." in page
    assert not re.search(r"https?://", page)
    inside = re.search(r'src="data:image/png;base64,([^"]+)"', page)
    assert inside
    assert base64.b64decode(inside[1]) == (tmp_path / "a.png").read_bytes()


def test_a_page_leads_to_another(tmp_path: Path):
    page = write_report(tmp_path, "x", [], link=Link("<b> & more", "b.html")).read_text(encoding="utf-8")
    assert '<nav><a href="b.html">&lt;b&gt; &amp; more</a></nav>' in page


def test_a_missing_picture_is_named(tmp_path: Path):
    with pytest.raises(ValueError, match=r"nothing\.png: the report needs this image"):
        write_report(tmp_path, "x", [Section("a", pictures=[tmp_path / "nothing.png"])])


def test_formulas_and_names(tmp_path: Path):
    section = Section("Forward", formula="x_t = a_{t-1} x^2 < 1\n∑_i w_i", code=["unclip.diffusion.level.noised"])
    page = write_report(tmp_path, "Title", [section], "explain.html").read_text(encoding="utf-8")
    assert "x<sub>t</sub> = a<sub>t-1</sub> x<sup>2</sup> &lt; 1</p>" in page
    assert page.count('<p class="formula">') == 2
    assert "<code>unclip.diffusion.level.noised</code>" in page
    assert (tmp_path / "explain.html").exists()
