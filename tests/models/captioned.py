"""Embeddings with captions, for tests of priors: z_i is a rotation of z_t and noise."""

import torch
import torch.nn.functional as F
from tests.fakes import draw
from torch import Tensor

from unclip.core.noise import Noise
from unclip.core.task import Batch
from unclip.nn.prior.caption_net import PriorNetConfig

WIDTH = 6
NET = PriorNetConfig(WIDTH, 8, context=4, width=32, layers=2, heads=2)
TURN = torch.linalg.qr(draw(WIDTH, WIDTH, key="turn")).Q
MASK = torch.tensor([True, True, True, False])


def pairs(n: int, noise: float = 0.3, captions: int = 0, key: int | str = 0) -> Batch:
    """n pairs of `captions` different captions (0: all are different)."""
    texts = F.normalize(draw(captions or n, WIDTH, key=f"texts{key if not captions else 0}"), dim=1)
    tokens = draw(captions or n, 4, 8, key="tokens")
    which = torch.arange(n) % len(texts)
    images = F.normalize(texts[which] @ TURN + noise * draw(n, WIDTH, key=f"images{key}"), dim=1)
    return Batch(
        image_embedding=images,
        text_embedding=texts[which],
        text_tokens=tokens[which],
        mask=MASK.expand(n, -1),
        caption_id=which,
    )


def given(batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
    """What a prior is asked with."""
    assert batch.text_embedding is not None and batch.text_tokens is not None and batch.mask is not None
    return batch.text_embedding, batch.text_tokens, batch.mask


def embeddings(batch: Batch) -> tuple[Tensor, Tensor]:
    """(of images, of texts)."""
    assert batch.image_embedding is not None and batch.text_embedding is not None
    return batch.image_embedding, batch.text_embedding


def seeds(n: int, first: int = 0) -> list[Noise]:
    """One candidate."""
    return [Noise.per_sample(range(first, first + n))]
