"""A job that runs beside others in one thread, and whether it can go on."""

from dataclasses import dataclass

import torch
from greenlet import greenlet

from unclip.serving.engine.call import Call, autocast_now
from unclip.serving.engine.job import Job

DEVICES = ("cpu", "cuda", "mps")


@dataclass(frozen=True)
class Mode:
    """What torch keeps for a thread, though it is a greenlet's: whether gradients are kept, and the autocast precision
    of each kind of device (None: as the tensors are)."""

    gradients: bool
    precisions: tuple[torch.dtype | None, ...]

    @classmethod
    def now(cls) -> "Mode":
        """The thread's."""
        return cls(torch.is_grad_enabled(), tuple(map(autocast_now, DEVICES)))

    def take(self) -> None:
        """Makes it the thread's."""
        torch.set_grad_enabled(self.gradients)
        for device, precision in zip(DEVICES, self.precisions, strict=True):
            torch.set_autocast_enabled(device, precision is not None)
            if precision is not None:
                torch.set_autocast_dtype(device, precision)


class Member(greenlet):
    """A job that runs. call: what it waits for, or waited for last."""

    call: Call | None = None

    def __init__(self, job: Job) -> None:
        super().__init__(job.run)
        self.job = job

    @property
    def ready(self) -> bool:
        """Whether it can go on: it has not begun, has what it waited for, or is cancelled."""
        return self.call is None or self.call.settled or self.job.cancelled

    def go_on(self) -> None:
        """Lets it run until it waits or has ended; for the one that sees to all."""
        mode = Mode.now()
        self.switch()
        mode.take()

    def wait_for(self, call: Call) -> None:
        """Lets others run until the call is settled, or the job cancelled; for the job itself."""
        mode, self.call = Mode.now(), call
        assert self.parent is not None
        self.parent.switch()
        mode.take()
