"""What was found, in Markdown: speed, quality by minute, time to a quality, quality by steps."""

from collections.abc import Iterable, Sequence
from typing import Any

from unclip.judges.shipped import TRAINED

from .drawing import DRAWN
from .scoring import Row


def tables(found: dict[str, Any]) -> str:
    """The figures in Markdown."""
    parts = [_speed(found["peers"])]
    for judge in found["judges"]:
        floor = found["floor"][judge]
        parts.append(f"{judge}: training images come to {_figures(floor)}.\n\n" + _by_minute(found["peers"], judge))
        parts.append(_time_to(found["peers"], judge))
    parts.append(_by_steps(found["peers"]))
    return "\n\n".join(parts) + "\n"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _name(row: Row) -> str:
    return f"{row['peer']} {row['setting']}"


def _speed(peers: Sequence[Row]) -> str:
    head = ["peer", "parameters", "batch", "minutes", "on the wall", "steps", "images/s", "MB"]
    return _table(head, (_speed_row(row, row["record"]) for row in peers))


def _speed_row(row: Row, record: Row) -> list[str]:
    minutes, wall = (f"{record[clock] / 60:.1f}" for clock in ("seconds", "wall_seconds"))
    figures = [f"{record['parameters'] / 1e6:.2f}M", str(record["batch"]), minutes, wall, f"{record['steps']:,}"]
    return [_name(row), *figures, f"{record['images_per_s']:.1f}", f"{record['peak_mb']:.0f}"]


def _marks(row: Row) -> dict[float, Row]:
    """Minutes -> the pictures by which the peer is compared."""
    return {p["minutes"]: p for p in row["pictures"] if p["steps"] == row["record"]["sampling"]}


def _figures(scores: Row) -> str:
    kid = scores["kid"]
    text = f"{kid['mean']:.3f} ± {kid['error']:.3f}"
    return text + (f"; {scores['frechet']['value']:.1f}" if "frechet" in scores else "")


def _cell(picture: Row | None, judge: str) -> str:
    if picture is None:
        return ""
    if judge not in picture:
        return f"too slow: {picture['seconds']:.3g} s a picture"
    few = "" if picture["pictures"] == DRAWN else f" (n = {picture['pictures']})"
    return _figures(picture[judge]) + few


def _by_minute(peers: Sequence[Row], judge: str) -> str:
    minutes = sorted({minute for row in peers for minute in _marks(row)})
    head = [f"KID ± error; Fréchet ({judge})", "sampler", *(f"{minute:g} min" for minute in minutes)]
    samplers = [f"{row['record']['sampler']}, {row['record']['sampling']}" for row in peers]
    cells = [[_cell(_marks(row).get(minute), judge) for minute in minutes] for row in peers]
    rows = ([_name(row), sampler, *line] for row, sampler, line in zip(peers, samplers, cells, strict=True))
    return _table(head, rows)


def _kids(row: Row, judge: str) -> dict[float, float]:
    return {minute: p[judge]["kid"]["mean"] for minute, p in _marks(row).items() if judge in p}


def _time_to(peers: Sequence[Row], judge: str) -> str:
    """The first mark at which each is as good as each other is at its end."""
    ends = [(row, _kids(row, judge)) for row in peers if _kids(row, judge)]
    head = [f"minutes to the last KID of ({judge})", *(_name(row) for row, _ in ends)]
    return _table(head, ([_name(row), *(_first(own, kids) for _, kids in ends)] for row, own in ends))


def _first(own: dict[float, float], other: dict[float, float]) -> str:
    target = other[max(other)]
    there = [minute for minute, kid in sorted(own.items()) if kid <= target]
    return f"{there[0]:g}" if there else "not yet"


def _by_steps(peers: Sequence[Row]) -> str:
    head = ["peer", "minutes", "sampler", "steps", "pictures", "seconds a picture", *(f"KID ({j})" for j in TRAINED)]
    return _table(head, (_steps_row(row, p) for row in peers for p in _last(row)))


def _last(row: Row) -> list[Row]:
    end = max((p["minutes"] for p in row["pictures"]), default=0)
    return [p for p in row["pictures"] if p["minutes"] == end]


def _steps_row(row: Row, p: Row) -> list[str]:
    seconds = f"{p['seconds']:.3g}"
    cells = [f"{p['minutes']:g}", row["record"]["sampler"], str(p["steps"]), str(p["pictures"]), seconds]
    kids = [p[j]["kid"] if j in p else None for j in TRAINED]
    return [_name(row), *cells, *("too slow" if k is None else f"{k['mean']:.3f} ± {k['error']:.3f}" for k in kids)]
