"""The page at /: its files, what they may load, and a whole sitting in a browser at a server of its own."""

import json
import os
import re
import socket
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.browser import browser, needs_browser
from tests.short import short

import unclip
from unclip.data.shapes.world import World
from unclip.images.files import read_about
from unclip.serving.api.about import EXAMPLES, LONGEST, chosen, examples
from unclip.serving.api.page import FOLDER, KINDS

httpx = pytest.importorskip("httpx", reason="httpx comes with the test tools")
KEY, WAITING = "a key", 4


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # tiny runs pass no gate
        return unclip.train(World(32, scenes=24), tmp_path_factory.mktemp("page") / "run", config=short(1), force=True)


@pytest.fixture(scope="module")
def server(run: Path) -> Iterator[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    words = ["serve", str(run), "--port", str(port), "--waiting", str(WAITING), "--api-key", KEY]
    process = subprocess.Popen([sys.executable, "-m", "unclip", *words], env=os.environ, stderr=subprocess.DEVNULL)
    try:
        base = f"http://127.0.0.1:{port}/"
        until(lambda: answers(base + "readyz") or process.poll() is not None, 300)
        yield base
    finally:
        process.terminate()
        assert process.wait(20) in (0, -15)


def answers(address: str) -> bool:
    try:
        return httpx.get(address).status_code == 200
    except httpx.TransportError:
        return False


def until(there: Callable[[], Any], seconds: float = 20) -> Any:
    end = time.monotonic() + seconds
    while not (found := there()):
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)
    return found


@pytest.fixture(scope="module")
def chrome(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    driver = browser(1280, 900)
    driver.execute_cdp_cmd(
        "Emulation.setEmulatedMedia", {"features": [{"name": "prefers-reduced-motion", "value": "reduce"}]}
    )
    yield driver
    driver.quit()


class Page:
    """What a person does on it."""

    def __init__(self, driver: Any, base: str, key: str = "") -> None:
        self.driver = driver
        driver.get(base)
        self.js("sessionStorage.clear()")
        if key:
            self.js(f"sessionStorage.setItem('unclip-key', {key!r})")
        driver.get_log("browser")
        driver.get(base)
        until(lambda: self.js("return document.querySelector('#num_inference_steps').placeholder === '2'"))

    def js(self, code: str) -> Any:
        return self.driver.execute_script(code)

    def all(self, selector: str) -> list[Any]:
        return self.driver.find_elements("css selector", selector)

    def one(self, selector: str) -> Any:
        return until(lambda: self.all(selector))[0]

    def write(self, selector: str, words: str) -> None:
        self.one(selector).clear()
        self.one(selector).send_keys(words)

    def done(self, kind: str) -> Any:
        """The newest batch, when it is this one and finished."""
        wanted = ".batch:first-child:not([aria-busy])"
        return until(lambda: next((b for b in self.all(wanted) if b.text.startswith(kind)), None))

    def errors(self) -> list[str]:
        return [line["message"] for line in self.driver.get_log("browser") if line["level"] == "SEVERE"]


@needs_browser
def test_a_sitting_from_an_empty_page_to_a_saved_edit(chrome: Any, server: str, tmp_path: Path) -> None:
    from selenium.webdriver import ActionChains, Keys

    page = Page(chrome, server, KEY)
    chrome.execute_cdp_cmd("Browser.setDownloadBehavior", {"behavior": "allow", "downloadPath": str(tmp_path)})
    assert page.one("#empty").is_displayed()
    page.write("#n", "2")
    page.one("#prompt").send_keys("a red <b>circle</b> & a foxtrot" + Keys.ENTER)
    drawn = page.done("Generated")
    assert "No caption of the training data has the word" in drawn.text
    images = drawn.find_elements("css selector", ".tile img")
    assert [image.get_attribute("alt") for image in images] == ["a red <b>circle</b> & a foxtrot"] * 2
    assert not page.one("#empty").is_displayed()

    first = page.one(".tile")
    first.send_keys(Keys.ARROW_RIGHT)
    assert chrome.switch_to.active_element == page.all(".tile")[1]
    chrome.switch_to.active_element.send_keys(Keys.ENTER)
    assert page.one("#detail-prompt").text == "a red <b>circle</b> & a foxtrot"
    chrome.switch_to.active_element.send_keys(Keys.ESCAPE)
    until(lambda: not page.one("#detail").is_displayed())

    first.click()
    page.one("[data-action=vary]").click()
    page.write("#vary-n", "2")
    page.one(".panel [type=submit]").click()
    assert len(page.done("Variation").find_elements("css selector", ".tile")) == 2

    page.one(".tile").click()
    page.one("[data-action=edit]").click()
    canvas, submit = page.one("canvas.mask"), page.one(".panel [type=submit]")
    assert not submit.is_enabled()
    canvas.send_keys(Keys.ARROW_RIGHT, Keys.SPACE)
    assert submit.is_enabled()
    chrome.find_element("xpath", "//button[.='Clear']").click()
    assert not submit.is_enabled()
    ActionChains(chrome).move_to_element(canvas).click_and_hold().move_by_offset(60, 40).release().perform()
    page.write("#edit-prompt", "a green circle")
    page.one(".panel [type=submit]").click()
    page.done("Edit")

    page.one(".tile").click()
    page.one("a[download]").click()
    saved = until(lambda: list(tmp_path.glob("unclip-a-green-circle-*.png")))[0]
    made = read_about(saved)
    assert (made["made"]["command"], made["prompt"]) == ("edit", "a green circle")
    chrome.switch_to.active_element.send_keys(Keys.ESCAPE)

    page.one("#opened").send_keys(str(saved))
    page.done("Opened")
    assert page.one("#prompt").get_attribute("value") == "a green circle"
    assert page.one("#seed").get_attribute("value") == str(made["seed"])
    assert page.errors() == []


@needs_browser
def test_frames_on_the_way_have_a_slider(chrome: Any, server: str) -> None:
    page = Page(chrome, server, KEY)
    page.write("#n", "2")
    page.write("#prompt", "a red circle\ue007")
    page.done("Generated")
    page.one(".tile").click()
    page.one("[data-action=blend]").click()
    page.write("#blend-n", "3")
    page.one(".panel [type=submit]").click()
    blended = page.done("Blend")
    blended.find_element("css selector", "input[type=range]").send_keys("\ue014")
    assert blended.find_element("css selector", "output").text == "2 of 3"
    page.one(".player .tile").click()
    assert page.one("#film-told").text == "2 of 3"
    page.one("[data-action=diff]").click()
    page.write("#diff-from", "a red circle")
    page.write("#diff-to", "a blue circle")
    page.write("#diff-n", "2")
    page.one(".panel [type=submit]").click()
    assert "a red circle → a blue circle" in page.done("Reworded").text
    assert page.errors() == []


@needs_browser
def test_a_key_is_asked_for_and_errors_are_told_in_words(chrome: Any, server: str) -> None:
    page = Page(chrome, server)
    page.write("#prompt", "a red circle")
    page.one("#form [type=submit]").click()
    page.write("#key", "wrong\ue007")
    until(lambda: "not the right one" in page.one("#ask-told").text)
    page.write("#key", f"{KEY}\ue007")
    page.done("Generated")

    page.write("#num_inference_steps", "0")
    page.one("#form [type=submit]").click()
    until(lambda: page.one(".note.error").text.startswith("Steps: "))
    assert page.one("#num_inference_steps").get_attribute("aria-invalid") == "true"
    page.write("#num_inference_steps", "1000")
    page.one("#form [type=submit]").click()
    page.one(".busy .button").click()
    until(lambda: len(page.all(".batch")) == 1)
    assert not page.all(".note.error")


@needs_browser
def test_the_second_tab_shows_a_run(chrome: Any, server: str, run: Path, tmp_path: Path) -> None:
    from selenium.webdriver import Keys

    report = run / "evaluation" / "validation" / "report.html"
    report.parent.mkdir(parents=True, exist_ok=True)
    report.write_text("<!doctype html><title>a report</title>", encoding="utf-8")
    chrome.execute_cdp_cmd("Browser.setDownloadBehavior", {"behavior": "allow", "downloadPath": str(tmp_path)})
    page = Page(chrome, server, KEY)
    page.one("#tab-create").send_keys(Keys.ARROW_RIGHT)
    assert chrome.switch_to.active_element == page.one("#tab-runs[aria-selected=true]")
    until(lambda: len(page.all(".stage")) == 3)
    assert [card.get_attribute("aria-label") for card in page.all(".stage")] == ["CLIP", "Prior", "Decoder"]
    assert "Finished" in page.one(".stage").text and "Gate failed: retrieval" in page.one(".stage").text
    assert len(page.all(".curve .line[d^=M]")) == 3
    assert page.one(".curve svg").get_attribute("aria-label").startswith("Loss of CLIP: from ")
    assert not page.one("#form").is_displayed()

    sheet = "return document.querySelector('#sheet').naturalWidth"
    until(lambda: page.js(sheet) > 0)
    assert re.fullmatch(r"Decoder, step \d+, the newest", page.one("#sheet-told").text)
    page.one("#sheet-at").send_keys(Keys.HOME)
    until(lambda: page.one("#sheet").get_attribute("alt") == "Preview sheet: The training data")
    page.one("#report-links a").click()
    saved = until(lambda: list(tmp_path.glob("*-validation-report.html")))[0]
    assert until(saved.read_text).endswith("<title>a report</title>")

    chrome.refresh()
    until(lambda: len(page.all(".stage")) == 3)
    page.one("#tab-create").click()
    assert page.one("#form").is_displayed() and not page.one("#panel-runs").is_displayed()
    assert page.errors() == []


@needs_browser
def test_the_description_of_the_api_needs_nothing_from_outside(chrome: Any, server: str) -> None:
    page = Page(chrome, server, KEY)
    chrome.get(server + "docs")
    routes = until(lambda: [each.text for each in page.all(".opblock-summary-path")])
    assert {"/v1/images/generations", "/v1/images/edits", "/v1/images/variations"} <= set(routes)
    assert page.one(".authorize").is_displayed()
    asked = page.js("return performance.getEntriesByType('resource').map(each => each.name)")
    assert len(asked) > 2 and all(address.startswith((server, "data:")) for address in asked)
    assert not page.errors()


def test_the_page_and_its_files_are_served(server: str) -> None:
    index = httpx.get(server)
    assert (index.status_code, index.headers["content-type"]) == (200, "text/html; charset=utf-8")
    for path in FOLDER.iterdir():
        answer = httpx.get(f"{server}page/{path.name}")
        assert (answer.status_code, answer.content) == (200, path.read_bytes())
        assert answer.headers["content-type"].startswith(KINDS[path.suffix])
        policy = dict(part.split(" ", 1) for part in answer.headers["content-security-policy"].split("; "))
        assert (policy["default-src"], policy["script-src"], policy["connect-src"]) == ("'none'", "'self'", "'self'")
        assert policy["img-src"] == "'self' data: blob:"
    for name in ("nothing.js", "..%2Fapp.py", "__init__.py"):
        assert httpx.get(f"{server}page/{name}").status_code == 404
    about = httpx.get(f"{server}page/about.json").json()
    assert about["models"][0]["size"] == 32
    assert about["models"][0]["examples"] == []  # a key is needed, and this route answers without one


def test_the_page_names_no_outside_address_and_no_file_that_is_missing() -> None:
    for path in FOLDER.iterdir():
        data = path.read_bytes()
        assert not re.search(rb"https?:|[\"'(]//", data, re.IGNORECASE), path.name
        assert b"innerHTML" not in data, path.name
        for name in re.findall(rb'from "\./([\w.]+)"|"page/([\w.]+\.(?:js|css|png))"', data):
            assert (FOLDER / (name[0] or name[1]).decode()).is_file(), f"{path.name}: {name}"


def test_examples_are_short_captions_from_all_over_the_data(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    captions = [f"image {number}" for number in range(60) for _ in "ab"] + ["long " * LONGEST, " "]
    rows = "".join(json.dumps({"captions": [caption]}) + "\n" for caption in captions)
    (tmp_path / "data" / "captions.jsonl").write_text(rows, encoding="utf-8")
    assert examples(tmp_path) == tuple(f"image {number}" for number in range(0, 60, 60 // EXAMPLES))
    assert chosen(["one", "two"]) == ("one", "two")
    assert examples(tmp_path / "nothing") == ()
