"""A real server on a real run of a few steps, on a port of its own."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from greenlet import getcurrent
from tests.short import finished

from unclip.serving.app import Server, create
from unclip.serving.options import ServeOptions


class OfGreenlet:
    """Attributes of the greenlet that runs, as `threading.local` has those of the thread."""

    def __getattr__(self, name: str) -> Any:
        try:
            return vars(getcurrent())[name]
        except KeyError as error:
            raise AttributeError(name) from error

    def __setattr__(self, name: str, value: Any) -> None:
        vars(getcurrent())[name] = value


@pytest.fixture(scope="session", autouse=True)
def _shapes_of_each_job() -> Iterator[None]:
    """jaxtyping, which only the tests run, remembers the axes of the calls of a thread; all jobs have one."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("jaxtyping._storage._shape_storage", OfGreenlet())
        yield


@dataclass(frozen=True)
class Live:
    """A server that answers. base: where."""

    base: str
    server: Server

    def ask(self, method: str, path: str, **what: Any) -> httpx.Response:
        return httpx.request(method, self.base + path, timeout=60, **what)

    def draw(self, **body: Any) -> httpx.Response:
        return self.ask("POST", "/v1/images/generations", json={"prompt": "a red circle", **body})


@pytest.fixture(scope="session")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return finished(tmp_path_factory.mktemp("served") / "mine")


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


@contextmanager
def serving(options: ServeOptions) -> Iterator[Live]:
    port, server = free_port(), create(options)
    web = uvicorn.Server(uvicorn.Config(server.app, "127.0.0.1", port, log_level="warning"))
    thread = threading.Thread(target=web.run)
    thread.start()
    while not (web.started and server.desk.library.held):
        assert thread.is_alive()
        time.sleep(0.01)
    try:
        yield Live(f"http://127.0.0.1:{port}", server)
    finally:
        web.should_exit = True
        thread.join()


Serve = Callable[..., Live]


@pytest.fixture
def serve(run: Path) -> Iterator[Serve]:
    """Starts servers with options of a test's own."""
    with ExitStack() as stack:
        yield lambda **said: stack.enter_context(serving(ServeOptions(**{"runs": (run,), **said})))


@pytest.fixture(scope="module")
def live(run: Path) -> Iterator[Live]:
    """One with the usual options."""
    with serving(ServeOptions(runs=(run,))) as found:
        yield found


def until(true: Callable[[], bool], seconds: float = 120) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.01)
