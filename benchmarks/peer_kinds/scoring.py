"""All pictures there are against the held-out ones, by the shipped judges; and the tables of what was found."""

import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from unclip import judges
from unclip.core.noise import Noise
from unclip.data.loader import to_tensor
from unclip.evaluation.sets.frechet import GROUPS, frechet
from unclip.evaluation.sets.kernel import kid_scores
from unclip.judges.judge import Judge

from .drawing import DRAWN
from .protocol import Job

JUDGES = ("supervised", "self-supervised")
Row = dict[str, Any]


def score(job: Job, out: Path) -> dict[str, Any]:
    """Judges (by name, their hash), the floor (training images) and a row for each set of pictures."""
    real = to_tensor(job.prepared.images[job.splits.test])
    chosen = np.random.default_rng(job.seed).permutation(job.splits.train)[:DRAWN]
    sets = {judge: (judge.features(real)) for judge in map(judges.load, JUDGES)}

    def by_judges(images: np.ndarray) -> Row:
        x = to_tensor(images)
        return {judge.name: distances(judge, judge.features(x), there, job.seed) for judge, there in sets.items()}

    rows: list[Row] = []
    for place in sorted(path.parent for path in out.glob("*/record.json")):
        name, setting = place.name.rsplit("-", 1)
        record = json.loads((place / "record.json").read_text(encoding="utf-8"))
        pictures = list(_pictures(place, by_judges))
        rows.append({"peer": name, "setting": setting, "record": record, "pictures": pictures})
    return {
        "judges": {judge.name: judge.hash for judge in sets},
        "held_out": len(real),
        "floor": by_judges(job.prepared.images[np.sort(chosen)]),
        "peers": rows,
    }


def _pictures(place: Path, by_judges: Any) -> Iterator[Row]:
    found = [json.loads(path.read_text(encoding="utf-8")) for path in (place / "pictures").glob("*.json")]
    for about in sorted(found, key=lambda row: (row["minutes"], row["steps"])):
        images = place / "pictures" / f"{about['minutes']:.3g}-{about['steps']}.npy"
        yield {**about, **(by_judges(np.load(images)) if images.exists() else {})}


def distances(judge: Judge, made: Any, real: Any, seed: int) -> Row:
    """KID with its error; Frechet distance, and extrapolated, where there are more images than features."""
    scores: Row = {"kid": kid_scores(made, real, seed)}
    if min(len(made), len(real)) > max(GROUPS, made.shape[1]):
        found = frechet(made, real, Noise.shared(seed, "frechet", judge.name))
        scores["frechet"] = {"value": found.value, "infinite": found.infinite.figure(), "n": found.n, "m": found.m}
    return scores


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
    head = ["peer", "minutes", "sampler", "steps", "pictures", "seconds a picture", *(f"KID ({j})" for j in JUDGES)]
    return _table(head, (_steps_row(row, p) for row in peers for p in _last(row)))


def _last(row: Row) -> list[Row]:
    end = max((p["minutes"] for p in row["pictures"]), default=0)
    return [p for p in row["pictures"] if p["minutes"] == end]


def _steps_row(row: Row, p: Row) -> list[str]:
    seconds = f"{p['seconds']:.3g}"
    cells = [f"{p['minutes']:g}", row["record"]["sampler"], str(p["steps"]), str(p["pictures"]), seconds]
    kids = [p[j]["kid"] if j in p else None for j in JUDGES]
    return [_name(row), *cells, *("too slow" if k is None else f"{k['mean']:.3f} ± {k['error']:.3f}" for k in kids)]
