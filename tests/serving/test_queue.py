from unclip.serving.engine.job import Job
from unclip.serving.engine.queue import FairQueue


def job(client: str, rows: int = 1) -> Job:
    return Job(lambda: None, rows, client)


def queue(*clients: str) -> tuple[FairQueue, list[Job]]:
    line, jobs = FairQueue(), [job(client) for client in clients]
    for each in jobs:
        line.add(each)
    return line, jobs


def taken(line: FairQueue, free: int = 99) -> list[Job]:
    found: list[Job] = []
    while each := line.next(free):
        found.append(each)
    return found


def test_clients_take_turns():
    line, (a1, a2, a3, b1, c1) = queue("a", "a", "a", "b", "c")
    assert list(line) == [a1, b1, c1, a2, a3]
    assert taken(line) == [a1, b1, c1, a2, a3] and len(line) == 0


def test_who_comes_later_is_not_behind_all_of_who_asked_for_much():
    line, (a1, a2, _) = queue("a", "a", "a")
    assert line.next(9) is a1
    line.add(b := job("b"))
    assert taken(line)[:2] == [a2, b]


def test_a_large_job_is_waited_for_and_not_passed():
    line = FairQueue()
    large, small = job("a", 4), job("b")
    line.add(large)
    line.add(small)
    assert line.next(3) is None
    assert line.next(4) is large


def test_places_and_rows():
    line, (a1, a2, b1) = queue("a", "a", "b")
    assert [line.place(each) for each in (a1, b1, a2)] == [1, 2, 3]
    assert (line.rows, line.rows_of("a"), line.rows_before(a2)) == (3, 2, 2)
    assert line.place(job("c")) is None


def test_what_is_cancelled_leaves():
    line, (a1, a2, b1) = queue("a", "a", "b")
    a1.cancel()
    b1.cancel()
    assert line.drop_cancelled() == [a1, b1] and list(line) == [a2]
    assert line.clear() == [a2] and len(line) == 0
