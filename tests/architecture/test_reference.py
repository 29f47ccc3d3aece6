"""The API reference of `make docs`: it is whole, its links hold, and the site knows every page."""

import ast
import importlib
import re

import pytest
from tests.architecture.pages import PAGES, ROOT
from tests.architecture.test_public_names import ROOMS
from tools.notebooks import pages as notebooks
from tools.reference import exports, pages, public
from tools.site import BESIDE

MADE = pages()
EXPORTS = exports()
SENTENCE = re.compile(r"(?!Of\b)(?:[A-Z`]|iDDPM|unCLIP)")
"""How a docstring begins: not with a field's name, and with no genitive that nothing comes before."""
LINK = re.compile(r"\]\(([\w./-]+\.md)(?:#([\w-]+))?\)")


@pytest.mark.parametrize("room", EXPORTS)
def test_every_public_name_says_what_it_is(room: str) -> None:
    """And what the source says is exported is what Python finds."""
    silent = [definition.name for definition in EXPORTS[room] if not definition.doc]
    assert not silent, f"{room}: no docstring: {', '.join(silent)}"
    module = importlib.import_module(room)
    assert all(hasattr(module, definition.name) for definition in EXPORTS[room])


def test_docstrings_are_sentences() -> None:
    """They say what a thing is or does; arguments come after that, below `Args:`."""
    rooms = [definition for room in ROOMS for definition in EXPORTS[room] if "recipes" not in definition.module]
    texts = {f"{definition.module}.{definition.name}": definition.doc for definition in rooms}
    for definition in rooms:
        methods = public(definition.node) if isinstance(definition.node, ast.ClassDef) else {}
        texts |= {f"{definition.module}.{definition.name}.{n}": ast.get_docstring(m) or "" for n, m in methods.items()}
    found = [f"{name}: {text}" for name, text in texts.items() if not SENTENCE.match(text)]
    assert len(texts) > 400 and not found, "\n".join(found)


@pytest.mark.parametrize("page", MADE)
def test_links_hold(page: str) -> None:
    for target, name in LINK.findall(MADE[page]):
        if target.startswith("../"):
            assert (ROOT / "docs" / target[3:]).exists(), f"{page}: there is no {target}"
        else:
            headings = re.findall(r"^## (\w+)$", MADE[target], re.MULTILINE)
            assert not name or name in [heading.lower() for heading in headings], f"{page}: {target} has no {name}"


def test_an_entry_reads_well() -> None:
    [entry] = re.findall(r"^## DDIM\n(.*?)^## ", MADE["diffusion.md"], re.MULTILINE | re.DOTALL)
    assert "DDIM(eta: Fraction = 0.0)" in entry
    assert "Args:\n\n- `eta`: how much fresh noise a step adds." in entry
    assert "Derived from [`Sampler`](diffusion.md#sampler)" in entry
    assert "`from unclip.diffusion import DDIM`; defined in `src/unclip/diffusion/samplers/ddim.py`." in entry
    [entry] = re.findall(r"^## TextToImage\n(.*?)^## ", MADE["unclip.md"], re.MULTILINE | re.DOTALL)
    assert "### TextToImage.embed_images" in entry, "methods of a base that has no entry of its own stand here"
    assert "Inherited from [`ImageModel`](unclip.md#imagemodel): " in entry


def test_the_site_knows_every_page() -> None:
    nav = set(re.findall(r": (\S+\.md)$", (ROOT / "mkdocs.yml").read_text(encoding="utf-8"), re.MULTILINE))
    written = {page.removeprefix("docs/") for page in PAGES if page.startswith("docs/")}
    assert nav == written | {"reference/index.md", *BESIDE.values()} | {
        f"course/{page.stem}.md" for page in notebooks()
    }
