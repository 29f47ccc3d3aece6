"""`unclip serve` as a process: what it says, what it refuses, and how it ends."""

import signal
import subprocess
import sys
import threading
from pathlib import Path

import httpx
import pytest
from tests.cli.conftest import Call, call
from tests.serving.conftest import free_port, serving, until

from unclip.serving.options import ServeOptions

__all__ = ["call"]


def answers(base: str) -> bool:
    try:
        return httpx.get(f"{base}/readyz").status_code == 200
    except httpx.HTTPError:
        return False


def test_sigterm_finishes_what_runs(run: Path):
    port = free_port()
    base, got = f"http://127.0.0.1:{port}", list[int]()
    command = [sys.executable, "-m", "unclip", "serve", str(run), "--port", str(port)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        try:
            until(lambda: answers(base) or process.poll() is not None, 300)  # a busy machine imports torch slowly

            def ask() -> None:
                body = {"prompt": "a red circle", "num_inference_steps": 300}
                got.append(httpx.post(f"{base}/v1/images/generations", json=body, timeout=300).status_code)

            threads = [threading.Thread(target=ask) for _ in range(3)]
            for thread in threads:
                thread.start()
            until(lambda: "unclip_images_drawing 3.0" in httpx.get(f"{base}/metrics").text)
            process.send_signal(signal.SIGTERM)
            for thread in threads:
                thread.join()
            assert process.wait(120) == 0
        finally:
            process.kill()
        assert process.stderr is not None
        told = process.stderr.read()
    assert got == [200] * 3
    assert "serving mine" in told and f"base_url={base}/v1" in told and "Traceback" not in told


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--host", "0.0.0.0"], "--insecure"),
        (["--port", 0], "port"),
        (["--slots", 0], "--slots"),
        (["nowhere"], "nowhere"),
        (["--moderation", "nothing:here"], "does not import"),
    ],
)
def test_what_cannot_be_served(call: Call, run: Path, options: list[object], told: str):
    done = call("serve", *([run] if options[0] != "nowhere" else []), *options)
    assert done.code == 2 and told in done.err


def test_a_missing_package_is_named(call: Call, run: Path, monkeypatch: pytest.MonkeyPatch):
    from unclip.cli.serving import serve

    monkeypatch.setattr(serve, "PACKAGES", {"no_such_package": "no-such-package", "fastapi": "fastapi"})
    done = call("serve", run)
    assert done.code == 2 and "pip install no-such-package" in done.err


def leave(base: str, body: dict[str, object]) -> None:
    """Asks, and goes away after a while."""
    with httpx.stream("POST", f"{base}/v1/images/generations", json=body, timeout=0.3) as answer:
        answer.read()


def test_a_client_that_goes_away_frees_its_slot(run: Path):
    with serving(ServeOptions(runs=(run,))) as live:
        for streamed in (False, True) * 3:
            body = {"prompt": "a red circle", "num_inference_steps": 1000, "stream": streamed}
            with pytest.raises(httpx.ReadTimeout):
                leave(live.base, body)
            until(lambda: live.server.desk.engine.load == (0, 0), 10)
