"""Loss-aware levels: unbiased, less variance, reproducible with threads and across a checkpoint."""

from pathlib import Path

import pytest
import torch
from tests.fakes import NOTHING, draw, family, trainer_of, unet
from torch import nn

from unclip.core.noise import Noise
from unclip.core.task import Batch, Losses
from unclip.diffusion.losses import LevelSampling, LossAware, Stratified
from unclip.diffusion.losses.sampling import LossHistory
from unclip.diffusion.process import Diffusion, DiffusionConfig
from unclip.diffusion.schedules import Cosine, LinearBeta, Schedule
from unclip.training.checkpoint import load_checkpoint, save_checkpoint

MEMBERS = [pytest.param(m(), id=m.__name__) for m in family(LevelSampling)]


def price(log_snr: torch.Tensor) -> torch.Tensor:
    """What a level costs in these tests: much at the clean end."""
    return torch.exp(log_snr / 4)


def taught(schedule: Schedule, bins: int = 16) -> LossHistory:
    """A history that has seen enough."""
    history = LossHistory(bins, 10)
    for i in range(40):
        drawn = history.draw(schedule, 64, Noise.shared("teach", i))
        history.record(drawn, price(drawn.log_snr), Noise.shared("teach", i))
        history.settle()
    return history


@pytest.mark.parametrize("schedule", [Cosine(), LinearBeta()], ids=lambda s: type(s).__name__)
def test_unbiased_with_less_variance(schedule: Schedule):
    history, means, plain = taught(schedule), [], []
    for i in range(400):
        drawn = history.draw(schedule, 16, Noise.shared(i))
        assert drawn.weight is not None
        means.append((drawn.weight * price(drawn.log_snr)).mean())
        loose = torch.rand(16, generator=torch.Generator().manual_seed(i))  # not stratified
        plain.append(price(schedule(loose)).mean())
    found, theirs = torch.stack(means), torch.stack(plain)
    truth = price(schedule(torch.linspace(0, 1, 200_001, dtype=torch.float64))).mean().item()
    assert found.mean().item() == pytest.approx(truth, abs=4 * found.std().item() / 20)
    assert found.std() < theirs.std() / 3


def test_bins_are_drawn_by_the_root_of_their_mean_square():
    history = taught(Cosine(), bins=8)
    p = history.probabilities()
    root = history.losses.double().square().mean(1).sqrt()
    assert torch.allclose(p, 0.999 * root / root.sum() + 0.001 / 8)
    drawn = history.draw(Cosine(), 20_000, Noise.shared(0))
    assert drawn.bins is not None and drawn.weight is not None
    share = torch.bincount(drawn.bins, minlength=8) / 20_000
    assert torch.allclose(share.double(), p, atol=1e-3)
    assert torch.allclose(drawn.weight.double(), 1 / (8 * p[drawn.bins]), rtol=1e-5)
    t = torch.linspace(0, 1, 8 + 1)
    edges = Cosine()(t)
    assert (drawn.log_snr <= edges[drawn.bins] + 1e-4).all()
    assert (drawn.log_snr >= edges[drawn.bins + 1] - 1e-4).all()


def test_uniform_until_every_bin_is_known_and_in_evaluation():
    fresh, known = LossHistory(8, 10), taught(Cosine(), bins=8)
    drawn = fresh.draw(Cosine(), 64, Noise.shared(3))
    assert drawn.weight is not None
    assert torch.allclose(drawn.weight, torch.ones(64))
    assert torch.allclose(drawn.log_snr, Cosine().draw(64, Noise.shared(3)), atol=1e-3)
    evaluated = known.eval().draw(Cosine(), 64, Noise.shared(3))
    assert torch.equal(evaluated.log_snr, drawn.log_snr)
    known.record(evaluated, price(evaluated.log_snr), Noise.shared(3))
    assert not known.pending


def test_the_ring_keeps_the_last():
    history = LossHistory(2, 3)
    for i in range(5):
        drawn = history.draw(Cosine(), 2, Noise.shared(i))
        loss = torch.full((2,), float(i)) if i < 4 else torch.full((2,), torch.nan)
        history.record(drawn, loss, Noise.shared(i))
        history.settle()
    assert history.count.tolist() == [4, 4]
    assert history.losses.sort(1).values.tolist() == [[1.0, 2.0, 3.0]] * 2


@pytest.mark.parametrize("member", MEMBERS)
def test_every_sampling_covers_the_schedule(member: LevelSampling):
    drawn = member.sampler().draw(LinearBeta(), 512, Noise.shared(0))
    assert drawn.log_snr.shape == (512,)
    assert torch.isfinite(drawn.log_snr).all()
    assert drawn.log_snr.max() > 7.5
    assert drawn.log_snr.min() < -9.5


def test_the_plain_one_is_the_schedules_own():
    assert torch.equal(
        Stratified().sampler().draw(Cosine(), 8, Noise.shared(1)).log_snr, Cosine().draw(8, Noise.shared(1))
    )


class Painter(nn.Module):
    """A task that is nothing but a diffusion."""

    per_sample = True

    def __init__(self) -> None:
        super().__init__()
        config = DiffusionConfig(levels=LossAware(bins=4, keep=2), uncertainty=4)
        self.diffusion = Diffusion(unet(), config).train()

    def loss(self, batch: Batch, noise: Noise) -> Losses:
        assert batch.images is not None
        return Losses(self.diffusion.loss(batch.images, NOTHING, noise).mean())


def feed(step: int) -> Batch:
    return Batch(images=draw(4, 3, 8, 8, key=step))


def weights(task: nn.Module) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in task.state_dict().items()}


@pytest.mark.parametrize("workers", [1, 2])
def test_a_resumed_run_equals_an_uninterrupted_one(tmp_path: Path, workers: int):
    whole = trainer_of(Painter(), feed, 8, workers=workers)
    list(whole.steps())
    first = trainer_of(Painter(), feed, 8, workers=workers)
    for report in first.steps():
        if report.step == 6:
            break
    places = tmp_path / "state", tmp_path / "state.before"
    save_checkpoint(places, first)
    again = trainer_of(Painter(), feed, 8, workers=workers)
    list(load_checkpoint(places, again))
    assert again.step == 6
    list(again.steps())
    assert weights(whole.module).keys() == weights(again.module).keys()
    for name, value in weights(whole.module).items():
        assert torch.equal(value, weights(again.module)[name]), name
    history = whole.module.get_submodule("diffusion.levels")
    assert isinstance(history, LossHistory)
    assert history.count.sum() == 8 * 4
    assert (history.count >= 2).all()  # so the last steps were drawn by it


def test_threads_never_change_what_is_remembered():
    """Settled in the order of the noise's keys, not in that of the clock."""
    histories = []
    for order in ((0, 1, 2), (2, 0, 1)):
        history = LossHistory(4, 2)
        for rank in order:
            drawn = history.draw(Cosine(), 4, Noise.shared("rank", rank))
            history.record(drawn, drawn.log_snr + rank, Noise.shared("rank", rank))
        history.settle()
        histories.append(history)
    assert torch.equal(histories[0].losses, histories[1].losses)


@pytest.mark.parametrize(
    "make, value", [(lambda: LossAware(bins=1), "bins = 1"), (lambda: LossAware(keep=0), "keep = 0")]
)
def test_impossible_settings_are_refused(make, value: str):
    with pytest.raises(ValueError, match=value):
        make()
