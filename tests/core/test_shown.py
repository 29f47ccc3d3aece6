import pytest

from unclip.core.shown import printable


@pytest.mark.parametrize(
    "text, line",
    [
        ("a red heart", "a red heart"),
        ("café · 心 · 👩‍🚀", "café · 心 · 👩‍🚀"),
        ("\x1b[31mred\x1b[0m", "\\x1b[31mred\\x1b[0m"),
        ("photo\u202egnp.exe", "photo\\u202egnp.exe"),
        ("two\nlines\ttab", "two\\nlines\\ttab"),
        ("caf\udce9", "caf\\udce9"),
        ("\u2028", "\\u2028"),
        ("\x9b31m", "\\x9b31m"),
    ],
)
def test_what_a_terminal_obeys_is_escaped(text, line):
    assert printable(text) == line


def test_a_long_text_is_cut():
    assert printable("a" * 2000) == "a" * 1000 + "…"
    assert printable("abc", maximum=3) == "abc"


def test_anything_can_be_shown():
    assert printable(ValueError("bad\x07")) == "bad\\x07"
