"""The jobs that wait: bounded, and clients take turns, so that one who asks for much does not keep the others out."""

from collections import OrderedDict, deque
from collections.abc import Iterator

from unclip.serving.engine.job import Job


class FairQueue:
    """One line a client; the client whose turn it is gives its oldest job. Knows nothing of threads."""

    def __init__(self) -> None:
        self._lines: OrderedDict[str, deque[Job]] = OrderedDict()

    @property
    def rows(self) -> int:
        """How many images wait."""
        return sum(job.rows for job in self)

    def __len__(self) -> int:
        return sum(map(len, self._lines.values()))

    def __iter__(self) -> Iterator[Job]:
        """The jobs in the order in which their turn comes."""
        lines = [list(line) for line in self._lines.values()]
        for turn in range(max(map(len, lines), default=0)):
            yield from (line[turn] for line in lines if turn < len(line))

    def rows_of(self, client: str) -> int:
        """How many images of this client wait."""
        return sum(job.rows for job in self._lines.get(client, ()))

    def rows_before(self, job: Job) -> int:
        """How many images come before this job's; all where it is not here."""
        before = 0
        for other in self:
            if other is job:
                break
            before += other.rows
        return before

    def place(self, job: Job) -> int | None:
        """1 for the next one; None: it does not wait here."""
        return next((place for place, other in enumerate(self, 1) if other is job), None)

    def add(self, job: Job) -> None:
        """To the end of its client's line."""
        self._lines.setdefault(job.client, deque()).append(job)

    def next(self, free: int) -> Job | None:
        """Takes the job whose turn it is; None where none waits, or it needs more than `free` slots (others wait behind
        it: a large job would never come to its turn otherwise)."""
        if not self._lines:
            return None
        client, line = next(iter(self._lines.items()))
        if line[0].rows > free:
            return None
        job = line.popleft()
        if line:
            self._lines.move_to_end(client)
        else:
            del self._lines[client]
        return job

    def drop_cancelled(self) -> list[Job]:
        """Takes out what was cancelled while it waited."""
        gone = [job for job in self if job.cancelled]
        for client in list(self._lines):
            kept = deque(job for job in self._lines[client] if not job.cancelled)
            if kept:
                self._lines[client] = kept
            else:
                del self._lines[client]
        return gone

    def clear(self) -> list[Job]:
        """Takes out all."""
        every = list(self)
        self._lines.clear()
        return every
