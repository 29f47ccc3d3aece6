"""What `unclip serve` costs and stands: the figures of docs/serve.md, against a server process of its own.

    python benchmarks/serving.py RUN [--only overhead,curve,clients,overload,leave,sigterm] > serving.json

overhead: one image over HTTP less the same in Python. curve: images/s of `generate` by batch. clients: eight at once
against one after the other. overload: four times as many requests as it can answer. leave: clients that go away.
sigterm: the end under load. All requests go to 127.0.0.1. The fuzzing is a test: UNCLIP_FUZZ=3400 pytest
tests/serving/test_fuzz.py.
"""

import argparse
import asyncio
import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

import unclip
from unclip.core.machine import prepare_memory

SLOTS, WAITING = 8, 16
PROMPT = "a red heart"


@dataclass(frozen=True)
class Running:
    """A server process and where it answers."""

    process: "subprocess.Popen[bytes]"
    base: str
    client: httpx.Client = field(default_factory=lambda: httpx.Client(timeout=300))  # making one takes tens of ms

    def draw(self, **body: object) -> httpx.Response:
        return self.client.post(f"{self.base}/v1/images/generations", json={"prompt": PROMPT, "seed": 1, **body})

    def figure(self, name: str) -> float:
        lines = self.client.get(f"{self.base}/metrics").text.splitlines()
        return next(float(line.split()[-1]) for line in lines if line.startswith(f"{name} "))

    def memory(self) -> float:
        """MB that are resident."""
        status = Path(f"/proc/{self.process.pid}/status").read_text(encoding="utf-8")
        return int(status.partition("VmRSS:")[2].split()[0]) / 1024


@contextmanager
def running(run: Path) -> Iterator[Running]:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    words = ["serve", str(run), "--port", str(port), "--slots", str(SLOTS), "--waiting", str(WAITING)]
    with subprocess.Popen([sys.executable, "-m", "unclip", *words], stderr=subprocess.DEVNULL) as process:
        server = Running(process, f"http://127.0.0.1:{port}")
        try:
            while not ready(server):
                time.sleep(0.1)
            server.draw()
            yield server
        finally:
            process.kill()


def ready(server: Running) -> bool:
    try:
        return httpx.get(f"{server.base}/readyz").status_code == 200
    except httpx.HTTPError:
        return False


def took(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def at_once(works: list[Callable[[], object]]) -> float:
    threads = [threading.Thread(target=work) for work in works]

    def go() -> None:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    return took(go)


def overhead(run: Path, repeats: int = 30) -> dict[str, float]:
    """In turns, so that a slower minute meets both."""
    model = unclip.load(run)
    model.generate([PROMPT], seed=1)
    with running(run) as server:
        pairs = [(took(server.draw), took(lambda: model.generate([PROMPT], seed=1))) for _ in range(repeats)]
    over, python = (statistics.median(column) * 1000 for column in zip(*pairs, strict=True))
    gap = statistics.median(a - b for a, b in pairs) * 1000
    return {"server_ms": over, "python_ms": python, "overhead_ms": gap}


def curve(run: Path, repeats: int = 5) -> dict[str, float]:
    model, speeds = unclip.load(run), dict[str, float]()
    for n in (1, 2, 4, 8, 16):
        model.generate([PROMPT], n)
        speeds[str(n)] = n / statistics.median(took(lambda n=n: model.generate([PROMPT], n)) for _ in range(repeats))
    return speeds


def clients(run: Path, each: int = 4, repeats: int = 3) -> dict[str, float]:
    with running(run) as server:
        singly = [took(lambda: [server.draw() for _ in range(8)]) / 8 for _ in range(repeats)]
        several = [
            at_once([lambda i=i: [server.draw(user=str(i)) for _ in range(each)] for i in range(8)]) / (8 * each)
            for _ in range(repeats)
        ]
        batch = server.figure("unclip_batch_size")
    one, eight = statistics.median(singly), statistics.median(several)
    return {"one_s": one, "eight_s": eight, "gain": one / eight, "batch": batch}


def overload(run: Path, seconds: float = 60) -> dict[str, Any]:
    """Requests come evenly, each of a client of its own, four times as many as eight clients at once get answered."""
    with running(run) as server:
        batch = at_once([lambda i=i: server.draw(user=str(i)) for i in range(SLOTS)])
        batch = min(batch, at_once([lambda i=i: server.draw(user=str(i)) for i in range(SLOTS)]))
        before = server.memory()
        answers = asyncio.run(_flood(server.base, 4 * SLOTS / batch, seconds))
        after = server.memory()
    times = sorted(spent for status, spent, _ in answers if status == 200)
    refused = [again for status, _, again in answers if status != 200]
    allowed = 1.2 * (WAITING / SLOTS + 1) * batch
    return {
        "statuses": dict(Counter(str(status) for status, _, _ in answers)),
        "refused_without_retry_after": sum(not again for again in refused),
        "batch_s": batch,
        "p99_s": times[min(len(times) - 1, int(0.99 * len(times)))],
        "allowed_s": allowed,
        "memory_mb": [before, after],
    }


async def _flood(base: str, rate: float, seconds: float) -> list[tuple[int, float, bool]]:
    async with httpx.AsyncClient(base_url=base, timeout=300, limits=httpx.Limits(max_connections=None)) as client:

        async def ask(i: int) -> tuple[int, float, bool]:
            start = time.perf_counter()
            body = {"prompt": PROMPT, "user": str(i)}
            answer = await client.post("/v1/images/generations", json=body)
            return answer.status_code, time.perf_counter() - start, "retry-after" in answer.headers

        tasks = list[asyncio.Task[tuple[int, float, bool]]]()
        for i in range(int(rate * seconds)):
            tasks.append(asyncio.create_task(ask(i)))
            await asyncio.sleep(1 / rate)
        return await asyncio.gather(*tasks)


def leave(run: Path, times: int = 50) -> dict[str, float]:
    """Half of them in the middle of a stream."""
    with running(run) as server:
        step = took(lambda: server.draw(num_inference_steps=100)) / 100
        waits = [_left(server, bool(i % 2)) for i in range(times)]
    return {"step_ms": step * 1000, "free": sum(wait < 60 for wait in waits), "slowest_ms": max(waits) * 1000} | {
        "median_ms": statistics.median(waits) * 1000
    }


def _left(server: Running, stream: bool) -> float:
    body = {"prompt": PROMPT, "num_inference_steps": 1000, "stream": stream}
    try:
        with httpx.stream("POST", f"{server.base}/v1/images/generations", json=body, timeout=0.3) as answer:
            answer.read()
    except httpx.ReadTimeout:
        pass
    start = time.perf_counter()
    while server.figure("unclip_images_drawing"):
        if time.perf_counter() - start > 60:
            break
    return time.perf_counter() - start


def sigterm(run: Path) -> dict[str, Any]:
    statuses = list[int]()
    with running(run) as server:
        asked = [lambda i=i: statuses.append(server.draw(user=str(i)).status_code) for i in range(SLOTS + 4)]
        threads = [threading.Thread(target=ask) for ask in asked]
        for thread in threads:
            thread.start()
        while server.figure("unclip_images_waiting") < 4:
            pass
        server.process.send_signal(signal.SIGTERM)
        for thread in threads:
            thread.join()
        code = server.process.wait(60)
    return {"statuses": dict(Counter(map(str, statuses))), "exit": code}


KINDS: dict[str, Callable[..., dict[str, Any]]] = {
    "overhead": overhead,
    "curve": curve,
    "clients": clients,
    "overload": overload,
    "leave": leave,
    "sigterm": sigterm,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("--only", default=",".join(KINDS))
    parser.add_argument("--seconds", type=float, default=60, help="of the overload")
    asked = parser.parse_args()
    prepare_memory()
    found = dict[str, Any]()
    for name in asked.only.split(","):
        found[name] = KINDS[name](asked.run, **({"seconds": asked.seconds} if name == "overload" else {}))
        print(name, found[name], file=sys.stderr)
    json.dump({"cores": os.cpu_count(), "run": str(asked.run), **found}, sys.stdout, indent=2)


if __name__ == "__main__":
    main()
