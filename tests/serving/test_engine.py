import threading
import time
from collections.abc import Callable, Iterator

import pytest
import torch
from tests.fakes import draw
from tests.serving.conftest import until
from torch import Tensor, nn

from unclip.core.condition import Condition
from unclip.diffusion.samplers import Step
from unclip.models.autoencoder.space import DecodedStep
from unclip.serving.engine.call import PATIENCE, Call, chosen
from unclip.serving.engine.engine import Engine
from unclip.serving.engine.job import Cancelled, Full, Job


class Counted(nn.Module):
    """x + the level; the sizes of its batches, and who evaluated them."""

    def __init__(self) -> None:
        super().__init__()
        self.batches, self.threads = list[int](), list[int]()

    def forward(self, x: Tensor, level: Tensor, cond: Condition) -> Tensor:
        self.batches.append(len(x))
        self.threads.append(threading.get_ident())
        assert cond.vector is not None
        return x + level[:, None] * cond.vector


@pytest.fixture
def engine() -> Iterator[Engine]:
    made = Engine(slots=4, waiting=6)
    yield made
    made.stop(finish=False)


@pytest.fixture
def network(engine: Engine) -> Counted:
    made = Counted()
    engine.share(made)
    return made


def walk(network: nn.Module, x: Tensor, steps: int, start: float = 0.0) -> Callable[[], Tensor]:
    """As a sampler calls its network: each time at another level."""

    def work() -> Tensor:
        y = x
        for step in range(steps):
            y = network(y, torch.full((len(x),), start + step), Condition(vector=torch.ones(len(x), 3)))
        return y

    return work


def busy(engine: Engine) -> threading.Event:
    """Keeps the engine at a job until the event is set, so that all that is submitted meanwhile begins together."""
    gate = threading.Event()
    engine.submit(Job(gate.wait))
    until(lambda: engine.load == (1, 0))
    return gate


def test_jobs_at_other_levels_share_batches_and_get_their_own_rows(engine: Engine, network: Counted):
    xs = [draw(1 + i % 2, 3, key=i) for i in range(3)]
    gate = busy(engine)
    jobs = [engine.submit(Job(walk(network, x, 5, i), len(x), "abc"[i])) for i, x in enumerate(xs)]
    gate.set()
    for i, (x, job) in enumerate(zip(xs, jobs, strict=True)):
        torch.testing.assert_close(job.answer.result(5), x + sum(i + step for step in range(5)))
    assert max(network.batches) >= 3


def test_a_job_joins_one_that_runs(engine: Engine, network: Counted):
    long = engine.submit(Job(walk(network, draw(1, 3), 10**6)))
    until(lambda: len(network.batches) > 10)
    engine.submit(Job(walk(network, draw(2, 3), 5))).answer.result(5)
    assert 3 in network.batches and not long.answer.done()


def test_outside_of_a_job_a_shared_network_is_what_it_was(network: Counted):
    out = walk(network, draw(2, 3), 3)()
    torch.testing.assert_close(out, draw(2, 3) + 3)


def test_a_cancelled_job_frees_its_slots_within_one_evaluation(engine: Engine, network: Counted):
    jobs = [engine.submit(Job(walk(network, draw(1, 3), 10**6))) for _ in range(4)]
    until(lambda: engine.load == (4, 0))
    for job in jobs:
        engine.cancel(job)
    until(lambda: engine.load == (0, 0), 10)
    seen = len(network.batches)
    time.sleep(0.05)
    assert all(isinstance(job.answer.exception(1), Cancelled) for job in jobs)
    assert len(network.batches) == seen


def test_one_that_waits_is_cancelled_without_having_begun(engine: Engine, network: Counted):
    engine.submit(Job(walk(network, draw(4, 3), 10**6), 4))
    until(lambda: engine.load[0] == 4)
    ran = threading.Event()
    job = engine.submit(Job(ran.set))
    assert engine.place(job)[0] == 1
    engine.cancel(job)
    assert isinstance(job.answer.exception(2), Cancelled) and not ran.is_set()


def test_an_error_of_a_network_goes_to_those_who_asked(engine: Engine, network: Counted):
    def broken() -> Tensor:
        return network(draw(1, 3), torch.ones(1), Condition())

    assert isinstance(engine.submit(Job(broken)).answer.exception(5), AssertionError)
    assert engine.submit(Job(walk(network, draw(1, 3), 2))).answer.result(5).shape == (1, 3)


def test_a_full_queue_says_when_to_come_back(engine: Engine, network: Counted):
    blocked = walk(network, draw(1, 3), 10**6)
    for client in "aabbcc":
        engine.submit(Job(blocked, 1, client))
    until(lambda: engine.load == (4, 2))
    engine.submit(Job(blocked, 2, "a"))
    with pytest.raises(Full, match="too many of your images") as mine:
        engine.submit(Job(blocked, 2, "a"))
    assert mine.value.client and mine.value.seconds >= 1
    with pytest.raises(Full, match="queue is full") as every:
        engine.submit(Job(blocked, 3, "d"))
    assert not every.value.client and 1 <= every.value.seconds <= 120


def test_a_job_larger_than_all_slots_runs_alone(engine: Engine, network: Counted):
    assert engine.submit(Job(walk(network, draw(6, 3), 2), 6)).answer.result(5).shape == (6, 3)


def test_stopping_finishes_what_is_there_and_takes_no_more(network: Counted):
    engine = Engine(slots=1)
    jobs = [engine.submit(Job(lambda: time.sleep(0.05) or "done", client=str(i))) for i in range(3)]
    engine.stop()
    assert [job.answer.result(0) for job in jobs] == ["done"] * 3
    with pytest.raises(Full, match="shutting down"):
        engine.submit(Job(lambda: None))


def test_precision_is_the_callers(engine: Engine):
    linear = nn.Linear(3, 3)
    engine.share(linear)

    def work() -> Tensor:
        with torch.autocast("cpu", torch.bfloat16):
            return linear(draw(1, 3))

    assert engine.submit(Job(work)).answer.result(5).dtype == torch.bfloat16
    assert engine.submit(Job(lambda: linear(draw(1, 3)))).answer.result(5).dtype == torch.float32


def test_the_modes_of_torch_are_each_jobs_own(engine: Engine, network: Counted):
    """torch keeps them for a thread, and all jobs have one."""
    seen = dict[str, list[tuple[bool, bool]]](plain=[], within=[])

    def look(name: str) -> None:
        network(draw(1, 3), torch.zeros(1), Condition(vector=torch.ones(1, 3)))
        seen[name].append((torch.is_grad_enabled(), torch.is_autocast_enabled("cpu")))

    def within() -> None:
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
            look("within")
            look("within")
        look("within")

    gate = busy(engine)
    works = (within, lambda: [look("plain") for _ in range(3)], within)
    jobs = [engine.submit(Job(work, client=str(i))) for i, work in enumerate(works)]
    gate.set()
    for job in jobs:
        job.answer.result(5)
    assert seen["plain"] == [(True, False)] * 3
    assert seen["within"] == [(False, True)] * 4 + [(True, False)] * 2


def test_small_samples_go_first_then_large_batches_and_nobody_is_passed_over_for_long():
    prior, decoder, other = (nn.Identity() for _ in range(3))
    waits = [Call(decoder, (draw(1, 3, 8, 8, key=i),)) for i in range(3)]
    alone = Call(other, (draw(1, 3, 8, 8),))
    for _ in range(PATIENCE):
        fresh = Call(prior, (draw(1, 16),))
        assert chosen([*waits, alone, fresh]) == [fresh]
    assert chosen([*waits, alone, Call(prior, (draw(1, 16),))]) == waits


def test_a_mistake_of_the_engine_leaves_nobody_waiting(network: Counted, monkeypatch: pytest.MonkeyPatch):
    engine = Engine(slots=1)
    engine.share(network)
    monkeypatch.setattr("unclip.serving.engine.engine.chosen", lambda calls: 1 / 0)
    both = threading.Event()
    jobs = [engine.submit(Job(lambda: both.wait() and walk(network, draw(1, 3), 2)(), client=str(i))) for i in range(2)]
    both.set()
    assert all(isinstance(job.answer.exception(5), ZeroDivisionError) for job in jobs)
    assert engine.submit(Job(lambda: "goes on")).answer.result(5) == "goes on"


def test_one_thread_does_all_of_all_jobs(engine: Engine, network: Counted):
    """A thread of its own has a team of its own on the cores, and makes anew what torch keeps for a thread."""
    work = walk(network, draw(1, 3), 5)
    jobs = [engine.submit(Job(lambda: (work(), threading.get_ident())[1])) for _ in range(3)]
    mine = {job.answer.result(5) for job in jobs}
    assert set(network.threads) == mine and len(mine) == 1 and mine != {threading.get_ident()}


def test_jobs_at_once_are_evaluated_in_one_batch(engine: Engine, network: Counted):
    gate = busy(engine)
    jobs = [engine.submit(Job(walk(network, draw(1, 3), 20), client=str(i))) for i in range(3)]
    gate.set()
    for job in jobs:
        job.answer.result(5)
    assert network.batches == [3] * 20


def test_steps_over_codes_are_decoded_in_one_batch(engine: Engine):
    """A lock that a job held while it waits would stop all others."""
    coder = nn.Identity()
    engine.share(coder)
    step = Step(draw(1, 3, 2, 2), draw(1, 3, 2, 2), torch.zeros(()))
    gate = busy(engine)
    jobs = [engine.submit(Job(lambda: DecodedStep(step, coder).x, client=str(i))) for i in range(3)]
    gate.set()
    assert all(torch.equal(job.answer.result(5), step.x) for job in jobs) and max(engine.sizes) == 3
