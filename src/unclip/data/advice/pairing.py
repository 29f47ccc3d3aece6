"""Whether captions have anything to do with their images, tested without a model.

The statistic is the squared Frobenius norm of the covariance of two views of an image: how its colours lie (means over
8 x 8 cells) and which words its captions have. That is HSIC with linear kernels (Gretton et al. 2005, Eq. 9). Captions
that are shuffled among the images give its distribution where nothing belongs together.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, UInt8

from unclip.data.advice.words import shared, words

CELLS = 8
MOST = 300
"""Words, the most frequent of those that images share."""
SHUFFLES = 40


def relation(images: UInt8[np.ndarray, "n size size 3"], captions: Sequence[Sequence[str]]) -> float | None:
    """By how many standard deviations captions go with their images better than shuffled ones do.

    None where no two images share a word that tells them from others: then nothing can be said.
    """
    known = [word for word, _ in shared(captions).most_common(MOST)]
    if not known:
        return None
    looks, said = _looks(images), _said(captions, known)
    random = np.random.default_rng(0)
    here = np.square(looks.T @ said).sum()
    there = np.array([np.square(looks.T @ said[random.permutation(len(said))]).sum() for _ in range(SHUFFLES)])
    return float((here - there.mean()) / max(there.std(), 1e-12))


def _looks(images: UInt8[np.ndarray, "n size size 3"]) -> Float[np.ndarray, "n d"]:
    """Mean colours of the cells, each with mean 0 and variance 1 over the images."""
    edges = np.linspace(0, images.shape[1], min(CELLS, images.shape[1]) + 1).astype(int)[:-1]
    rows = np.add.reduceat(np.add.reduceat(images.astype(np.float32), edges, axis=1), edges, axis=2)
    flat = rows.reshape(len(images), -1)
    flat -= flat.mean(0)
    return flat / np.maximum(flat.std(0), 1e-6)


def _said(captions: Sequence[Sequence[str]], known: Sequence[str]) -> Float[np.ndarray, "n w"]:
    """Which image has which word, centred; a rare word counts as much as a frequent one."""
    place = {word: number for number, word in enumerate(known)}
    table = np.zeros((len(captions), len(known)), dtype=np.float32)
    for row, of in enumerate(captions):
        table[row, [place[word] for word in words(of) if word in place]] = 1
    return (table - table.mean(0)) / np.sqrt(table.sum(0))
