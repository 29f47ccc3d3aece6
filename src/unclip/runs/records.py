"""What a run notes of how a stage ended: {"passed": bool, "why": str, "figures": {...}, "sha256": of its file}."""

from typing import Any

from unclip.core.config.ranges import quote

COUNTS = ("parameters", "steps", "seconds", "tokens", "context", "pairs")
"""Figures of a stage's end that commands count with."""


def check_record(record: Any, where: str) -> None:
    """Raises ValueError where this is not a record of a stage's end; where: the file and the stage."""
    kinds = {"passed": bool, "why": str, "metrics": dict}
    good = isinstance(record, dict) and all(isinstance(record.get(name), kind) for name, kind in kinds.items())
    if not good or not isinstance(record.get("sha256", ""), str):
        raise ValueError(f"{where} = {quote(record)}: expected how the stage ended (passed, why, metrics)")
    wrong = [name for name, value in record["metrics"].items() if not is_figure(name, value)]
    if wrong:
        raise ValueError(f"{where}: metrics.{quote(wrong[0])} = {quote(record['metrics'][wrong[0]])} is not a metric")


def is_figure(name: str, value: Any) -> bool:
    """Whether it is a number; what no command counts with may also be words, or figures by name."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return name not in COUNTS or 0 <= value < 1e15
    if isinstance(value, dict):
        return name not in COUNTS and all(is_figure(key, part) for key, part in value.items())
    return name not in COUNTS and (value is None or isinstance(value, str | bool | list))


def records_before(extra: dict[str, Any]) -> dict[str, Any]:
    """What a stage noted beside its weights of how data and tokenizer ended; nothing where that is none."""
    records = extra.get("began", {})
    try:
        for name, record in records.items():
            check_record(record, name)
    except (ValueError, AttributeError):
        return {}
    return records
