"""Every paper that the code or the documentation cites stands in docs/references.md, under the very words."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "references.md"
CITED = re.compile(r"([A-Z][\w-]+)(?:'s)? (et al\.|& [A-Z][\w-]+),?\s+\(?(\d{4}[a-z]?)")


def citations(text: str) -> set[str]:
    return {f"{name} {others} {year}" for name, others, year in CITED.findall(text)}


def test_every_citation_is_in_the_list():
    known = citations(PAGE.read_text(encoding="utf-8"))
    found = []
    for path in sorted([*(ROOT / "src").rglob("*.py"), *(ROOT / "docs").glob("*.md")]):
        if missing := citations(path.read_text(encoding="utf-8")) - known:
            found.append(f"{path.relative_to(ROOT)}: {', '.join(sorted(missing))}")
    assert not found, "\n".join(found)
