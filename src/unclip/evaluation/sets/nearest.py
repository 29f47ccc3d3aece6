"""The nearest rows of a large set, exactly, in memory that does not grow with it."""

from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F

from unclip.core.typing import Float, Int, Tensor
from unclip.core.wide import wide

ROWS, QUERIES = 4096, 1024
"""Rows and queries that are compared at once: 32 MB of distances."""
SPARE = 4
"""Candidates beyond k, of which rounding may hide a nearest one until distances are taken again by differences."""
Metric = Literal["euclidean", "cosine"]


@dataclass(frozen=True)
class Nearest:
    """For each query its k nearest rows, the nearest first: their distances and their numbers, [n, k]."""

    distance: Float[Tensor, "n k"]
    index: Int[Tensor, "n k"]


def nearest(
    queries: Float[Tensor, "n d"], rows: Float[Tensor, "m _"], k: int = 1, metric: Metric = "euclidean"
) -> Nearest:
    """The k nearest rows of each query among all of them.

    metric: "euclidean", |q - r|; "cosine", 1 - q.r/(|q||r|). In float64: candidates by |q|^2 + |r|^2 - 2 q.r, then
    their distances again from the differences, so that a copy has distance 0 and a near-copy loses no digits. rows may
    be a memory-mapped array (`torch.from_numpy`): 4,096 of them are read at a time.
    Raises ValueError where there are fewer than k rows or widths differ.
    """
    if queries.shape[1] != rows.shape[1]:
        raise ValueError(f"queries are {queries.shape[1]} wide, rows {rows.shape[1]}")
    if not 1 <= k <= len(rows):
        raise ValueError(f"k = {k}: there are {len(rows)} rows to find the nearest in")
    found = [
        _nearest(_units(queries[i : i + QUERIES], metric), rows, k, metric) for i in range(0, len(queries), QUERIES)
    ]
    return Nearest(torch.cat([one.distance for one in found]), torch.cat([one.index for one in found]))


def _nearest(q: Float[Tensor, "n d"], rows: Float[Tensor, "m d"], k: int, metric: Metric) -> Nearest:
    best = q.new_empty(len(q), 0)
    index = torch.empty(len(q), 0, dtype=torch.long, device=q.device)
    for start in range(0, len(rows), ROWS):
        r = _units(rows[start : start + ROWS], metric).to(q.device)
        squares = torch.addmm(r.square().sum(1), q, r.t(), alpha=-2)  # less |q|^2, the same for all rows
        few = squares.topk(min(k + SPARE, len(r)), largest=False)
        best, index = torch.cat([best, few.values], 1), torch.cat([index, few.indices + start], 1)
        kept = best.topk(min(k + SPARE, best.shape[1]), largest=False).indices
        best, index = best.gather(1, kept), index.gather(1, kept)
    again = _again(q, rows, index, metric)
    order = again.argsort(dim=1, stable=True)[:, :k]
    return Nearest(again.gather(1, order), index.gather(1, order))


def _again(q: Float[Tensor, "n d"], rows: Float[Tensor, "m d"], index: Int[Tensor, "n c"], metric: Metric) -> Tensor:
    """Distances to the candidates by differences; of unit vectors 1 - cosine is half the square."""
    columns = []
    for some in index.t():
        distance = (q - _units(rows[some.to(rows.device)], metric).to(q.device)).norm(dim=1)
        columns.append(distance if metric == "euclidean" else distance.square() / 2)
    return torch.stack(columns, dim=1)


def _units(x: Float[Tensor, "n d"], metric: Metric) -> Float[Tensor, "n d"]:
    return F.normalize(wide(x), dim=1) if metric == "cosine" else wide(x)
