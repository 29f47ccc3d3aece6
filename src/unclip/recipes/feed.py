"""Batches of a run: batch number n is a function of (seed, n) alone, so resuming needs no loader state.

Of several processes each reads its own rows of it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch

from unclip.clip.model import CLIP
from unclip.core import processes
from unclip.core.noise import derive
from unclip.core.task import Batch
from unclip.core.typing import Images, Vectors
from unclip.data.loader import Order, select_rows, to_tensor
from unclip.data.prepare.write import Prepared
from unclip.text.tokenizer import Tokenizer


class Feed:
    """step -> Batch with images, one caption each (drawn where there are several), and what else was given.

    embeddings: image embeddings of the whole data set; latents: its codes' means and log-variances, or encode: what
    makes them, asked at the first batch; clip: adds its text features, computed without gradient.
    """

    def __init__(self, prepared: Prepared, rows: np.ndarray, tokenizer: Tokenizer, batch: int, seed: int) -> None:
        self.prepared, self.rows, self.seed = prepared, rows, seed
        self.order = Order(len(rows), batch, seed)
        distinct = sorted({c for row in prepared.captions for c in row})
        self.numbers = {c: i for i, c in enumerate(distinct)}
        self.ids, self.mask = tokenizer(distinct)  # once: its threads would disturb torch's at each step
        self.embeddings: Vectors | None = None
        self.encode: Callable[[], Images] | None = None
        self.clip: CLIP | None = None
        self.with_images = True

    @cached_property
    def latents(self) -> Images | None:
        """Of the whole data set."""
        return None if self.encode is None else self.encode()

    def __call__(self, step: int) -> Batch:
        rows, mine = self.rows[self.order.indices(step)], processes.share(self.order.batch)
        same = torch.tensor([self.numbers[c] for c in self._captions(rows, step)[mine]])
        rows = rows[mine]
        mask = self.mask[same]
        longest = int(mask.sum(1).max())
        ids, mask = self.ids[same, :longest], mask[:, :longest]
        text, tokens = self._text(ids, mask)
        return Batch(
            images=to_tensor(self.prepared.images[rows]) if self.with_images else None,
            ids=ids,
            mask=mask,
            caption_id=same,
            image_embedding=None if self.embeddings is None else self.embeddings[torch.from_numpy(rows)],
            latents=None if self.latents is None else self.latents[torch.from_numpy(rows)],
            text_embedding=text,
            text_tokens=tokens,
        )

    def _captions(self, rows: np.ndarray, step: int) -> list[str]:
        draw = np.random.default_rng(derive(self.seed, "caption", step)).random(len(rows))
        several = [self.prepared.captions[r] for r in rows]
        return [c[int(d * len(c))] for c, d in zip(several, draw, strict=True)]

    @torch.no_grad()
    def _text(self, ids: torch.Tensor, mask: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor] | tuple[None, None]:
        if self.clip is None:
            return None, None
        device = next(self.clip.parameters()).device
        return self.clip.embed_text(ids.to(device), mask.to(device))


@dataclass(frozen=True)
class PictureFeed:
    """step -> Batch with images, half of them mirrored where `flip`, and the numbers of their classes.

    labels: of the whole data set, or None; channels: 1 or 3.
    """

    prepared: Prepared
    rows: np.ndarray
    batch: int
    seed: int
    labels: np.ndarray | None = None
    channels: int = 3
    flip: bool = False

    @cached_property
    def order(self) -> Order:
        """Which rows make up which batch."""
        return Order(len(self.rows), self.batch, self.seed)

    def __call__(self, step: int) -> Batch:
        return self._part(step, processes.share(self.batch))

    def whole(self, step: int) -> Batch:
        """The batch that all processes share."""
        return self._part(step, slice(None))

    def _part(self, step: int, mine: slice) -> Batch:
        rows = self.rows[self.order.indices(step)][mine]
        pixels = select_rows(self.prepared.images, rows, self.channels)
        if self.flip:
            mirrored = np.random.default_rng(derive(self.seed, "flip", step)).random(self.batch)[mine] < 0.5
            pixels[mirrored] = pixels[mirrored, :, ::-1]
        labels = None if self.labels is None else torch.from_numpy(self.labels[rows])
        return Batch(images=to_tensor(pixels), labels=labels)


def distinct_captions(prepared: Prepared, rows: Sequence[int] | np.ndarray, maximum: int) -> list[int]:
    """The first rows whose first captions are all different, at most `maximum`."""
    seen: dict[str, int] = {}
    for row in rows:
        seen.setdefault(prepared.captions[row][0], int(row))
        if len(seen) == maximum:
            break
    return list(seen.values())
