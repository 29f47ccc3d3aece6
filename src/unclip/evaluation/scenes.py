"""Drawn scenes image by image: whether each is wholly right, as settings are compared by it."""

from collections import Counter
from collections.abc import Sequence

import torch

from unclip.core.typing import PerSample
from unclip.data.shapes.captions import Prompt
from unclip.data.shapes.pairs import named
from unclip.data.shapes.score import Score
from unclip.evaluation.sets.beside import Values


def whole_scenes(prompts: Sequence[Prompt], scores: Sequence[Score]) -> dict[str, Values]:
    """Category -> 1 or 0 for each of its scenes; those of one unseen pair of colour and shape belong together."""
    found = dict[str, Values]()
    for category in dict.fromkeys(prompt.category for prompt in prompts):
        rows = [i for i, prompt in enumerate(prompts) if prompt.category == category]
        found[category] = Values(_whole([scores[i] for i in rows]), [_unit(prompts[i]) for i in rows])
    return found


def mean_over_categories(prompts: Sequence[Prompt], scores: Sequence[Score]) -> Values:
    """One figure of all scenes, in which a category counts the same however many scenes it has: scene i of n, of a
    category with n_c of them, as right_i n / (C n_c)."""
    sizes = Counter(prompt.category for prompt in prompts)
    weights = torch.tensor([len(prompts) / (len(sizes) * sizes[p.category]) for p in prompts], dtype=torch.float64)
    return Values(weights * _whole(scores), [_unit(prompt) for prompt in prompts])


def _whole(scores: Sequence[Score]) -> PerSample:
    return torch.tensor([score.whole for score in scores], dtype=torch.float64)


def _unit(prompt: Prompt) -> str:
    return named(prompt.unseen) if prompt.unseen else prompt.text
