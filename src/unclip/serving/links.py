"""Answers that are fetched by their address: in memory, for an hour, under names that nobody can guess."""

import secrets
import time
from collections import OrderedDict
from collections.abc import Callable

LIFETIME = 3600.0
"""Seconds, as OpenAI's addresses have lived."""
MOST = 64_000_000
"""Bytes of all of them; beyond that the oldest end early."""


class Links:
    """Token -> (media type, bytes)."""

    def __init__(
        self, lifetime: float = LIFETIME, most: int = MOST, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._lifetime, self._most, self._clock = lifetime, most, clock
        self._held: OrderedDict[str, tuple[float, str, bytes]] = OrderedDict()
        self._bytes = 0

    def add(self, kind: str, data: bytes) -> str:
        """Keeps an answer; returns its token."""
        token = secrets.token_urlsafe(24)
        self._held[token] = self._clock() + self._lifetime, kind, data
        self._bytes += len(data)
        self._tidy()
        return token

    def get(self, token: str) -> tuple[str, bytes] | None:
        """What the token stands for; None: nothing, or no more."""
        self._tidy()
        found = self._held.get(token)
        return None if found is None else found[1:]

    def _tidy(self) -> None:
        now = self._clock()
        while self._held:
            until, _, data = next(iter(self._held.values()))
            if until > now and self._bytes <= self._most:
                return
            self._held.popitem(last=False)
            self._bytes -= len(data)
