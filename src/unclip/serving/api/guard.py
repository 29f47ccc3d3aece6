"""What is checked before a request is looked at: where it goes, who sends it, how large it is."""

import hmac
from collections.abc import Mapping

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from unclip.serving.api.errors import APIError
from unclip.serving.options import MEGA, ServeOptions

OPEN = ("/healthz", "/readyz", "/files/", "/page/", "/favicon.ico", "/docs", "/static-offline-docs/", "/openapi.json")
"""How paths begin that need no key, as "/" does not: health, the page's files, answers whose address is the secret."""
IMAGES = 17
"""Uploads that a body may hold at most: sixteen images and a mask."""


class Guard:
    """An ASGI layer around the app. Refuses unknown hosts (a page elsewhere could reach a server on loopback by a name
    of its own), pages of other origins, missing keys and bodies that are too large."""

    def __init__(self, app: ASGIApp, options: ServeOptions) -> None:
        self._app, self._options = app, options
        self._most = options.upload * IMAGES + MEGA

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers, or hands on."""
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        try:
            self._check(scope["path"], headers)
        except APIError as error:
            return await error.response(scope, receive, send)
        await self._app(scope, self._limited(receive), send)

    def _check(self, path: str, headers: Mapping[str, str]) -> None:
        host = headers.get("host", "")
        if _name(host) not in self._options.known_hosts:
            told = f"the host {host[:100]!r} is not one of this server's; name it with --allow-host"
            raise APIError(403, told, code="unknown_host")
        origin = headers.get("origin")
        if origin and origin not in self._options.cors and origin.partition("://")[2] != host:
            raise APIError(
                403, f"pages of {origin[:100]} may not ask this server; allow them with --cors", code="origin"
            )
        if self._options.api_key and path != "/" and not path.startswith(OPEN):
            self._check_key(headers.get("authorization", ""))
        if int(length if (length := headers.get("content-length", "0")).isdigit() else 0) > self._most:
            raise self._too_large

    def _check_key(self, said: str) -> None:
        scheme, _, key = said.partition(" ")
        right = hmac.compare_digest(key.strip().encode("latin-1"), self._options.api_key.encode())
        if scheme.lower() != "bearer" or not right:
            told = "no valid API key: send the header 'Authorization: Bearer KEY' with the key that --api-key gave"
            raise APIError(401, told, code="invalid_api_key")

    @property
    def _too_large(self) -> APIError:
        return APIError(413, f"the body has more than {self._most / MEGA:.0f} MB", code="too_large")

    def _limited(self, receive: Receive) -> Receive:
        """The same body, cut off with an error where it is larger than allowed, whatever its header promised."""
        seen = 0

        async def part() -> Message:
            nonlocal seen
            message = await receive()
            seen += len(message.get("body", b""))
            if seen > self._most:
                raise self._too_large
            return message

        return part


def _name(host: str) -> str:
    """A Host header without its port, in lower case."""
    name = host.lower()
    if name.startswith("["):
        return name.partition("]")[0] + "]"
    return name.partition(":")[0]
