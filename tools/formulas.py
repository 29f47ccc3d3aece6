"""`make docs`: the pages' formulas, $...$ in a line, $$...$$ below it, as MathML, which browsers draw by themselves.

An extension of Python-Markdown; what stands in backticks or fences is no formula.
"""

import re
from xml.etree import ElementTree as ET

from latex2mathml.converter import convert
from markdown import Markdown
from markdown.extensions import Extension
from markdown.inlinepatterns import InlineProcessor

FORMULA = r"(?<![\\$])(?:\$\$(.+?)\$\$|\$(?![\s$])([^$]+?)(?<!\s)\$(?!\d))"
"""The `$` that opens has no space behind it, the one that closes none before it: prices are no formulas."""
BETWEEN_CODE_AND_ESCAPES = 185
"""Python-Markdown's priorities: code in backticks has 190, a backslash before a sign 180."""
OPERATORS = {"~": "\u223c", ";": ";"}
"""Signs that latex2mathml takes for letters -> what stands between two terms."""
BRACE = "\u23df"


def mathml(tex: str, below: bool = False) -> str:
    """A formula as MathML, its TeX in `alttext`. Raises ValueError where it cannot be converted.

    Args:
        tex: without the signs around it.
        below: whether it has lines of its own.
    """
    try:
        root = ET.fromstring(convert(tex, xmlns="", display="block" if below else "inline"))
    except Exception as error:  # latex2mathml's errors have no base of their own
        raise ValueError(f"the formula {tex!r} cannot be converted: {error!r}") from error
    root.set("alttext", " ".join(tex.split()))
    for node in root.iter():
        if node.text and "\\" in node.text:
            raise ValueError(f"the formula {tex!r}: latex2mathml does not know {node.text}")
        as_printed(node)
    return ET.tostring(root, encoding="unicode")


def lines_of(tex: str) -> str:
    """A formula below the text: what wide space keeps apart stands side by side where the page is wide enough."""
    pieces = tex.split(r"\qquad")
    if any(piece.count("{") != piece.count("}") for piece in pieces):
        pieces = [tex]
    return f'<span class="formula">{"".join(mathml(piece, below=True) for piece in pieces)}</span>'


def as_printed(node: ET.Element) -> None:
    """What TeX prints otherwise: large delimiters, relations, a brace below terms, the space behind log and sin."""
    if node.tag == "mi" and node.text in OPERATORS:
        node.tag, node.text = "mo", OPERATORS[node.text]
    if "minsize" in node.attrib:
        node.set("stretchy", "true")
    if node.tag == "munder" and node[1].text == BRACE:  # Chromium cuts off a long one: site.css draws a line
        node.tag = "mrow"
        node.set("class", "under")
        node.remove(node[1])
    for at in reversed(range(len(node) - 1)):
        if node.tag == "mrow" and is_function(node[at]) and node[at + 1].text != "(":
            node.insert(at + 1, ET.Element("mspace", width="0.167em"))


def is_function(node: ET.Element) -> bool:
    """Whether a part of a formula is a name such as log."""
    return node.tag == "mi" and len(node.text or "") > 1


class Formula(InlineProcessor):
    """Where Markdown meets a formula."""

    def handleMatch(self, m: re.Match[str], data: str) -> tuple[str, int, int]:
        return self.md.htmlStash.store(lines_of(m[1]) if m[1] else mathml(m[2])), m.start(), m.end()


class Formulas(Extension):
    """What mkdocs.yml names."""

    def extendMarkdown(self, md: Markdown) -> None:
        md.inlinePatterns.register(Formula(FORMULA, md), "formula", BETWEEN_CODE_AND_ESCAPES)
