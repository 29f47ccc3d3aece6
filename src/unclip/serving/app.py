"""The whole server: engine, models and routes in one ASGI app, and the process around it."""

import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import uvicorn
from fastapi import Depends, FastAPI
from fastapi.middleware.cors import CORSMiddleware
from fastapi.security import HTTPBearer
from fastapi_offline import FastAPIOffline
from starlette.types import ASGIApp

import unclip
from unclip.core.machine import prepare_memory
from unclip.serving.api import a1111, about, errors, images, models, page, watch
from unclip.serving.api.desk import Desk
from unclip.serving.api.guard import Guard
from unclip.serving.api.metrics import Metrics
from unclip.serving.engine.engine import Engine
from unclip.serving.engine.job import Job
from unclip.serving.library import Library
from unclip.serving.links import Links
from unclip.serving.options import ServeOptions
from unclip.serving.watched import Watched


@dataclass(frozen=True)
class Server:
    """What `create` made: the app, and what it works with."""

    app: ASGIApp
    desk: Desk


def create(options: ServeOptions) -> Server:
    """Builds a server; its default model is read when it starts. Raises ValueError for runs that are missing."""
    engine = Engine(options.slots, options.waiting)
    try:
        library = Library(options.runs, engine.share, options.memory, options.strict, options.beside)
        desk, watched = Desk(library, engine, options), Watched(library.runs, options.watch)
    except BaseException:
        engine.stop()
        raise

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        engine.submit(Job(lambda: library.model(library.names[0])))
        yield
        engine.stop()

    app = FastAPIOffline(
        redoc_url=None,
        title="unclip",
        version=unclip.__version__,
        summary="Your own DALL-E 2",
        lifespan=lifespan,
        dependencies=[Depends(HTTPBearer(auto_error=False, description="what --api-key gave"))],
    )
    errors.install(app)
    metrics = Metrics(engine)
    api = images.routes(desk, Links()), a1111.routes(desk), models.routes(desk, metrics)
    for router in (*api, about.routes(desk), page.routes(), watch.routes(watched)):
        app.include_router(router)
    if options.cors:
        app.add_middleware(CORSMiddleware, allow_origins=options.cors, allow_methods=["*"], allow_headers=["*"])
    return Server(metrics.counted(Guard(app, options)), desk)


def serve(options: ServeOptions, tell: Callable[[str], None]) -> None:
    """Serves until SIGTERM or Ctrl-C; what runs then is finished first. tell: is told where it listens.

    Raises ValueError as `create` does.
    """
    prepare_memory(one_arena=True)
    server = create(options)
    base = f"http://{options.host}:{options.port}"
    tell(f"serving {', '.join(server.desk.library.names)}: a page at {base}/, for OpenAI clients base_url={base}/v1")
    config = uvicorn.Config(
        server.app, options.host, options.port, log_level="warning", access_log=False, server_header=False
    )
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)  # uvicorn ends gracefully, then raises the signal again: ended is ended
    uvicorn.Server(config).run()
