"""The engine of a server: one job at a time has the processor, and what their networks are asked for is done together.

Each job runs in a thread of its own, but only while the engine lets it: until it asks for an evaluation of a network
(`Engine.evaluate`, which `share` puts into the networks of a model). When all running jobs wait for one, the engine
evaluates them as one batch. So a job joins or leaves between any two evaluations, nothing of a model is ever used by
two threads at once, and a cancelled job ends within one step.
"""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from unclip.core import machine
from unclip.serving.engine.call import Call, Part, autocast_now, chosen, evaluate
from unclip.serving.engine.job import Cancelled, Full, Job
from unclip.serving.engine.queue import FairQueue

log = logging.getLogger("unclip.serve")
SLOWEST = 120
"""Seconds: the longest that `Full` tells a client to wait; the OpenAI client obeys no longer one."""


def shut() -> Any:
    """A lock that somebody else opens: plain locks, for the processor is handed over twice an evaluation."""
    lock = threading.Lock()
    lock.acquire()
    return lock


@dataclass(eq=False)
class _Member:
    """A job that runs. go: the engine lets it run; paused: it waits for its call, or is done."""

    job: Job
    go: Any = field(default_factory=shut)
    paused: Any = field(default_factory=shut)
    call: Call | None = None
    done: bool = False


class Engine:
    """Runs jobs until `stop`.

    Args:
        slots: images that are drawn at once.
        waiting: images that may wait for a slot; more are refused.

    `seconds` is what a job took lately, `sizes` the batches that were evaluated lately.
    """

    def __init__(self, slots: int = 8, waiting: int = 64) -> None:
        self.slots, self.waiting, self.seconds = slots, waiting, 1.0
        self.sizes = deque[int](maxlen=100)
        self._queue, self._running = FairQueue(), list[_Member]()
        self._change, self._open = threading.Condition(), True
        self._own = threading.local()
        self._thread = threading.Thread(target=self._loop, name="unclip-engine", daemon=True)
        self._thread.start()

    def submit(self, job: Job) -> Job:
        """Lets a job wait for its turn. Raises Full where too many wait, or the engine is stopping."""
        with self._change:
            if not self._open:
                raise Full("the server is shutting down; ask again in a moment", 5)
            self._check_room(job)
            self._queue.add(job)
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
            self._change.notify_all()

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
            if not finish:
                for job in [*self._queue, *(member.job for member in self._running)]:
                    job.cancel()
            self._change.notify_all()
        self._thread.join()

    def share(self, module: nn.Module, name: str = "forward") -> None:
        """Has calls of this method of a module joined with those of other jobs. Outside of a job it is what it was."""
        own = getattr(module, name)

        def shared(*parts: Part) -> Tensor:
            return self.evaluate(own, *parts)

        setattr(module, name, shared)

    def evaluate(self, network: Callable[..., Tensor], *parts: Part) -> Tensor:
        """network(*parts), in a batch with other jobs. Raises Cancelled where the job was cancelled."""
        member: _Member | None = getattr(self._own, "member", None)
        if member is None:
            return network(*parts)
        member.job.check()
        member.call = Call(network, parts, autocast_now("cpu"))
        member.paused.release()
        member.go.acquire()
        call, member.call = member.call, None
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

    def _loop(self) -> None:
        machine.own_threads(torch.get_num_threads())
        try:
            self._work_on()
        except Exception as error:  # a mistake of the engine's own: nobody must wait for ever
            log.exception("the engine has failed; start the server again")
            self._give_up(error)

    def _give_up(self, error: Exception) -> None:
        with self._change:
            self._open = False
            for job in self._queue.clear():
                job.settle(error)
            for member in self._running:
                if not member.job.answer.done():
                    member.job.answer.set_exception(error)

    def _work_on(self) -> None:
        while self._admit():
            self._resume()
            if calls := [member.call for member in self._running if member.call is not None]:
                group = chosen(calls)
                self.sizes.append(sum(call.rows for call in group))
                evaluate(group)

    def _admit(self) -> bool:
        """Begins what there are slots for; waits where there is nothing to do. False: stopped and done."""
        with self._change:
            while True:
                for job in self._queue.drop_cancelled():
                    job.settle(Cancelled())
                while job := self._queue.next(self._free):
                    self._begin(job)
                if self._running:
                    return True
                if not self._open:
                    return False
                self._change.wait()

    def _begin(self, job: Job) -> None:
        job.started = time.monotonic()
        member = _Member(job)
        self._running.append(member)
        threading.Thread(target=self._work, args=(member,), name=f"unclip-job-{job.number}", daemon=True).start()

    def _work(self, member: _Member) -> None:
        machine.own_threads(1)  # teams of threads for each job would take the cores from the batches
        self._own.member = member
        member.go.acquire()
        try:
            member.job.run()
        finally:
            member.done = True
            member.paused.release()

    def _resume(self) -> None:
        """Lets each job run that has what it waited for, or is cancelled, until it waits again; takes out the done."""
        for member in list(self._running):
            call = member.call
            if call is None or call.result is not None or call.error is not None or member.job.cancelled:
                member.go.release()
                member.paused.acquire()
            if member.done:
                self._end(member)

    def _end(self, member: _Member) -> None:
        with self._change:
            self._running.remove(member)
            if member.job.seconds is not None:
                self.seconds += 0.2 * (member.job.seconds - self.seconds)
