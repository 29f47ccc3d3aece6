"""The engine of a server: one job at a time has the processor, and what their networks are asked for is done together.

Each job runs in a thread of its own, but only in its turn: until it asks for an evaluation of a network
(`Engine.evaluate`, which `share` puts into the networks of a model). There it hands over to a job that can go on; who
finds none evaluates for all that wait, as one batch. So a job joins or leaves between any two evaluations, nothing of a
model is ever used by two threads at once, a cancelled job ends within one step, and a job that is alone waits for no
other thread.
"""

import threading
import time
from collections import deque
from collections.abc import Callable

import torch
from torch import Tensor, nn

from unclip.core import machine
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
        self._own, self._threads = threading.local(), torch.get_num_threads()

    def submit(self, job: Job) -> Job:
        """Lets a job wait for its turn. Raises Full where too many wait, or the engine is stopping."""
        with self._change:
            if not self._open:
                raise Full("the server is shutting down; ask again in a moment", 5)
            self._check_room(job)
            self._queue.add(job)
            if not self._running:
                self._hand_on()
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
            self._change.wait_for(lambda: not self._running)

    def share(self, module: nn.Module, name: str = "forward") -> None:
        """Has calls of this method of a module joined with those of other jobs. Outside of a job it is what it was."""
        own = getattr(module, name)

        def shared(*parts: Part) -> Tensor:
            return self.evaluate(own, *parts)

        setattr(module, name, shared)

    def evaluate(self, network: Callable[..., Tensor], *parts: Part) -> Tensor:
        """network(*parts), in a batch with other jobs. Raises Cancelled where the job was cancelled."""
        member: Member | None = getattr(self._own, "member", None)
        if member is None:
            return network(*parts)
        member.job.check()
        member.call = call = Call(network, parts, autocast_now("cpu"))
        self._await(member)
        member.call = None
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

    def _await(self, member: Member) -> None:
        """Returns when its call is evaluated, or the job cancelled. Who has evaluated lets all others go first, and so
        comes to evaluate again: another thread's team would contend with its own for the cores."""
        self._let_others(member)
        while not member.ready:
            self._evaluate_next()
            self._let_others(member)
        self._take_cores()

    def _let_others(self, member: Member) -> None:
        with self._change:
            handed = self._hand_on(member)
        if handed:
            member.go.acquire()

    def _hand_on(self, member: Member | None = None) -> bool:
        """Gives the processor to one besides this member that can go on, if there is one. Holds the lock."""
        self._admit()
        other = next((other for other in self._running if other is not member and other.ready), None)
        if other:
            other.go.release()
        return other is not None

    def _admit(self) -> None:
        while job := self._queue.next(self._free):
            job.started = time.monotonic()
            member = Member(job)
            self._running.append(member)
            threading.Thread(target=self._work, args=(member,), name=f"unclip-job-{job.number}", daemon=True).start()

    def _work(self, member: Member) -> None:
        self._own.member = member
        member.go.acquire()
        self._take_cores()
        try:
            member.job.run()
        finally:
            self._leave(member)

    def _take_cores(self) -> None:
        """All of them for a job that is alone: teams of threads of several jobs would wait for each other."""
        machine.own_threads(self._threads if len(self._running) == 1 else 1)

    def _evaluate_next(self) -> None:
        machine.own_threads(self._threads)
        group = chosen([member.call for member in self._running if member.call is not None])
        self.sizes.append(sum(call.rows for call in group))
        evaluate(group)

    def _leave(self, member: Member) -> None:
        with self._change:
            self._running.remove(member)
            if member.job.seconds is not None:
                self.seconds += (0.2 if self._known else 1.0) * (member.job.seconds - self.seconds)
                self._known = True
            if not self._hand_on() and self._running:
                self._running[0].go.release()  # all wait for evaluations: it sees to them
            self._change.notify_all()
