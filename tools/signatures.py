"""How a function is called and a class is made, as its source writes it."""

import ast
import re

from tools.definitions import Definition, Function, bases

WIDTH = 100
"""Characters of a signature in one line."""


def is_dataclass(node: ast.ClassDef) -> bool:
    """Whether its fields are the arguments of its constructor."""
    by_decorator = any("dataclass" in ast.unparse(decorator) for decorator in node.decorator_list)
    return by_decorator or any(ast.unparse(base) == "NamedTuple" for base in node.bases)


def fields(node: ast.ClassDef) -> dict[str, str]:
    """Name -> `name: type = default` of a dataclass's own fields."""
    rows = [item for item in node.body if isinstance(item, ast.AnnAssign) and "ClassVar" not in ast.unparse(item)]
    return {ast.unparse(item.target): with_default(item) for item in rows}


def with_default(item: ast.AnnAssign) -> str:
    """A field as an argument; a factory shows what it makes."""
    made = re.fullmatch(r"field\(default_factory=(.*)\)", ast.unparse(item.value)) if item.value else None
    default = f"{made[1]}()" if made and not made[1].startswith("lambda") else made and made[1].partition(": ")[2]
    value = default or (ast.unparse(item.value) if item.value else "")
    return f"{ast.unparse(item.target)}: {ast.unparse(item.annotation)}" + (f" = {value}" if value else "")


def constructor(definition: Definition) -> str:
    """A class as it is called."""
    lineage = [definition, *bases(definition)]
    nodes = [one.node for one in lineage if isinstance(one.node, ast.ClassDef)]
    for node in nodes:
        if is_dataclass(node):
            every: dict[str, str] = {}
            for ancestor in reversed(nodes):
                every |= fields(ancestor) if is_dataclass(ancestor) else {}
            keywords = any("kw_only=True" in ast.unparse(d) for one in nodes for d in one.decorator_list)
            return call(definition.name, [*(["*"] if keywords else []), *every.values()])
        for item in node.body:
            if isinstance(item, Function) and item.name == "__init__":
                return call(definition.name, arguments(item)[1:])
    return definition.name


def arguments(node: Function) -> list[str]:
    """The arguments of a function as they are written."""
    args = node.args
    plain = [*args.posonlyargs, *args.args]
    defaults = [None] * (len(plain) - len(args.defaults)) + args.defaults
    found = [argument(arg, default) for arg, default in zip(plain, defaults, strict=True)]
    if args.posonlyargs:
        found.insert(len(args.posonlyargs), "/")
    if args.vararg or args.kwonlyargs:
        found.append(f"*{argument(args.vararg, None)}" if args.vararg else "*")
    found += [argument(arg, default) for arg, default in zip(args.kwonlyargs, args.kw_defaults, strict=True)]
    return [*found, f"**{argument(args.kwarg, None)}"] if args.kwarg else found


def argument(arg: ast.arg, default: ast.expr | None) -> str:
    """`name: type = default`."""
    kind = f": {ast.unparse(arg.annotation)}" if arg.annotation else ""
    return arg.arg + kind + (f" = {ast.unparse(default)}" if default else "")


def call(name: str, parts: list[str], returns: ast.expr | None = None) -> str:
    """A signature, in one line where it fits."""
    arrow = f" -> {ast.unparse(returns)}" if returns else ""
    line = f"{name}({', '.join(parts)}){arrow}"
    inner = "".join(f"    {part},\n" for part in parts)
    return line if len(line) <= WIDTH else f"{name}(\n{inner}){arrow}"


def signature(definition: Definition) -> str:
    """What stands in the block of code below a heading."""
    node = definition.node
    if isinstance(node, ast.ClassDef):
        return constructor(definition)
    if isinstance(node, Function):
        return call(definition.name, arguments(node), node.returns)
    written = ast.unparse(node)
    return written if len(written) <= WIDTH else f"{definition.name} = ..."
