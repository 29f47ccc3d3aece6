"""The lecture of `unclip explain --slides` in seconds: fewer chains, steps and draws."""

from functools import partial

import pytest

from unclip.studies.explain import study
from unclip.studies.lecture.dalle2 import contrast, decoder, prior
from unclip.studies.lecture.ddpm import forward, reverse, training

FEWER = {
    forward: {"CHAINS": 50},
    reverse: {"MANY": 20_000, "JUDGED": 2, "VISITS": 2, "WALK": 4, "FEW": (2,)},
    training: {"JUDGED": 2, "LEVELS": 3, "STEPS": (2,), "BATCH": 4},
    contrast: {"AFTER": (0, 1, 2), "SHOWN": 4},
    prior: {"DRAWN": 2, "MOST": 8},
    decoder: {"SCALES": (0.0, 2.0), "STEPS": 2},
}


def quicken(monkeypatch: pytest.MonkeyPatch) -> None:
    """Until the test is over."""
    for module, values in FEWER.items():
        for name, value in values.items():
            monkeypatch.setattr(module, name, value)
    small = partial(study.toy.ToyConfig, points=30, samples=20, steps=2, scenes=2, updates=3, batch=8)
    monkeypatch.setattr(study.toy, "ToyConfig", small)
