"""A job that runs beside others, and whether it can go on."""

import threading
from dataclasses import dataclass, field
from typing import Any

from unclip.serving.engine.call import Call
from unclip.serving.engine.job import Job


def shut() -> Any:
    """A lock that somebody else opens: a plain one, for the processor is handed over at each evaluation."""
    lock = threading.Lock()
    lock.acquire()
    return lock


@dataclass(eq=False)
class Member:
    """A job that runs. call: what it waits for. go: opened by whoever hands it the processor."""

    job: Job
    call: Call | None = None
    go: Any = field(default_factory=shut)

    @property
    def ready(self) -> bool:
        """Whether it can go on: it has not begun, has what it waited for, or is cancelled."""
        return self.call is None or self.call.settled or self.job.cancelled
