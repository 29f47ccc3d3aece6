"""Batches of a run: batch number n is a function of (seed, n) alone, so resuming needs no loader state.

Of several processes each reads its own rows of it.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from torch import Tensor

from unclip.clip.model import CLIP
from unclip.core import processes
from unclip.core.noise import derive
from unclip.core.task import Batch
from unclip.core.typing import Ids, Images, Mask, Vectors
from unclip.data.prepare.write import Prepared
from unclip.data.stream.reader import Stream
from unclip.recipes.sources.rows import Rows, Taken, rows_of
from unclip.text.tokenizer import Tokenizer

KEPT = 100_000
"""Captions whose tokens are kept in memory."""


@runtime_checkable
class OfRows(Protocol):
    """Batches whose rows are known."""

    @property
    def source(self) -> Rows: ...


NAMED = 4
"""Samples that are named of a step that was skipped."""


class Feed:
    """step -> Batch with images, one caption each (drawn where there are several), and what else was given.

    stream: where the images are streamed; else they are these rows of the prepared data. device: where they are trained
    on. embeddings: image embeddings of the whole data set, or what makes them of a batch; latents: its codes' means and
    log-variances, or what makes these, or encode: asked for them at the first batch; clip: adds its text features,
    computed without gradient.
    """

    def __init__(
        self,
        prepared: Prepared,
        rows: np.ndarray,
        tokenizer: Tokenizer,
        batch: int,
        seed: int,
        stream: Stream | None = None,
        device: str = "cpu",
    ) -> None:
        self.source, self.seed = rows_of(prepared, rows, batch, seed, stream, device), seed
        self.read = Read(tokenizer)
        self.embeddings: Vectors | Callable[[Images], Vectors] | None = None
        self.encode: Callable[[], Images | Callable[[Images], Images]] | None = None
        self.clip: CLIP | None = None
        self.with_images = True

    @cached_property
    def latents(self) -> Images | Callable[[Images], Images] | None:
        """Of the whole data set, or what makes them of a batch."""
        return None if self.encode is None else self.encode()

    def __call__(self, step: int) -> Batch:
        mine = processes.share(self.source.batch)
        taken = self.source.take(step, mine)
        captions = self._captions(taken.captions, step, mine)
        ids, mask = self.read(captions)
        text, tokens = self._text(ids, mask)
        made = any(callable(known) for known in (self.embeddings, self.latents))
        images = taken.images(3, None) if self.with_images or made else None
        return Batch(
            images=images if self.with_images else None,
            ids=ids,
            mask=mask,
            caption_id=torch.tensor([number(caption) for caption in captions]),
            image_embedding=_known(self.embeddings, taken, images),
            latents=_known(self.latents, taken, images),
            text_embedding=text,
            text_tokens=tokens,
        )

    def _captions(self, several: Sequence[tuple[str, ...]], step: int, mine: slice) -> list[str]:
        draw = np.random.default_rng(derive(self.seed, "caption", step)).random(self.source.batch)[mine]
        return [c[int(d * len(c))] for c, d in zip(several, draw, strict=True)]

    @torch.no_grad()
    def _text(self, ids: torch.Tensor, mask: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor] | tuple[None, None]:
        if self.clip is None:
            return None, None
        device = next(self.clip.parameters()).device
        return self.clip.embed_text(ids.to(device), mask.to(device))


def _known(known: Tensor | Callable[[Images], Tensor] | None, taken: Taken, images: Images | None) -> Tensor | None:
    """What a network says of the images of a batch: looked up, or asked."""
    if isinstance(known, Tensor) and taken.numbers is not None:
        return known[torch.from_numpy(taken.numbers)]
    assert known is None or (callable(known) and images is not None)
    return None if known is None or images is None else known(images)


class Read:
    """The tokens of captions; those that were read before are remembered, up to `KEPT`."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self._row = lru_cache(KEPT)(lambda caption: tokenizer.rows([caption])[0])

    def __call__(self, captions: Sequence[str]) -> tuple[Ids, Mask]:
        """As the tokenizer's own."""
        return self._tokenizer.padded([self._row(caption) for caption in captions])


def number(caption: str) -> int:
    """Equal for equal captions, and for no others."""
    return int.from_bytes(hashlib.blake2b(caption.encode(), digest_size=8).digest(), "little", signed=True)


@dataclass(frozen=True)
class PictureFeed:
    """step -> Batch with images, half of them mirrored where `flip`, and the numbers of their classes.

    labels: of the whole data set, or caption -> number, or None; channels: 1 or 3; stream: where the images are
    streamed, else they are these rows of the prepared data; device: where they are trained on.
    """

    prepared: Prepared
    rows: np.ndarray
    batch: int
    seed: int
    labels: np.ndarray | Mapping[str, int] | None = None
    channels: int = 3
    flip: bool = False
    stream: Stream | None = None
    device: str = "cpu"

    @cached_property
    def source(self) -> Rows:
        """Which images make up which batch."""
        return rows_of(self.prepared, self.rows, self.batch, self.seed, self.stream, self.device)

    def __call__(self, step: int) -> Batch:
        return self._part(step, processes.share(self.batch))

    def whole(self, step: int) -> Batch:
        """The batch that all processes share."""
        return self._part(step, slice(None))

    def _part(self, step: int, mine: slice) -> Batch:
        taken = self.source.take(step, mine)
        drawn = np.random.default_rng(derive(self.seed, "flip", step)).random(self.batch)[mine] if self.flip else None
        images = taken.images(self.channels, None if drawn is None else drawn < 0.5)
        return Batch(images=images, labels=self._labels(taken))

    def _labels(self, taken: Taken) -> Tensor | None:
        if self.labels is None:
            return None
        if isinstance(self.labels, np.ndarray):
            return torch.from_numpy(self.labels[taken.numbers])
        return torch.tensor([self.labels[captions[0]] for captions in taken.captions])


def distinct_captions(prepared: Prepared, rows: Sequence[int] | np.ndarray, maximum: int) -> list[int]:
    """The first rows whose first captions are all different, at most `maximum`."""
    seen: dict[str, int] = {}
    for row in rows:
        seen.setdefault(prepared.captions[row][0], int(row))
        if len(seen) == maximum:
            break
    return list(seen.values())


def skipped(feed: Callable[[int], Batch], step: int, lost: Sequence[int]) -> str:
    """What is told of a step that was skipped. lost: the rows of its batch whose loss alone is not finite."""
    told = f"! step {step:,} is skipped, its loss or gradient is not finite"
    if not lost:
        return f"{told}: no sample of its batch alone gives that"
    first = lost[:NAMED]
    names = feed.source.named(step - 1, first) if isinstance(feed, OfRows) else [""] * len(first)
    rows = [f"row {row} {name}".rstrip() for row, name in zip(lost, names, strict=False)]
    more = f" and {len(lost) - NAMED} more" if len(lost) > NAMED else ""
    return f"{told}: {', '.join(rows)}{more} of its batch"


def news(feed: Callable[[int], Batch]) -> list[str]:
    """What there is to tell of the data since it was asked last."""
    return feed.source.news() if isinstance(feed, OfRows) else []
