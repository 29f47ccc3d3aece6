"""The few settings that may change after a run was begun: rates, an early end, and what belongs to the machine."""

from collections.abc import Iterator, Mapping
from functools import reduce
from typing import Any

from unclip.recipes.settings.run import RunConfig, merge

FREE = ("workers", "shard", "compile", "precision", "checkpoint_seconds", "stop_at_copies")
RATES = ("train.optim.lr", "train.optim.muon_lr")
MEMORY = ("train.accumulate", "train.activation_checkpointing")
"""Of each stage."""


def may_change(path: str, before: Any, now: Any) -> bool:
    """Whether a setting of a begun run may take another value: all that was trained so far stays of use."""
    if path in FREE or path.partition(".")[2] in MEMORY:
        return True
    # With a rate for Muon or without decides which moments there are.
    return path.partition(".")[2] in RATES and (bool(before) == bool(now))


def changed(stored: RunConfig, config: RunConfig) -> dict[str, tuple[Any, Any]]:
    """Path -> (before, now) of what may change and does; `auto` leaves the precision as it is."""
    has, wanted = dict(leaves(stored.to_dict())), dict(leaves(config.to_dict()))
    both = {path: (has[path], value) for path, value in wanted.items() if path in has and has[path] != value}
    return {p: v for p, v in both.items() if may_change(p, *v) and (p, v[1]) != ("precision", "auto")}


def with_changes(stored: RunConfig, changes: Mapping[str, tuple[Any, Any]]) -> RunConfig:
    """The stored settings with these on top."""
    tables = [reduce(lambda inner, key: {key: inner}, reversed(p.split(".")), now) for p, (_, now) in changes.items()]
    return RunConfig.from_dict(reduce(merge, tables, stored.to_dict()))


def leaves(table: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """("a.b.c", value) of all that is not a table."""
    for key, value in table.items():
        if isinstance(value, Mapping):
            yield from leaves(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value
