"""File names: found again whatever form a metadata file gives them, and read as captions."""

import posixpath
import re
from collections.abc import Iterable, Iterator

from unclip.data.item import key_of, same, stem

_NUMBER = re.compile(r"(?<=[^\W\d])[\W_]*\(?\d{1,6}\)?$")
"""At the end of a name: "apple_01", "apple (2)"."""
_SIZE = re.compile(r"(?i)(@\dx|[\W_]+\d+(x\d+|px))$")
_OF_CAMERAS = (
    "img image dsc dscn dscf pxl gopr mvi vid pic image photo scan screenshot screen shot frame file untitled copy "
    "sample render output thumb thumbnail tmp download whatsapp the and jpg jpeg png"
)
_SAYS_NOTHING = frozenset(_OF_CAMERAS.split())
_HASH = re.compile(r"(?i)[0-9a-f]{8}[0-9a-f-]*")


class Names:
    """The names of images, to be found by a name that is written in another way."""

    def __init__(self, names: Iterable[str]) -> None:
        self.exact = set(names)
        self.composed = {same(name): name for name in self.exact if same(name) != name}
        self._stems: dict[str, str | None] | None = None

    def find(self, name: str) -> str | None:
        """The image of that name, else the one whose name differs only in how an accent is written."""
        if name in self.exact:
            return name
        wanted = same(name)
        return wanted if wanted in self.exact else self.composed.get(wanted)

    def find_stem(self, name: str) -> str | None:
        """The only image of that name without its ending."""
        if self._stems is None:
            self._stems = {}
            for known in self.exact:
                key = same(stem(known))
                self._stems[key] = None if key in self._stems else known
        return self._stems.get(same(name))


def words_of(name: str) -> str:
    """ "icons/arrow-left@2x.png" -> "arrow left"; "" for a name that says nothing, as "IMG_0017" or a hash."""
    base = stem(posixpath.basename(name))
    base = _SIZE.sub("", base)
    if _HASH.fullmatch(base):
        return ""
    base = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", base)  # ArrowLeft
    said = [word for word in re.split(r"[\W_]+", key_of(same(base))) if word]
    telling = [word for word in said if any(map(str.isalpha, word)) and word.lower() not in _SAYS_NOTHING]
    return " ".join(said) if any(len(re.sub(r"\d", "", word)) > 2 or not word.isascii() for word in telling) else ""


class NameCaptions:
    """Captions from names. A number at the end is dropped where other names have the same words before it."""

    def __init__(self, names: Iterable[str]) -> None:
        seen, self.numbered = set[int](), set[int]()
        for name in names:
            key = hash(_unnumbered(name))
            (self.numbered if key in seen else seen).add(key)

    def of(self, name: str) -> str:
        """The caption of an image of that name; "" where its name says nothing."""
        bare = _unnumbered(name)
        return words_of(bare) if hash(bare) in self.numbered else words_of(name)


def _unnumbered(name: str) -> str:
    return _NUMBER.sub("", _SIZE.sub("", stem(posixpath.basename(name)))) + ".png"


def telling(names: Iterable[str], maximum: int = 2000) -> list[str]:
    """Captions of the first `maximum` names, where at least half of them say something and most differ; else []."""
    known = [name for name, _ in zip(names, range(maximum), strict=False)]
    words = NameCaptions(known)
    captions: Iterator[str] = (words.of(name) for name in known)
    found = [caption for caption in captions if caption]
    return found if 2 * len(found) >= len(known) and len(set(found)) > 1 else []
