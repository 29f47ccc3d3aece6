"""GET /v1/models; health; what Prometheus reads."""

import time
from typing import Any

from fastapi import APIRouter
from fastapi.responses import JSONResponse, PlainTextResponse

from unclip.runs.folder import RunFolder
from unclip.serving.api.desk import Desk
from unclip.serving.api.errors import APIError
from unclip.serving.api.metrics import Metrics
from unclip.serving.library import UnknownModel


def routes(desk: Desk, metrics: Metrics) -> APIRouter:
    """The routes that say what there is."""
    router, started = APIRouter(), int(time.time())

    def described(name: str, called: str) -> dict[str, Any]:
        folder = RunFolder(desk.library.folders[name])
        made = int(folder.settings.stat().st_mtime) if folder.settings.exists() else started
        return {"id": called, "object": "model", "created": made, "owned_by": "unclip", "kind": folder.model}

    @router.get("/v1/models", summary="The models that are served")
    async def models() -> dict[str, Any]:
        return {"object": "list", "data": [described(name, name) for name in desk.library.names]}

    @router.get("/v1/models/{name}", summary="One of them, or what an alias of OpenAI's stands for")
    async def model(name: str) -> dict[str, Any]:
        try:
            return described(desk.library.name_of(name), name)
        except UnknownModel as error:
            raise APIError(404, str(error), "model", "model_not_found") from error

    @router.get("/healthz", summary="The process answers")
    async def healthz() -> dict[str, str]:
        return {"status": "ok"}

    @router.get("/readyz", summary="A model is in memory, and the queue has room")
    async def readyz() -> JSONResponse:
        drawn, waiting = desk.engine.load
        ready = bool(desk.library.held) and waiting < desk.engine.waiting
        body = {
            "status": "ready" if ready else "busy",
            "models": desk.library.held,
            "drawing": drawn,
            "waiting": waiting,
        }
        return JSONResponse(body, 200 if ready else 503)

    @router.get("/metrics", summary="Figures as Prometheus reads them")
    async def figures() -> PlainTextResponse:
        return PlainTextResponse(metrics.text(), media_type="text/plain; version=0.0.4")

    return router
