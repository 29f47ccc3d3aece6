"""`make docs`: the API reference, made from signatures and docstrings alone; nothing is imported, nothing is fetched.

A page for each room that exports names, and for the few modules whose types stand in signatures. A name is described on
the page of the outermost room that exports it; the pages of inner rooms link there.

    python -m tools.reference docs/reference
"""

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from tools.definitions import SOURCE, Definition, Function, bases, exported, find, parsed, path_of, rooms
from tools.signatures import arguments, call, signature

Homes = dict[tuple[str, str], str]
"""(module, name) of a definition -> the page that describes it."""


SECTION = re.compile(r"^(Args|Raises):\n((?: {4}.*(?:\n|$))+)", re.MULTILINE)
"""The arguments of a docstring, or its errors: a name and what it is, on lines that are indented."""


def as_list(section: re.Match[str]) -> str:
    """A section of a docstring as a list."""
    entries = section[2].replace("\n        ", " ")
    return f"{section[1]}:\n\n" + re.sub(r"^ {4}(\w+): ", r"- `\1`: ", entries, flags=re.MULTILINE)


def escaped(text: str) -> str:
    """A docstring as Markdown: what is no code has neither tags nor emphasis by accident, and pages are links."""
    lines = []
    for line in SECTION.sub(as_list, text).splitlines():
        pieces = [line] if line.startswith("    ") else re.split(r"(`[^`]*`)", line)
        lines.append("".join(p if p.startswith(("`", "    ")) else prose(p) for p in pieces))
    return "\n".join(lines)


def prose(text: str) -> str:
    """A piece of a docstring that is no code."""
    return re.sub(r"docs/([\w-]+)\.md", r"[\1](../\1.md)", re.sub(r"([<*])", r"\\\1", text))


def public(node: ast.ClassDef) -> dict[str, Function]:
    """The methods of a class that are for everybody and say what they do; of overloads the last."""
    found = [item for item in node.body if isinstance(item, Function) and ast.get_docstring(item)]
    return {item.name: item for item in found if not item.name.startswith("_") or item.name == "__call__"}


def method(owner: str, node: Function) -> str:
    """A method below its class."""
    kinds = [ast.unparse(decorator) for decorator in node.decorator_list]
    if "property" in kinds or "cached_property" in kinds:
        shown = f"{node.name}: {ast.unparse(node.returns)}" if node.returns else node.name
    else:
        shown = call(node.name, arguments(node)[0 if "staticmethod" in kinds else 1 :], node.returns)
    return f"### {owner}.{node.name}\n\n```python\n{shown}\n```\n\n{escaped(ast.get_docstring(node) or '')}\n"


def methods(definition: Definition, at: Homes) -> Iterator[str]:
    """What one can do with an object: the methods of its class, and of bases that have no entry of their own."""
    seen: set[str] = set()
    for one in (definition, *bases(definition)):
        assert isinstance(one.node, ast.ClassDef)
        found = {name: node for name, node in public(one.node).items() if name not in seen}
        seen |= set(found)
        if one is definition or key(one) not in at:
            yield from (method(definition.name, node) for node in found.values())
        elif found:
            yield f"Inherited from {link(one, at)}: {', '.join(f'`{name}`' for name in found)}.\n"


def entry(room: str, definition: Definition, at: Homes) -> str:
    """All about one name."""
    parts = [f"## {definition.name}\n", f"```python\n{signature(definition)}\n```\n", f"{escaped(definition.doc)}\n"]
    if isinstance(definition.node, ast.ClassDef):
        ours = [link(base, at) for base in bases(definition) if key(base) in at]
        parts += [f"Derived from {', '.join(ours)}.\n"] if ours else []
        parts += methods(definition, at)
    where = path_of(definition.module).relative_to(SOURCE.parent).as_posix()
    parts.append(f"`from {room} import {definition.name}`; defined in `{where}`.\n")
    return "\n".join(part for part in parts if part.strip())


def page_name(room: str) -> str:
    """The file of a room: unclip.diffusion -> diffusion.md."""
    return f"{room.removeprefix('unclip.').replace('.', '-')}.md"


def heading(room: str) -> str:
    """A room's docstring, as the beginning of its page."""
    return f"# {room}\n\n{escaped(ast.get_docstring(parsed(room)) or '')}\n"


def key(definition: Definition) -> tuple[str, str]:
    """What a definition is known by, under whatever name it is exported."""
    return definition.module, definition.name


def link(definition: Definition, at: Homes) -> str:
    """A link to an entry."""
    return f"[`{definition.name}`]({at[key(definition)]}#{definition.name.lower()})"


def exports() -> dict[str, list[Definition]]:
    """Room -> what it exports. Raises SystemExit for a name that is defined nowhere."""
    every: dict[str, list[Definition]] = {}
    for room in rooms():
        found = {name: find(room, name) for name in exported(room)}
        if missing := [name for name, definition in found.items() if definition is None]:
            raise SystemExit(f"{room}: exports {', '.join(missing)}, defined nowhere below src/unclip")
        every[room] = [definition for definition in found.values() if definition is not None]
    return every


def pages() -> dict[str, str]:
    """File name -> text of every page, and of the index of them."""
    every = exports()
    at: Homes = {}
    for room, definitions in every.items():
        for definition in definitions:
            at.setdefault(key(definition), page_name(room))
    made = {page_name(room): page(room, definitions, at) for room, definitions in every.items()}
    return {"index.md": index(every, at), **made}


def page(room: str, definitions: list[Definition], at: Homes) -> str:
    """A room: its docstring, the entries that stand here, links to the others."""
    here = [definition for definition in definitions if at[key(definition)] == page_name(room)]
    others = ", ".join(link(definition, at) for definition in definitions if definition not in here)
    text = [heading(room), f"Described elsewhere: {others}.\n" if others else ""]
    text += [entry(room, definition, at) for definition in here]
    return "\n".join(part for part in text if part)


def index(every: dict[str, list[Definition]], at: Homes) -> str:
    """The table of all rooms."""
    text = (
        "# API reference\n\n"
        "Made from the docstrings by `make docs`. How the rooms relate: [architecture](../architecture.md).\n"
    )
    for room, definitions in every.items():
        purpose = escaped(ast.get_docstring(parsed(room)) or "").partition("\n\n")[0]
        here = [definition for definition in definitions if at[key(definition)] == page_name(room)]
        names = ", ".join(link(definition, at) for definition in here)
        text += f"\n## [{room}]({page_name(room)})\n\n{purpose}\n" + (f"\n{names}\n" if names else "")
    return text


def main(folder: Path) -> None:
    """Writes the pages."""
    folder.mkdir(parents=True, exist_ok=True)
    made = pages()
    for name, text in made.items():
        (folder / name).write_text(text, encoding="utf-8")
    print(f"{len(made)} pages in {folder}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
