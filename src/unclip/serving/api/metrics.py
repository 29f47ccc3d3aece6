"""Figures of a server, counted by prometheus_client."""

import time

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from unclip.serving.engine.engine import Engine

ROUTES = ("/v1/images/generations", "/v1/images/edits", "/v1/images/variations", "/sdapi/v1/txt2img")
"""Those that are counted by name; all others together, for a request must not make up names."""


class Metrics:
    """Requests by route and status, their seconds, and the engine's load."""

    def __init__(self, engine: Engine) -> None:
        self._registry = CollectorRegistry()
        self._requests = Counter("unclip_requests", "Requests answered", ["route", "status"], registry=self._registry)
        self._seconds = Histogram(
            "unclip_request_seconds", "Time from request to answer", ["route"], registry=self._registry
        )
        for name, told, place in (("drawing", "Images being drawn", 0), ("waiting", "Images in the queue", 1)):
            gauge = Gauge(f"unclip_images_{name}", told, registry=self._registry)
            gauge.set_function(lambda place=place: engine.load[place])
        batch = Gauge("unclip_batch_size", "Mean batch of the last evaluations", registry=self._registry)
        batch.set_function(lambda: sum(engine.sizes) / max(1, len(engine.sizes)))

    def text(self) -> str:
        """All figures."""
        return generate_latest(self._registry).decode()

    def counted(self, app: ASGIApp) -> ASGIApp:
        """The app, its answers counted."""

        async def call(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] != "http":
                return await app(scope, receive, send)
            route, start, status = scope["path"] if scope["path"] in ROUTES else "other", time.perf_counter(), "none"

            async def noting(message: Message) -> None:
                nonlocal status
                status = str(message.get("status", status))
                await send(message)

            try:
                await app(scope, receive, noting)
            finally:
                self._requests.labels(route, status).inc()
                self._seconds.labels(route).observe(time.perf_counter() - start)

        return call
