"""A training that does not hold: it ends, nothing of it is kept, and it can go on with another rate or machine."""

from itertools import islice
from pathlib import Path

import pytest
import torch
from tests.fakes import built, draw, trainer_of
from torch import nn

from unclip.core.noise import Noise
from unclip.core.task import Batch, Losses
from unclip.training.checkpoint import load_checkpoint, save_checkpoint
from unclip.training.trainer import PATIENCE, WINDOW, Diverged, Trainer


class Task(nn.Module):
    """Its loss in step n is `losses[n]` times a number near 1."""

    per_sample = False

    def __init__(self, losses: dict[int, float]) -> None:
        super().__init__()
        self.net, self.losses, self.calls = nn.ModuleList([nn.Linear(4, 4)]), losses, 0

    def loss(self, batch: Batch, noise: Noise) -> Losses:
        assert batch.image_embedding is not None
        self.calls += self.training  # not while it is asked which samples are not finite
        error = 1 + 0.001 * self.net[0](batch.image_embedding).square().mean()
        return Losses(error * self.losses.get(self.calls - 1, 1.0))


def trainer(losses: dict[int, float] | None = None, steps: int = 200, lr: float = 1e-3, seed: int = 0) -> Trainer:
    task = built(lambda: Task(losses or {}))
    return trainer_of(task, lambda step: Batch(image_embedding=draw(6, 4, key=step)), steps, lr, seed)


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), 1e6])
def test_many_bad_steps_end_it_even_with_good_ones_between(bad: float) -> None:
    scattered = trainer(dict.fromkeys(range(30, 200, 2), bad))
    with pytest.raises(Diverged, match=f"in {PATIENCE} of the last {WINDOW} steps up to step 69"):
        list(scattered.steps())
    assert scattered.skipped == (0 if bad == 1e6 else PATIENCE)


def test_a_bad_step_now_and_then_is_borne() -> None:
    assert len(list(trainer({n: float("nan") for n in range(5, 200, 7)}).steps())) == 200


def test_amid_bad_steps_nothing_is_worth_keeping() -> None:
    one = trainer({30: float("nan")}, steps=100)
    calm = [(report.step, one.calm) for report in one.steps()]
    assert [step for step, quiet in calm if not quiet] == list(range(31, 31 + PATIENCE))
    one.check()
    ended = trainer({9: float("nan")}, steps=10)
    list(ended.steps())
    assert ended.lost == 1
    with pytest.raises(Diverged, match="while it diverged: in 1 of the last 10 steps"):
        ended.check()


def test_weights_that_are_not_finite_are_never_worth_keeping() -> None:
    broken = trainer(steps=3)
    list(broken.steps())
    with torch.no_grad():
        next(iter(broken.module.parameters()))[0, 0] = torch.inf
    with pytest.raises(Diverged, match=r"weights net.0.weight are not finite after step 3"):
        broken.check()


def places(folder: Path) -> tuple[Path, Path]:
    return folder / "c", folder / "c.before"


def test_a_rate_and_a_machine_may_change_and_are_told(tmp_path: Path) -> None:
    before = trainer()
    list(islice(before.steps(), 3))
    save_checkpoint(places(tmp_path), before)
    lower = trainer(lr=1e-5)
    lower.workers, lower.precision, lower.device = 2, "bfloat16", "cuda"
    told = list(load_checkpoint(places(tmp_path), lower))
    assert told == [
        "continues at step 3",
        "goes on with another learning rate: lr = 1e-05 after 0.001, muon_lr = 1e-05 after 0.001",
        (
            "goes on in another way (device = cuda after cpu, workers = 2 after 1, precision = bfloat16 after "
            "float32): no longer bit for bit as before"
        ),
    ]
    lower.device, lower.precision = "cpu", "float32"
    assert next(lower.steps()).lr == pytest.approx(1e-5 * 4 / 5)  # the fourth of five steps of warm-up
    with pytest.raises(ValueError, match="other training settings"):
        list(load_checkpoint(places(tmp_path), trainer(seed=1)))
    assert list(load_checkpoint(places(tmp_path), trainer())) == ["continues at step 3"]
