"""Two moons: what the samplers make of them with the exact and with a learned denoiser."""

from dataclasses import replace

import pytest
import torch

from unclip.core.noise import Noise
from unclip.data.moons import two_moons
from unclip.diffusion.denoiser import Denoise
from unclip.diffusion.samplers import NAMES, Sampler
from unclip.recipes.events import Working
from unclip.studies.explain import toy
from unclip.studies.explain.request import IN_THE_PLANE

CONFIG = toy.ToyConfig(samples=200)
MOONS = two_moons(20_000, Noise.shared("all"), spread=0.0)
SHOWN = {name: NAMES[name] for name in IN_THE_PLANE}


@pytest.fixture(scope="module")
def learned() -> Denoise:
    training, events = toy.learn(replace(CONFIG, updates=250, batch=256)), []
    while True:
        try:
            events.append(next(training))
        except StopIteration as end:
            assert len(events) == 250
            assert all(isinstance(event, Working) for event in events)
            assert events[-1].share == 1
            return end.value


def off(points: torch.Tensor) -> torch.Tensor:
    """Distances to the nearer moon."""
    return torch.cdist(points, MOONS).min(1).values


@pytest.mark.parametrize("sampler", SHOWN.values(), ids=SHOWN)
def test_exact_samples_lie_on_the_moons(sampler: Sampler):
    """The moons' own spread is 0.085: farther than four of it lies nothing. Both moons are found alike."""
    end = toy.flow(CONFIG, "exact", toy.best_possible(CONFIG), "x", sampler).paths[-1]
    assert off(end).max() < 0.34
    assert torch.cdist(end, CONFIG.data()).min(1).values.median() < 0.02  # they are points of the data
    upper = torch.cdist(end, CONFIG.data()).argmin(1) % 2 == 0
    assert upper.float().mean().item() == pytest.approx(0.5, abs=0.15)


@pytest.mark.parametrize("sampler", SHOWN.values(), ids=SHOWN)
def test_learned_samples_lie_near_the_moons(learned: Denoise, sampler: Sampler):
    end = toy.flow(CONFIG, "learned", learned, "x", sampler).paths[-1]
    start = Noise.shared(CONFIG.seed, "start").normal((CONFIG.samples, 2))
    assert off(end).median() < 0.12
    assert off(end).mean() < off(start).mean() / 3


def test_flows_start_alike_and_count_evaluations():
    a, b = (toy.flow(CONFIG, "exact", toy.best_possible(CONFIG), name, NAMES[name]) for name in ("ddim", "ancestral"))
    assert torch.equal(a.paths[0], b.paths[0])
    assert a.paths.shape == (CONFIG.steps + 1, CONFIG.samples, 2)
    assert (a.cost, b.cost) == (CONFIG.steps, CONFIG.steps)


def test_scenes_go_from_the_moons_to_noise():
    scenes = toy.scenes(CONFIG, 2000, 6)
    assert len({scene.head for scene in scenes}) == 6
    assert off(scenes[0].cloud).max() < 0.5
    end = scenes[-1].cloud
    assert end.mean(0).tolist() == pytest.approx([0, 0], abs=0.08)
    assert end.std(0).tolist() == pytest.approx([1, 1], abs=0.06)
    assert torch.corrcoef(end.T)[0, 1].item() == pytest.approx(0, abs=0.06)
