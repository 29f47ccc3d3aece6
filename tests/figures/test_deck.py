"""Slides: words that fit, one layout for the PNG and the deck, and a deck that stands alone."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from tests.browser import browser, needs_browser

from unclip.figures.link import Link
from unclip.figures.slides.deck import Laid, shows, write_deck
from unclip.figures.slides.layout import Placed, arrange
from unclip.figures.slides.paint import paint, panel
from unclip.figures.slides.sheet import sheet
from unclip.figures.slides.slide import HEIGHT, SMALL, WIDTH, Slide, escaped
from unclip.figures.slides.words import pieces, tex_as_svg, width_of, wrapped

pytest.importorskip("matplotlib")
TEXT = (
    "A state $x_t$ is less of $x_{t-1}$ and some noise: (1 - $\\beta_t$) + $\\beta_t$ = 1. It costs 5 \\$ & <b>.\n\n"
    "More."
)

UNCOVERED = """
    const [link] = arguments, box = link.getBoundingClientRect();
    const words = [...document.querySelectorAll(".shown .line")];
    const apart = (b) => b.right < box.left || b.left > box.right || b.bottom < box.top || b.top > box.bottom;
    return document.elementFromPoint(box.left + box.width / 2, box.top + box.height / 2) === link
        && words.every((line) => { const range = document.createRange(); range.selectNodeContents(line);
            return apart(range.getBoundingClientRect()); })
"""
"""Whether a link can be clicked, and no words lie below it."""


def plot(figure: Any) -> None:
    figure.subplots().plot([0, 1], [0, 1])


def one(**changes: Any) -> Slide:
    parts = {"text": TEXT, "formulas": "x_t = \\sqrt{\\bar\\alpha_t}\\ x_0\n\\frac{a}{b}", "code": ["unclip.a.b"]}
    how = {"draw": plot, "alt": 'a "line"', **parts, **changes}
    return Slide("one", "1  A chapter", "A title", **how)


def laid(slide: Slide, page: str = "1 / 3") -> Laid:
    placed = arrange(slide, page)
    room = next(block for block in placed if block.kind == "picture")
    assert slide.draw is not None
    return Laid(slide, placed, panel(slide.draw, room.width, room.height))


def overlap(a: Placed, b: Placed) -> bool:
    return a.x < b.x + b.width and b.x < a.x + a.width and a.y < b.y + b.height - 1 and b.y < a.y + a.height - 1


@pytest.mark.parametrize("picture", ["below", "beside"])
@pytest.mark.parametrize("text", [TEXT, TEXT * 2, ""])
def test_blocks_stand_on_the_slide_and_apart(picture: str, text: str):
    placed = arrange(one(picture=picture, text=text), "12 / 24")
    for i, block in enumerate(placed):
        assert block.x >= 0 and block.y >= 0 and block.x + block.width <= WIDTH and block.y + block.height <= HEIGHT
        assert block.kind == "picture" or block.size >= SMALL
        assert not any(overlap(block, other) for other in placed[i + 1 :])
        if block.kind in ("text", "title", "chapter"):
            assert max(width_of(line, block.size, block.kind == "title") for line in block.lines) <= block.width * 1.01


def test_too_many_words_are_refused_by_name():
    with pytest.raises(ValueError, match="slide one: more words than fit"):
        arrange(one(text=TEXT * 20), "1 / 1")
    with pytest.raises(ValueError, match="too wide for its column"):
        arrange(one(formulas="+".join(["x_{t-1}"] * 60)), "1 / 1")


def test_words_are_broken_at_spaces_and_never_within_tex():
    assert pieces("a $x + y$, b") == ["a", "$x + y$,", "b"]
    lines = wrapped("one two $x + y$ three", 30, width_of("one two", 30) + 1)
    assert lines[:2] == ["one two", "$x + y$"]
    assert " ".join(wrapped(TEXT, 30, 200)).split() == TEXT.split()
    assert escaped("5 $ and $6") == "5 \\$ and \\$6"
    assert len(escaped("a" * 900)) <= 64


def test_tex_becomes_a_path_on_the_line():
    svg = tex_as_svg("x_t")
    assert re.search(r'aria-label="x_t" viewBox="0 -\d', svg)
    assert re.search(r"vertical-align:-0\.\d+em", svg)
    assert "NaN" not in svg and svg.count("<path") == 1
    assert float(re.findall(r"height:([\d.]+)em", tex_as_svg(r"\frac{a}{b}"))[0]) > 1


def test_a_slide_is_painted_where_it_is_laid():
    """The picture's pixels are the panel's own, and words stand in their boxes and nowhere else."""
    done = laid(one())
    picture = paint(done.placed, done.picture)
    assert picture.size == (WIDTH, HEIGHT)
    room = next(block for block in done.placed if block.kind == "picture")
    x, y = round(room.x), round(room.y)
    assert done.picture is not None
    own = picture.crop((x, y, x + done.picture.width, y + done.picture.height))
    assert np.array_equal(np.asarray(own), np.asarray(done.picture))
    ink = np.asarray(picture.convert("L")) < 200
    for block in done.placed:
        x, y, right, low = (round(v) for v in (block.x, block.y, block.x + block.width, block.y + block.height))
        assert ink[y:low, x:right].any(), block.kind
        ink[y - 4 : low + 4, max(0, x - 4) : right + 4] = False
    assert not ink.any()


def test_images_of_a_sheet_are_square_and_apart():
    red, blue = (Image.new("RGB", (8, 8), colour) for colour in ("#ff0000", "#0000ff"))
    drawn = panel(lambda figure: sheet(figure, [[red, None, blue]], ["a", "", "b"], ["row"]), 900, 300)
    pixels = np.asarray(drawn).astype(int)
    is_red, is_blue = ((pixels == colour).all(-1) for colour in ((255, 0, 0), (0, 0, 255)))
    for where in (is_red, is_blue):
        rows, columns = np.flatnonzero(where.any(1)), np.flatnonzero(where.any(0))
        assert len(rows) == len(columns) and len(rows) % 8 == 0 and len(rows) > 100
        assert where.sum() == len(rows) ** 2
    assert np.flatnonzero(is_blue.any(0))[0] - np.flatnonzero(is_red.any(0))[-1] > 100


def test_a_deck_says_of_which_model_it_is(tmp_path: Path):
    path = tmp_path / "deck.html"
    assert not shows(path, "abc")
    write_deck(path, "One", [laid(one())], "abc")
    assert shows(path, "abc") and not shows(path, "ab") and not shows(path, "")
    assert "<nav>" not in path.read_text(encoding="utf-8")


@needs_browser
def test_the_deck_in_a_browser(tmp_path: Path):
    from selenium.webdriver import ActionChains, Keys

    path = tmp_path / "deck.html"
    link = Link("The page", "page.html")
    write_deck(path, "Three & more", [laid(one(), f"{i} / 3") for i in (1, 2, 3)], link=link)
    (tmp_path / link.file).write_text("<title>The page</title>", encoding="utf-8")
    page = path.read_text(encoding="utf-8")
    assert re.findall(r"""(?:src|href)=["'](?!data:)([^"']*)""", page) == [link.file]
    driver = browser(1920, 1200, performance="ALL")
    try:
        driver.get(path.as_uri())

        def shown() -> list[str]:
            return [s.get_attribute("id") for s in driver.find_elements("css selector", ".slide.shown")]

        def press(key: str) -> list[str]:
            ActionChains(driver).send_keys(key).perform()
            return shown()

        assert shown() == ["1"]
        keys = [Keys.ARROW_RIGHT, Keys.SPACE, Keys.ARROW_RIGHT, Keys.ARROW_LEFT, Keys.HOME, Keys.END, Keys.ARROW_UP]
        assert [press(key) for key in keys] == [["2"], ["3"], ["3"], ["2"], ["1"], ["3"], ["2"]]
        assert driver.current_url.endswith("#2")
        wide = "return [...document.querySelectorAll('.shown .line')].every(l => l.scrollWidth <= l.clientWidth + 1)"
        assert driver.execute_script(wide)
        assert driver.execute_script("return document.fonts.check('20px Slides')")
        corner = driver.find_element("css selector", "nav a")
        assert corner.is_displayed() and driver.execute_script(UNCOVERED, corner)
        driver.set_window_size(500, 900)
        assert corner.is_displayed()
        assert driver.execute_script("return document.documentElement.scrollWidth <= innerWidth")
        assert driver.execute_script("return document.querySelectorAll('.slide')[2].offsetHeight") > 100
        assert [line for line in driver.get_log("browser") if line["level"] == "SEVERE"] == []
        sent = [
            line["message"] for line in driver.get_log("performance") if 'Network.requestWillBeSent"' in line["message"]
        ]
        assert not [line for line in sent if re.search(r'"url":"(?!data:|file:)', line)]
        corner.send_keys(Keys.ENTER)
        assert driver.title == "The page"
    finally:
        driver.quit()
