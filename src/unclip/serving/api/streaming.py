"""Server-sent events: the place in the queue, images out of the noise, and the finished ones."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

from PIL import Image

from unclip.images.files import KEY
from unclip.serving.api.answers import facts, preview, usage
from unclip.serving.api.desk import outcome, settled
from unclip.serving.api.errors import APIError
from unclip.serving.api.fields import ImageRequest
from unclip.serving.engine.engine import Engine
from unclip.serving.engine.job import Job
from unclip.serving.tasks import Previews

BEAT = 1.0
"""Seconds between two comments on the place in the queue, which also keep proxies from closing a silent connection."""


class Inbox:
    """Previews on their way from the engine's thread to the loop."""

    def __init__(self) -> None:
        self._loop, self.queue = asyncio.get_running_loop(), asyncio.Queue[tuple[int, list[Image.Image]]]()

    def previews(self, count: int) -> Previews | None:
        """What a task tells."""
        return Previews(self._put, count) if count else None

    def _put(self, index: int, images: list[Image.Image]) -> None:
        self._loop.call_soon_threadsafe(self.queue.put_nowait, (index, images))


@dataclass
class Stream:
    """One streamed request. kind: image_generation or image_edit; uploads: images that came with it."""

    engine: Engine
    job: Job
    asked: ImageRequest
    inbox: Inbox
    kind: str = "image_generation"
    uploads: int = 0

    async def events(self) -> AsyncIterator[str]:
        """The text of the answer. Where the client goes away the job is cancelled."""
        try:
            async for event in self._until_done():
                yield event
            for event in await self._completed():
                yield event
        except APIError as error:
            yield _event("error", error.body)
        finally:
            self.engine.cancel(self.job)

    async def _until_done(self) -> AsyncIterator[str]:
        done = asyncio.ensure_future(settled(self.job.answer))
        try:
            while not (done.done() and self.inbox.queue.empty()):
                item = asyncio.ensure_future(self.inbox.queue.get())
                await asyncio.wait({item, done}, timeout=BEAT, return_when=asyncio.FIRST_COMPLETED)
                if item.done():
                    index, images = item.result()
                    for number, image in enumerate(images):
                        yield await self._partial(image, index, number)
                    continue
                item.cancel()
                if not done.done():
                    place, seconds = self.engine.place(self.job)
                    yield f": queue {place} eta {seconds:.1f}\n\n"
        finally:
            done.cancel()

    async def _partial(self, image: Image.Image, index: int, number: int) -> str:
        body = await asyncio.to_thread(preview, self.asked.encoding, image, index, number)
        return _event(f"{self.kind}.partial_image", body)

    async def _completed(self) -> list[str]:
        drawn, events = outcome(self.job), list[str]()
        for number, image in enumerate(drawn.images):
            body: dict[str, Any] = {
                "b64_json": await asyncio.to_thread(self.asked.encoding.base64, image),
                "created_at": int(time.time()),
                "image_index": number,
                "seed": image.info[KEY]["seed"],
                **facts(self.asked, drawn),
                "usage": usage(drawn, self.uploads),
            }
            events.append(_event(f"{self.kind}.completed", body))
        return events


def _event(name: str, body: dict[str, Any]) -> str:
    return f"event: {name}\ndata: {json.dumps({'type': name, **body})}\n\n"
