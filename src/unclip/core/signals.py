"""Ctrl-C once: save and end. Twice: end at once."""

import os
import signal
import threading
from collections.abc import Generator
from contextlib import contextmanager
from types import FrameType

SIGNALS = {signal.SIGINT: signal.default_int_handler, signal.SIGTERM: signal.SIG_DFL}
"""Signal -> what a second one does."""


@contextmanager
def stopping() -> Generator[threading.Event, None, None]:
    """An event that the first SIGINT or SIGTERM sets; the second one acts as if nobody listened.

    Signals reach the main thread alone: in another one nothing sets the event.
    """
    stop = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return

    def first(number: int, frame: FrameType | None) -> None:
        stop.set()
        for name, second in SIGNALS.items():
            signal.signal(name, second)
        os.write(2, b"\nstopping: this step is finished and saved first (once more ends at once)\n")

    before = {name: signal.signal(name, first) for name in SIGNALS}
    try:
        yield stop
    finally:
        for name, handler in before.items():
            signal.signal(name, handler)
