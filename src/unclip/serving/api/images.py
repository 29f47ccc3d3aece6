"""POST /v1/images/generations, /edits and /variations; GET /files/..., where an answer is fetched by its address."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response, StreamingResponse
from PIL import Image
from starlette.datastructures import FormData, UploadFile

from unclip.serving.api.answers import Answers
from unclip.serving.api.desk import Desk, client_of
from unclip.serving.api.errors import APIError
from unclip.serving.api.fields import ImageRequest
from unclip.serving.api.streaming import Inbox, Stream
from unclip.serving.links import Links
from unclip.serving.pictures import read_upload
from unclip.serving.tasks import Task

FIELDS = 64
"""Fields of a form; no client sends half as many."""


@dataclass(frozen=True)
class Uploaded:
    """A request: its words, and the images and mask of a form."""

    asked: ImageRequest
    images: Sequence[Image.Image] = ()
    mask: Image.Image | None = None


def routes(desk: Desk, links: Links) -> APIRouter:
    """The routes of images."""
    router = APIRouter()

    @router.post("/v1/images/generations", summary="Draw images of a prompt")
    async def generations(request: Request, asked: ImageRequest) -> Response:
        return await _answered(desk, links, request, "generate", Uploaded(asked), needs_prompt=True)

    def upload(path: str, verb: str, summary: str, needs_prompt: bool = False) -> None:
        """A route that takes images, and what `Task` does with them."""

        @router.post(f"/v1/images/{path}", summary=summary, name=path)
        async def answer(request: Request) -> Response:
            return await _answered(desk, links, request, verb, await _form(request, desk), needs_prompt)

    upload("edits", "edit", "Paint a part of an image anew, or change it by a prompt")
    upload("variations", "vary", "Vary an image: its CLIP embedding, decoded with other noise")
    upload("blends", "blend", "n images on the way from one image to another")
    upload("diffs", "diff", "n images on the way from an image to what a prompt says (text diff)", needs_prompt=True)

    @router.get("/files/{name}", include_in_schema=False)
    async def file(name: str) -> Response:
        found = links.get(name.partition(".")[0])
        if found is None:
            raise APIError(404, "no such image: its address has expired, or never was", code="not_found")
        headers = {"Cache-Control": "private, max-age=3600", "X-Content-Type-Options": "nosniff"}
        return Response(found[1], media_type=found[0], headers=headers)

    return router


async def _answered(
    desk: Desk, links: Links, request: Request, verb: str, sent: Uploaded, needs_prompt: bool
) -> Response:
    asked, name = sent.asked, await desk.check(sent.asked, needs_prompt)
    inbox, count = Inbox(), asked.partial_images if asked.stream and verb == "generate" else 0
    images = sent.images, sent.mask, asked.before
    task = Task(asked.prompt, asked.n, asked.first_seed, asked.settings, *images, inbox.previews(count))
    job = desk.job(name, asked, task, verb, client_of(request, asked.user))
    if asked.stream:
        kind = "image_generation" if verb == "generate" else "image_edit"
        stream = Stream(desk.engine, job, asked, inbox, kind, len(sent.images))
        return StreamingResponse(stream.events(), media_type="text/event-stream", headers={"Cache-Control": "no-store"})
    drawn = await desk.answer(request, job)
    answers = Answers(links, lambda file: str(request.url_for("file", name=file)))
    return JSONResponse(await answers.images(asked, drawn, len(sent.images)))


async def _form(request: Request, desk: Desk) -> Uploaded:
    """A multipart body, checked. Raises APIError."""
    if not request.headers.get("content-type", "").startswith("multipart/form-data"):
        raise APIError(400, "the body: expected multipart/form-data with an image", "image", "invalid_content_type")
    async with request.form(max_files=FIELDS, max_fields=FIELDS) as form:
        words = {name: value for name, value in form.multi_items() if isinstance(value, str)}
        asked = ImageRequest.model_validate(words)
        images = [await _image(file, "image", desk) for file in _files(form, "image")]
        masks = [await _image(file, "mask", desk) for file in _files(form, "mask")]
    if not images:
        raise APIError(
            400, "image: send the file of an image in the field image or image[]", "image", "missing_required_parameter"
        )
    return Uploaded(asked, images, masks[0] if masks else None)


def _files(form: FormData, name: str) -> list[UploadFile]:
    every = [*form.getlist(name), *form.getlist(f"{name}[]")]
    return [value for value in every if isinstance(value, UploadFile)]


async def _image(file: UploadFile, name: str, desk: Desk) -> Image.Image:
    options = desk.options
    try:
        data = await file.read(options.upload + 1)
        return await asyncio.to_thread(read_upload, data, name, options.upload, options.pixels)
    except ValueError as error:
        raise APIError(400, str(error), name, "invalid_image") from error
