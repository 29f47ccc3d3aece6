"""The trainer: its average, its patience, and a killed run that ends as an uninterrupted one, bit for bit."""

import subprocess
import sys
from collections.abc import Collection
from dataclasses import replace
from itertools import islice
from pathlib import Path

import pytest
import torch
from tests.fakes import built, draw, forge_head, trainer_of
from torch import nn

from unclip.core.disk import store
from unclip.core.noise import Noise
from unclip.core.task import Batch, Losses
from unclip.training.checkpoint import Log, load_checkpoint, read_log, save_checkpoint
from unclip.training.ema import EMA
from unclip.training.optim import OptimConfig, clip_gradients, optimizers
from unclip.training.plan import Plan
from unclip.training.trainer import PATIENCE, Diverged, Trainer

STEPS = 14


class Toy(nn.Module):
    """A small regression on noised inputs; the loss is not finite in the steps that `bad` names."""

    per_sample = True

    def __init__(self, bad: Collection[int] = ()) -> None:
        super().__init__()
        self.net = nn.ModuleList([nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 4)])
        self.never = nn.Linear(2, 2)  # has no gradient, as a part may that a batch does not reach
        self.bad, self.calls = bad, 0

    def loss(self, batch: Batch, noise: Noise) -> Losses:
        x = batch.image_embedding
        assert x is not None
        self.calls += self.training  # not where each sample is looked at by itself
        y = x + 0.1 * noise.normal(x.shape)
        for layer in self.net:
            y = layer(y)
        error = y - x.flip(1)
        spoil = torch.nan if self.calls - 1 in self.bad else 1.0
        return Losses(error.square().mean() * spoil, {"error": float(error.detach().abs().mean())})


def feed(step: int) -> Batch:
    return Batch(image_embedding=draw(6, 4, key=step))


def trainer(bad: Collection[int] = (), steps: int = STEPS, lr: float = 3e-3, seed: int = 0) -> Trainer:
    return trainer_of(built(lambda: Toy(bad)), feed, steps, lr, seed)


def line(report) -> dict:
    return {"step": report.step, "loss": report.loss, "grad_norm": report.grad_norm, "lr": report.lr, **report.parts}


def two(path: Path) -> tuple[Path, Path]:
    """Where the last checkpoint lies, and the one before."""
    return path, path.with_name(f"{path.name}.before")


def run(trainer: Trainer, log: Log, checkpoint: Path, maximum: int | None = None, every: int = 5) -> None:
    """Trains as the command line does: logs every step, saves every few, may be killed after `most` steps."""
    for report in islice(trainer.steps(), maximum):
        log.write(line(report))
        if report.step % every == 0:
            save_checkpoint(two(checkpoint), trainer)
    log.close()


@pytest.mark.parametrize("killed_after", [3, 7, 10, 13])
def test_a_killed_run_ends_as_an_uninterrupted_one(tmp_path: Path, killed_after: int):
    whole = trainer()
    run(whole, Log(tmp_path / "whole.jsonl", 0), tmp_path / "whole")

    run(trainer(), Log(tmp_path / "log.jsonl", 0), tmp_path / "part", killed_after)
    resumed = trainer()
    assert bool(list(load_checkpoint(two(tmp_path / "part"), resumed))) is (killed_after >= 5)
    assert resumed.step == killed_after // 5 * 5
    run(resumed, Log(tmp_path / "log.jsonl", resumed.step), tmp_path / "part")

    (a, numbers), (b, others) = whole.state(), resumed.state()
    assert a.keys() == b.keys()
    assert [k for k in a if not torch.equal(a[k], b[k])] == []
    assert {k: v for k, v in numbers.items() if k != "elapsed"} == {k: v for k, v in others.items() if k != "elapsed"}
    assert (tmp_path / "log.jsonl").read_text(encoding="utf-8") == (tmp_path / "whole.jsonl").read_text(
        encoding="utf-8"
    )
    assert len(list(read_log(tmp_path / "log.jsonl"))) == STEPS


def test_training_learns_and_reports(tmp_path: Path):
    reports = list(trainer(steps=200, lr=2e-2).steps())
    assert [r.step for r in reports] == list(range(1, 201))
    assert reports[-1].loss < reports[0].loss / 2
    assert reports[-1].share == 1.0
    assert reports[-1].remaining == 0.0
    assert reports[-1].lr < reports[100].lr == pytest.approx(2e-2)
    assert all(r.elapsed > 0 and r.images_per_s > 0 and "error" in r.parts for r in reports)


def test_a_run_depends_on_its_seed():
    a, b, c = ([r.loss for r in trainer(seed=seed).steps()] for seed in (0, 0, 1))
    assert a == b
    assert a != c


def test_the_clock_and_a_settled_plan_survive(tmp_path: Path):
    first = trainer()
    first.plan, first.elapsed = Plan(seconds=100.0), 90.0
    next(first.steps())
    assert first.plan.total == 2
    save_checkpoint(two(tmp_path / "c"), first)
    second = trainer()
    second.plan = Plan(seconds=100.0)
    assert list(load_checkpoint(two(tmp_path / "c"), second))
    assert second.plan.total == 2
    assert second.elapsed == first.elapsed > 90


class Paced(nn.Linear):
    """A part that writes down what it is told."""

    def __init__(self) -> None:
        super().__init__(4, 4)
        self.told: list[float] = []

    def pace(self, share: float) -> None:
        self.told.append(share)


def test_a_part_is_told_how_much_of_the_run_is_behind():
    paced, again = trainer(steps=5), trainer(steps=5)
    parts = [Paced(), Paced()]
    for made, part in zip((paced, again), parts, strict=True):
        made.paced.append(part)
    list(islice(paced.steps(), 3))
    again.load(*paced.state())
    list(again.steps())
    assert parts[0].told + parts[1].told == pytest.approx([0, 0.2, 0.4, 0.6, 0.8])


def test_average_is_its_recursion():
    model = built(lambda: nn.Linear(3, 2))
    ema, expected = EMA(model, gamma=16.0), {k: v.clone() for k, v in model.state_dict().items()}
    for step in range(1, 40):
        with torch.no_grad():
            model.weight += draw(2, 3, key=step)
        ema.update(model, step)
        beta = (1 - 1 / step) ** 17
        for name, value in model.state_dict().items():
            expected[name] = beta * expected[name] + (1 - beta) * value
    for name, value in expected.items():
        assert torch.allclose(ema.average[name], value, atol=1e-5)
    assert not torch.allclose(ema.average["weight"], model.weight)


def test_average_is_the_power_function_profile():
    """Karras et al. 2024, Eq. 5: step tau weighs about tau^gamma; its mean is (gamma + 1)/(gamma + 2) t."""
    model = nn.Linear(1, 1)
    ema = EMA(model, gamma=16.0)
    for step in range(1, 1001):
        nn.init.constant_(model.weight, step)
        ema.update(model, step)
    assert ema.average["weight"].item() == pytest.approx(1000 * 17 / 18, rel=2e-3)


def test_steps_that_are_not_finite_are_skipped():
    bad = trainer(bad=(3, 4, 6))
    before = [p.detach().clone() for p in bad.module.parameters()]
    for report in bad.steps():
        after = [p.detach().clone() for p in bad.module.parameters()]
        still = all(torch.equal(a, b) for a, b in zip(before, after, strict=True))
        assert still == (report.step in (4, 5, 7))
        before = after
    assert (bad.step, bad.skipped, bad.lost) == (STEPS, 3, 0)
    assert all(torch.isfinite(v).all() for v in bad.state()[0].values())


def test_patience_ends():
    pairs = [step for step in range(2, 100) if step % 3]  # two bad ones, a good one
    good_again = trainer(bad=pairs[: PATIENCE - 1], steps=60)
    assert len(list(good_again.steps())) == 60
    with pytest.raises(Diverged, match=r"in 20 of the last 32 steps up to step 32 the loss was not finite"):
        list(trainer(bad=pairs, steps=100).steps())


def test_three_in_a_row_end_it():
    with pytest.raises(Diverged, match="3 steps in a row, up to step 5, had a loss or a gradient that is not finite"):
        list(trainer(bad=range(2, 100), steps=100).steps())


def test_a_checkpoint_of_other_settings_is_refused(tmp_path: Path):
    save_checkpoint(two(tmp_path / "c"), trainer())
    with pytest.raises(ValueError, match="made with other training settings"):
        list(load_checkpoint(two(tmp_path / "c"), trainer(seed=1)))


def test_a_damaged_checkpoint_gives_way_to_the_one_before(tmp_path: Path):
    begun = trainer(steps=3)
    for _ in begun.steps():
        save_checkpoint(two(tmp_path / "c"), begun)
    weights = tmp_path / "c" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"?")
    resumed = trainer(steps=3)
    told = list(load_checkpoint(two(tmp_path / "c"), resumed))
    assert "damaged" in told[0]
    assert told[1:] == ["continues at step 2"]
    save_checkpoint(two(tmp_path / "c"), resumed)  # the damaged one does not take the place of the whole one
    assert store.load(tmp_path / "c.before").extra["step"] == 2


def test_no_checkpoint_is_a_fresh_start(tmp_path: Path):
    assert list(load_checkpoint(two(tmp_path / "none"), trainer())) == []


def test_continuing_drops_what_came_after_the_checkpoint(tmp_path: Path):
    path = tmp_path / "run" / "log.jsonl"
    log = Log(path, 0)
    for step in (1, 2, 3, 4):
        log.write({"step": step})
    log.close()
    with path.open("a", encoding="utf-8") as file:
        file.write('{"step": 5, "lo')
    assert [entry["step"] for entry in read_log(path)] == [1, 2, 3, 4]
    log = Log(path, 2)
    log.write({"step": 3, "again": True})
    log.close()
    assert path.read_text(encoding="utf-8") == '{"step": 1}\n{"step": 2}\n{"step": 3, "again": true}\n'


def test_no_log_is_an_empty_one(tmp_path: Path):
    assert list(read_log(tmp_path / "none")) == []


def test_only_matrices_are_decayed():
    (adamw,) = optimizers(built(Toy), OptimConfig(decay=0.1))
    assert [(g["weight_decay"], {p.dim() for p in g["params"]}) for g in adamw.param_groups] == [
        (0.1, {2}),
        (0.0, {1}),
    ]


def test_clipping_bounds_the_norm_and_tells_the_one_before():
    layer = nn.Linear(4, 4, bias=False)
    for size, after in ((10.0, 1.0), (0.5, 0.5)):
        layer.weight.grad = torch.full((4, 4), size / 4)
        assert clip_gradients(layer.parameters(), 1.0) == pytest.approx(size)
        assert layer.weight.grad.norm().item() == pytest.approx(after, rel=1e-4)


def test_configs_are_frozen():
    config = trainer().config
    assert replace(config, batch=7) != config


def test_a_fixed_decay_is_ddpms_average():
    model = nn.Linear(1, 1, bias=False)
    nn.init.zeros_(model.weight)
    ema = EMA(model, decay=0.9)
    nn.init.ones_(model.weight)
    for step in range(1, 6):
        ema.update(model, step)
    assert ema.average["weight"].item() == pytest.approx(1 - 0.9**5)
    with pytest.raises(ValueError, match=r"ema_decay = 1.0"):
        EMA(model, decay=1.0)


def test_a_checkpoint_of_an_earlier_version_is_continued(tmp_path: Path):
    before = trainer()
    save_checkpoint(two(tmp_path / "c"), before)
    stored = store.load(tmp_path / "c")
    earlier = {k: v for k, v in stored.config["config"].items() if k not in ("ema_decay", "cooldown")}
    forge_head(tmp_path / "c", config={**stored.config, "config": earlier})
    assert list(load_checkpoint(two(tmp_path / "c"), trainer())) == ["continues at step 0"]


def test_one_process_does_not_import_what_shares_weights_out():
    """torch's module for that takes a second, and some builds of torch have none."""
    code = "import sys, unclip.training.trainer; print('torch.distributed.tensor' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
