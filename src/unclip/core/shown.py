"""Text that came from outside (file names, captions, an image's own text, a forged setting), made safe to show.

A terminal obeys control characters: ESC may recolour it, move the cursor or set its title, and U+202E turns the rest
of a line around. Whatever unclip did not write itself passes `printable` before a person sees it.
"""

import shlex
import unicodedata

_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
"""Unicode categories that a terminal obeys, or that nobody can see: controls, formats, surrogates, unassigned."""
_JOINERS = frozenset({"\u200c", "\u200d"})
"""Formats that words and emoji need: "family: man, woman" is one image because of them."""


def printable(text: object, maximum: int = 1000) -> str:
    r"""`text` in one line, in which every character that is not plainly visible stands as an escape (`\x1b`, `\u202e`).

    maximum: longer texts are cut there, and end in an ellipsis.
    """
    whole = str(text)
    line = "".join(_escaped(letter) for letter in whole[:maximum])
    return line + "…" * (len(whole) > maximum)


def visible(text: str) -> str:
    r"""As `shown`, of any length, and its lines stay lines."""
    return text if text.isprintable() else "\n".join("".join(map(_escaped, part)) for part in text.split("\n"))


def shell_command(*words: object) -> str:
    """A command as a shell takes it: unclip generate 'a red heart' --run 'runs/my run'."""
    return shlex.join(map(str, words))


def _escaped(letter: str) -> str:
    if letter in _JOINERS or unicodedata.category(letter) not in _HIDDEN:
        return letter
    return letter.encode("unicode_escape").decode("ascii")
