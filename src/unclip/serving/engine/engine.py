"""The engine of a server: one thread that computes, in which jobs take turns, and what their networks are asked for is
done together.

Each job is a greenlet: it goes on until it asks for an evaluation of a network (`Engine.evaluate`, which `share` puts
into the networks of a model), and again when that is there. Between any two evaluations jobs join, leave or are
cancelled; then one batch of those that wait is evaluated. As all of it happens in one thread, nothing of a model is
used twice at once, and a job that is alone is as fast as the same call in Python: each thread of its own would need a
team of its own on the cores, and what torch keeps for a thread (prepared convolutions, memory) made anew.
"""

import threading
import time
from collections import deque
from collections.abc import Callable

from greenlet import getcurrent
from torch import Tensor, nn

from unclip.serving.engine.call import Call, Part, autocast_now, chosen, evaluate
from unclip.serving.engine.job import Cancelled, Full, Job
from unclip.serving.engine.member import Member
from unclip.serving.engine.queue import FairQueue

SLOWEST = 120
"""Seconds: the longest that `Full` tells a client to wait; the OpenAI client obeys no longer one."""


class Engine:
    """Runs jobs until `stop`.

    Args:
        slots: images that are drawn at once.
        waiting: images that may wait for a slot; more are refused.

    `seconds` is what a job took lately, `sizes` the batches that were evaluated lately.
    """

    def __init__(self, slots: int = 8, waiting: int = 64) -> None:
        self.slots, self.waiting, self.seconds, self._known = slots, waiting, 1.0, False
        self.sizes = deque[int](maxlen=100)
        self._queue, self._running = FairQueue(), list[Member]()
        self._change, self._open = threading.Condition(), True
        self._thread: threading.Thread | None = None

    def submit(self, job: Job) -> Job:
        """Lets a job wait for its turn. Raises Full where too many wait, or the engine is stopping."""
        with self._change:
            if not self._open:
                raise Full("the server is shutting down; ask again in a moment", 5)
            self._check_room(job)
            self._queue.add(job)
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="unclip-engine", daemon=True)
                self._thread.start()
            self._change.notify_all()
        return job

    def _check_room(self, job: Job) -> None:
        """Raises Full: all clients together have `waiting` places beside the slots, one of them half of that."""
        free, wait = max(0, self.slots - self._rows), self._wait(self._queue.rows + self._rows)
        if not self._queue.rows:
            return  # the next one is always let in, however large it is
        if self._queue.rows + job.rows > self.waiting + free:
            raise Full(f"the queue is full ({self._queue.rows} images wait)", wait)
        if self._queue.rows_of(job.client) + job.rows > max(self.waiting // 2 + free, job.rows):
            raise Full("too many of your images wait already", wait, client=True)

    def cancel(self, job: Job) -> None:
        """Ends a job: at once where it waits, else before its next evaluation."""
        with self._change:
            job.cancel()
            waited = self._queue.drop_cancelled()
        for gone in waited:
            gone.settle(Cancelled())

    def place(self, job: Job) -> tuple[int, float]:
        """(its place in the queue, 0 where it runs; seconds until it is done, about)."""
        with self._change:
            place = self._queue.place(job)
            ahead = self._rows + (self._queue.rows_before(job) + job.rows if place else 0)
        return place or 0, ahead / self.slots * self.seconds

    @property
    def load(self) -> tuple[int, int]:
        """(images that are drawn, images that wait)."""
        with self._change:
            return self._rows, self._queue.rows

    def stop(self, finish: bool = True) -> None:
        """Takes no more jobs; finishes those that run and wait, or cancels them; returns when all are done."""
        with self._change:
            self._open = False
            unwanted = [] if finish else [*self._queue, *(member.job for member in self._running)]
        for job in unwanted:
            self.cancel(job)
        with self._change:
            self._change.notify_all()
        if self._thread is not None:
            self._thread.join()

    def share(self, module: nn.Module, name: str = "forward") -> None:
        """Has calls of this method of a module joined with those of other jobs. Outside of a job it is what it was."""
        own = getattr(module, name)

        def shared(*parts: Part) -> Tensor:
            return self.evaluate(own, *parts)

        setattr(module, name, shared)

    def evaluate(self, network: Callable[..., Tensor], *parts: Part) -> Tensor:
        """network(*parts), in a batch with other jobs. Raises Cancelled where the job was cancelled."""
        member = getcurrent()
        if not isinstance(member, Member):
            return network(*parts)
        member.job.check()
        call = Call(network, parts)
        call.autocast = autocast_now(call.device)
        member.wait_for(call)
        member.job.check()
        return call.value()

    @property
    def _rows(self) -> int:
        return sum(member.job.rows for member in self._running)

    @property
    def _free(self) -> int:
        """Slots; a job that is larger than all of them runs alone."""
        return self.slots - self._rows if self._running else self._queue.rows

    def _wait(self, rows: int) -> int:
        return min(max(1, round(rows / self.slots * self.seconds)), SLOWEST)

    def _work(self) -> None:
        """The thread: until the engine is stopped and all is done."""
        while self._admit():
            for member in [member for member in self._running if member.ready]:
                member.go_on()
                if member.dead:
                    self._leave(member)
            self._evaluate_next()

    def _admit(self) -> bool:
        """Lets jobs begin that there is room for; waits while there is nothing to do. False: nothing will come."""
        with self._change:
            self._change.wait_for(lambda: self._running or len(self._queue) or not self._open)
            while job := self._queue.next(self._free):
                job.started = time.monotonic()
                self._running.append(Member(job))
            return bool(self._running)

    def _evaluate_next(self) -> None:
        calls = [member.call for member in self._running if member.call is not None and not member.ready]
        if not calls:
            return
        try:
            group = chosen(calls)
            self.sizes.append(sum(call.rows for call in group))
            evaluate(group)
        except Exception as error:  # a mistake of the engine: nobody may wait for ever
            for call in calls:
                call.error = error

    def _leave(self, member: Member) -> None:
        with self._change:
            self._running.remove(member)
            if member.job.seconds is not None:
                self.seconds += (0.2 if self._known else 1.0) * (member.job.seconds - self.seconds)
                self._known = True
