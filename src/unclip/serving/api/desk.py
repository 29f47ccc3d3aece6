"""Between HTTP and the engine: a checked request becomes a job, and waits for its answer as long as its client does."""

import asyncio
import logging
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

from PIL import Image
from starlette.requests import Request

from unclip.core.shown import printable
from unclip.generation.base import ImageModel
from unclip.serving.api.errors import APIError, mistake
from unclip.serving.api.fields import ImageRequest
from unclip.serving.engine.engine import Engine
from unclip.serving.engine.job import Cancelled, Full, Job
from unclip.serving.library import Library, UnknownModel
from unclip.serving.moderation import Moderation, moderation
from unclip.serving.options import ServeOptions
from unclip.serving.tasks import Task, tokens_of, warnings

log = logging.getLogger("unclip.serve")
CLOSED = 499
"""The status of a request whose client has gone, as nginx notes it; nobody reads it."""


@dataclass(frozen=True)
class Drawn:
    """A finished job: the images, the model's name and side, the tokens of the prompt, and what to know of it."""

    images: list[Image.Image]
    model: str
    native: int
    tokens: int
    warnings: list[str]


@dataclass
class Desk:
    """Takes requests. library, engine, options: of the server."""

    library: Library
    engine: Engine
    options: ServeOptions
    moderation: Moderation = field(init=False)

    def __post_init__(self) -> None:
        self.moderation = moderation(self.options.moderation)

    async def check(self, asked: ImageRequest, needs_prompt: bool = True) -> str:
        """The model that is meant. Raises APIError for what this server does not do."""
        if needs_prompt and not asked.prompt.strip():
            raise APIError(400, "prompt: write what the image shows", "prompt", "missing_required_parameter")
        for name, text in (
            ("prompt", asked.prompt),
            ("negative_prompt", asked.negative_prompt or ""),
            ("before", asked.before),
        ):
            if len(text) > self.options.prompt:
                told = f"{name}: has {len(text):,} characters, at most {self.options.prompt:,} are read"
                raise APIError(400, told, name, "string_above_max_length")
        if asked.n > self.options.n:
            raise APIError(400, f"n: {asked.n}, at most {self.options.n} images a request", "n", "invalid_value")
        if asked.side is not None and not 0 < asked.side[0] * asked.side[1] <= self.options.pixels:
            raise APIError(400, f"size: {asked.size} is more than this server writes", "size", "invalid_value")
        try:
            name = self.library.name_of(asked.model)
        except UnknownModel as error:
            raise APIError(404, str(error), "model", "model_not_found") from error
        if why := await self.moderation.why(asked.prompt, asked.negative_prompt, asked.before):
            raise APIError(400, why, "prompt", "content_policy_violation")
        return name

    def job(self, name: str, asked: ImageRequest, task: Task, verb: str, client: str) -> Job:
        """Puts a task in the queue. Raises APIError where it is full."""

        def work() -> Drawn:
            model = self._model(name)
            told = warnings(model, task.prompt) if task.prompt.strip() else []
            return Drawn(getattr(task, verb)(model), name, model.size, tokens_of(model, task.prompt), told)

        if self.options.log_prompts:
            log.info("%s %s", verb, printable(asked.prompt, 200))
        try:
            return self.engine.submit(Job(work, asked.n, client))
        except Full as error:
            code = "rate_limit_exceeded" if error.client else "overloaded"
            raise APIError(429 if error.client else 503, str(error), code=code, wait=error.seconds) from error

    async def answer(self, request: Request, job: Job) -> Drawn:
        """Waits for a job; cancels it where the client goes away. Raises APIError."""
        gone = asyncio.ensure_future(_disconnect(request))
        done = asyncio.ensure_future(settled(job.answer))
        try:
            await asyncio.wait({gone, done}, return_when=asyncio.FIRST_COMPLETED)
            if not done.done():
                raise APIError(CLOSED, "the client has gone")
            return outcome(job)
        finally:
            self.engine.cancel(job)
            gone.cancel()
            done.cancel()

    def _model(self, name: str) -> ImageModel:
        try:
            return self.library.model(name)
        except (ValueError, OSError) as error:  # it names files of the server's: for its log, not for clients
            log.exception("the model %s cannot be read", name)
            raise APIError(503, f"the model {name} cannot be read; the server's log says why") from error


def client_of(request: Request, user: str = "") -> str:
    """Who takes turns with others: an address, and the user that is named."""
    return f"{request.client.host if request.client else ''} {user[:100]}"


async def settled(answer: "Future[Any]") -> None:
    """Returns when the answer is there, whatever it is. Cancelling this leaves the answer alone."""
    loop, event = asyncio.get_running_loop(), asyncio.Event()
    answer.add_done_callback(lambda _: _tell(loop, event))
    await event.wait()


def _tell(loop: asyncio.AbstractEventLoop, event: asyncio.Event) -> None:
    if not loop.is_closed():
        loop.call_soon_threadsafe(event.set)


def outcome(job: Job) -> Drawn:
    """What a finished job drew. Raises APIError."""
    error = job.answer.exception()
    if error is None:
        return job.answer.result()
    if isinstance(error, APIError):
        raise error
    if isinstance(error, Cancelled):
        raise APIError(503, "cancelled: the server is shutting down", code="cancelled", wait=5) from error
    if isinstance(error, ValueError):
        raise APIError(400, str(error), _param(str(error)), "invalid_value") from error
    if isinstance(error, MemoryError):
        raise APIError(
            503, "not enough memory for this now; ask for less at a time", code="overloaded", wait=10
        ) from error
    log.error("a job failed", exc_info=error)
    raise mistake() from error


PARAMS = {"steps": "num_inference_steps", "guidance": "guidance_scale"}


def _param(message: str) -> str | None:
    """The field that a message of the library is about, as it begins with: "steps = 0: ..."."""
    name = message.partition(":")[0].partition(" =")[0].strip()
    name = PARAMS.get(name, name)
    return name if name in ImageRequest.model_fields or name in ("image", "mask") else None


async def _disconnect(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
