"""One request for images, from the queue to its answer."""

import itertools
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any


class Cancelled(Exception):
    """Raised inside a job where it was cancelled; its slot is free at once."""


class Full(Exception):
    """The queue takes no more. seconds: when to ask again."""

    def __init__(self, message: str, seconds: int, client: bool = False) -> None:
        super().__init__(message)
        self.seconds, self.client = seconds, client


_numbers = itertools.count(1)


@dataclass(eq=False)
class Job:
    """What is to be done for one request.

    Args:
        work: does it, in a thread of the engine; what it returns is the answer.
        rows: how many images it draws at once, which is how many slots it takes.
        client: who asks; clients take turns.

    seconds: from its start to its answer, where it has one.
    """

    work: Callable[[], Any]
    rows: int = 1
    client: str = ""
    answer: "Future[Any]" = field(default_factory=Future)
    number: int = field(default_factory=lambda: next(_numbers))
    asked: float = field(default_factory=time.monotonic)
    started: float | None = None
    seconds: float | None = None
    _cancelled: threading.Event = field(default_factory=threading.Event)

    def cancel(self) -> None:
        """Ends it before its next network evaluation, or before it begins."""
        self._cancelled.set()

    @property
    def cancelled(self) -> bool:
        """Whether somebody cancelled it."""
        return self._cancelled.is_set()

    def run(self) -> None:
        """Does the work and settles the answer."""
        if not self.answer.set_running_or_notify_cancel():
            return
        try:
            self.check()
            answer = self.work()
        except BaseException as error:  # whoever waits for the answer is told, whatever it is
            self.answer.set_exception(error)
        else:
            self.seconds = time.monotonic() - (self.started or self.asked)
            self.answer.set_result(answer)

    def settle(self, error: BaseException) -> None:
        """Answers with an error where the work never began."""
        if self.answer.set_running_or_notify_cancel():
            self.answer.set_exception(error)

    def check(self) -> None:
        """Raises Cancelled where somebody cancelled it."""
        if self.cancelled:
            raise Cancelled
