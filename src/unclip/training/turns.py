"""When a training goes on: of several processes the first one decides, for clocks and Ctrl-C are its own alone."""

import math
from types import TracebackType
from typing import Protocol, runtime_checkable

from torch import Tensor

from unclip.core import processes
from unclip.training.plan import Plan

OVER, STEP, GATHER = range(3)
"""What the first process says: that there is no further step, that there is one, that all tensors are wanted whole."""
NOTHING = [math.nan] * 4
"""What stands in the place of clock and plan where no step follows."""


@runtime_checkable
class Clocked(Protocol):
    """Where a training stands."""

    plan: Plan
    step: int
    elapsed: float

    def gather(self) -> None:
        """All processes together: the first one has all tensors whole."""
        ...


def call_others(stage: str, tensors: dict[str, Tensor], numbers: dict[str, float | int | None]) -> None:
    """The first process tells the others which stage begins, and gives them a trainer's state."""
    processes.agreed({"stage": stage, "numbers": numbers})
    processes.agreed_tensors(tensors)


class Turns:
    """Before each step the first process tells the others whether there is another, by its clock and its plan.

    As a context: where the first one leaves early, the others hear that there is no further step. An error leaves it
    without a word: one that all have needs none, and what one alone has ends its process, and so all.
    """

    def __init__(self, training: Clocked) -> None:
        self.training, self.over = training, processes.count() == 1

    def another(self) -> bool:
        """Whether there is another step. The others take over the clock and the plan of the first one."""
        now, plan = self.training, self.training.plan
        if processes.count() == 1:
            return not plan.done(now.step)
        total = math.nan if plan.total is None else plan.total
        numbers = [OVER if plan.done(now.step) else STEP, now.elapsed, total, plan.reserve, plan.outside]
        while (told := processes.agreed_numbers(numbers))[0] == GATHER:
            now.gather()
        self.over = told[0] == OVER
        if not self.over and not processes.leads():
            now.elapsed, plan.reserve, plan.outside = told[1], told[3], told[4]
            plan.total = None if math.isnan(told[2]) else int(told[2])
        return not self.over

    def call_to_gather(self) -> None:
        """The first process, between two steps: the others come to `gather`."""
        processes.agreed_numbers([GATHER, *NOTHING])

    def __enter__(self) -> "Turns":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if processes.leads() and not self.over and kind in (None, GeneratorExit):
            processes.agreed_numbers([OVER, *NOTHING])
