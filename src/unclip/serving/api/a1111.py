"""The two routes of the A1111 web UI that clients of it ask for."""

import json
from typing import Any

from fastapi import APIRouter, Request

from unclip.images.files import KEY
from unclip.serving.api.desk import Desk, client_of
from unclip.serving.api.fields import A1111Request
from unclip.serving.tasks import Task


def routes(desk: Desk) -> APIRouter:
    """txt2img and options."""
    router = APIRouter(prefix="/sdapi/v1")

    @router.get("/options", summary="The model that is meant where none is named")
    async def options() -> dict[str, Any]:
        return {"sd_model_checkpoint": desk.library.names[0], "samples_format": "png"}

    @router.post("/options", summary="Nothing can be changed; clients that try are answered")
    async def changed() -> dict[str, Any]:
        return {}

    @router.get("/sd-models", summary="The models that are served")
    async def models() -> list[dict[str, Any]]:
        return [{"title": name, "model_name": name} for name in desk.library.names]

    @router.post("/txt2img", summary="Draw images of a prompt")
    async def txt2img(request: Request, body: A1111Request) -> dict[str, Any]:
        asked = body.as_images()
        name = await desk.check(asked)
        task = Task(asked.prompt, asked.n, asked.first_seed, asked.settings)
        drawn = await desk.answer(request, desk.job(name, asked, task, "generate", client_of(request)))
        seeds = [image.info[KEY]["seed"] for image in drawn.images]
        info = {"prompt": asked.prompt, "seed": seeds[0], "all_seeds": seeds, "sd_model_name": drawn.model}
        images = [asked.encoding.base64(image) for image in drawn.images]
        return {"images": images, "parameters": body.model_dump(), "info": json.dumps(info)}

    return router
