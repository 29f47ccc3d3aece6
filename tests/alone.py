"""Tests that leave something in the process (classes of plugins stay known), each in a process of its own."""

import functools
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import ParamSpec

P = ParamSpec("P")
MARK = "UNCLIP_TEST_ALONE"


def alone(test: Callable[P, None]) -> Callable[P, None]:
    """The same test, run by a pytest of its own."""

    @functools.wraps(test)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        if MARK in os.environ:
            return test(*args, **kwargs)
        node = os.environ["PYTEST_CURRENT_TEST"].rpartition(" (")[0]
        command = [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-p",
            "no:cacheprovider",
            "-p",
            "no:xdist",
            "-o",
            "addopts=",
            node,
        ]
        done = subprocess.run(
            command, cwd=Path(__file__).parents[1], env={**os.environ, MARK: "1"}, capture_output=True, text=True
        )
        assert done.returncode == 0 and "1 passed" in done.stdout, done.stdout + done.stderr

    return run
