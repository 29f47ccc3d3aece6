"""The plan: warm-up, constant, cooldown to zero; by steps or by time."""

import itertools

import pytest

from unclip.training.plan import COOLDOWN, Plan


def test_rate_rises_stays_and_falls_to_almost_nothing():
    plan = Plan(steps=1000)
    rates = [plan.rate(step, warmup=50) for step in range(1000)]
    assert rates[0] == pytest.approx(1 / 50)
    assert rates[24] == pytest.approx(0.5)
    start = round((1 - COOLDOWN) * 1000)
    assert set(rates[49:start]) == {1.0}
    falling = rates[start:]
    assert all(a > b for a, b in itertools.pairwise(falling))
    assert rates[start + 175] == pytest.approx(0.5, abs=0.01)
    assert 0 < rates[-1] < 0.004
    assert all(0 < rate <= 1 for rate in rates)


@pytest.mark.parametrize("steps", [1, 2, 3, 10])
@pytest.mark.parametrize("warmup", [0, 1, 50])
def test_short_runs_have_positive_rates(steps: int, warmup: int):
    assert all(0 < Plan(steps=steps).rate(step, warmup) <= 1 for step in range(steps))


def test_done_after_exactly_that_many_steps():
    plan = Plan(steps=3)
    assert [plan.done(step) for step in range(5)] == [False, False, False, True, True]
    assert plan.share(1, 0.0) == pytest.approx(1 / 3)
    assert plan.remaining(1, 10.0) == pytest.approx(20.0)


def drive(plan: Plan, seconds_a_step: float) -> int:
    step = 0
    while not plan.done(step):
        step += 1
        plan.settle(step, step * seconds_a_step)
    return step


@pytest.mark.parametrize("seconds_a_step", [0.01, 0.3, 1.0])
def test_a_time_budget_is_kept_at_an_even_pace(seconds_a_step: float):
    assert drive(Plan(seconds=100.0), seconds_a_step) * seconds_a_step == pytest.approx(100, rel=0.02, abs=2)


def test_a_step_longer_than_the_budget_ends_soon():
    assert drive(Plan(seconds=1.0), 5.0) <= 2


def test_a_time_budget_settles_once_and_the_rate_does_not_jump():
    plan = Plan(seconds=100.0)
    plan.settle(64, 64.9)
    assert plan.total is None
    assert plan.rate(64, 50) == 1.0
    plan.settle(65, 65.0)
    assert plan.total == 100
    assert plan.rate(65, 50) == pytest.approx(1.0, abs=0.03)
    plan.settle(90, 900.0)  # a slow end changes nothing: the number of steps is fixed
    assert plan.total == 100
    assert plan.rate(99, 50) < 0.03


def test_share_and_remaining_of_a_time_budget():
    plan = Plan(seconds=100.0)
    assert plan.share(5, 25.0) == 0.25
    assert plan.remaining(5, 25.0) == 75.0
    assert plan.remaining(5, 125.0) == 0.0


@pytest.mark.parametrize("given", [{}, {"steps": 3, "seconds": 3.0}, {"steps": 0}, {"seconds": -1.0}])
def test_impossible_plans_are_refused(given: dict):
    with pytest.raises(ValueError, match="steps = .*, seconds = "):
        Plan(**given)


@pytest.mark.parametrize("plan", [Plan(steps=40, cooldown=0.0), Plan(seconds=40.0, cooldown=0.0)])
def test_without_a_cooldown_the_rate_stays(plan: Plan):
    assert drive(plan, 1.0) in (40, 41)
    assert [plan.rate(step, warmup=4) for step in (0, 1, 3, 20, 39)] == [0.25, 0.5, 1.0, 1.0, 1.0]


def test_a_cooldown_is_a_share():
    with pytest.raises(ValueError, match=r"cooldown = 1.0: a share of the run"):
        Plan(steps=10, cooldown=1.0)


def test_a_further_plan_counts_from_where_it_begins():
    plan, fresh = Plan(seconds=100.0, first=500, before=900.0), Plan(seconds=100.0)
    for step in range(1, 100):
        plan.settle(500 + step, 900.0 + step)
        fresh.settle(step, float(step))
        assert plan.rate(500 + step, 10) == fresh.rate(step, 10)
        assert plan.share(500 + step, 900.0 + step) == pytest.approx(fresh.share(step, float(step)))
        assert plan.remaining(500 + step, 900.0 + step) == pytest.approx(fresh.remaining(step, float(step)))
    assert plan.total == 600 and plan.done(600)
    again = Plan(seconds=100.0)
    again.load(plan.state())
    assert again == plan


def test_what_is_reserved_is_not_trained_away():
    plan = Plan(seconds=100.0, reserve=20.0)
    assert drive(plan, 1.0) == pytest.approx(80, abs=1)
    # A quarter of the budget is for the steps, however long the rest takes.
    assert drive(Plan(seconds=100.0, reserve=1000.0), 1.0) == pytest.approx(25, abs=1)


def test_what_lies_outside_of_steps_takes_none_of_them():
    """Previews of 8 seconds in a stage of 94: the steps have what those leave, and the cooldown its share."""
    plan, elapsed, step = Plan(seconds=94.0), 0.0, 0
    while not plan.done(step):
        step, elapsed = step + 1, elapsed + 0.25
        plan.settle(step, elapsed)
        if step == 24:  # the first preview; the last one and the gate are to come
            elapsed, plan.outside, plan.reserve = elapsed + 8.0, 8.0, 30.0
        if plan.total is None:
            assert plan.remaining(step, elapsed) == pytest.approx((94 - plan.outside - plan.reserve) - step * 0.25)
    assert elapsed == pytest.approx(94 - 30, abs=1) and step == pytest.approx((94 - 38) / 0.25, abs=2)


def test_a_checkpoint_of_before_says_nothing_of_what_lay_outside():
    plan = Plan(seconds=100.0)
    plan.load({"total": None, "first": 0, "before": 0.0, "reserve": 5.0})
    assert (plan.reserve, plan.outside) == (5.0, 0.0)
