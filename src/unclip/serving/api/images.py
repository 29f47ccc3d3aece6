"""POST /v1/images/generations, /edits and /variations; GET /files/..., where an answer is fetched by its address."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response, StreamingResponse
from PIL import Image
from pydantic import ValidationError
from starlette.datastructures import FormData, UploadFile

from unclip.serving.api.answers import Answers
from unclip.serving.api.desk import Desk
from unclip.serving.api.errors import APIError, of_validation
from unclip.serving.api.fields import ImageRequest
from unclip.serving.api.streaming import Inbox, Stream
from unclip.serving.links import Links
from unclip.serving.pictures import read_upload
from unclip.serving.tasks import Task

FIELDS = 64
"""Fields of a form; no client sends half as many."""


@dataclass(frozen=True)
class Uploaded:
    """A form: its words, images, and mask."""

    asked: ImageRequest
    images: Sequence[Image.Image]
    mask: Image.Image | None


def routes(desk: Desk, links: Links) -> APIRouter:
    """The routes of images."""
    router = APIRouter()

    @router.post("/v1/images/generations", summary="Draw images of a prompt")
    async def generations(request: Request, asked: ImageRequest) -> Response:
        name = desk.check(asked)
        return await _answered(desk, links, request, asked, name, "generate", Uploaded(asked, (), None))

    @router.post("/v1/images/edits", summary="Paint a part of an image anew, or change it by a prompt")
    async def edits(request: Request) -> Response:
        sent = await _form(request, desk)
        name = desk.check(sent.asked, needs_prompt=False)
        return await _answered(desk, links, request, sent.asked, name, "edit", sent)

    @router.post("/v1/images/variations", summary="Vary an image: its CLIP embedding, decoded with other noise")
    async def variations(request: Request) -> Response:
        sent = await _form(request, desk)
        name = desk.check(sent.asked, needs_prompt=False)
        return await _answered(desk, links, request, sent.asked, name, "vary", sent)

    @router.post("/v1/images/blends", summary="n images on the way from one image to another")
    async def blends(request: Request) -> Response:
        sent = await _form(request, desk)
        name = desk.check(sent.asked, needs_prompt=False)
        return await _answered(desk, links, request, sent.asked, name, "blend", sent)

    @router.post("/v1/images/diffs", summary="n images on the way from an image to what a prompt says (text diff)")
    async def diffs(request: Request) -> Response:
        sent = await _form(request, desk)
        name = desk.check(sent.asked)
        return await _answered(desk, links, request, sent.asked, name, "diff", sent)

    @router.get("/files/{name}", include_in_schema=False)
    async def file(name: str) -> Response:
        found = links.get(name.partition(".")[0])
        if found is None:
            raise APIError(404, "no such image: its address has expired, or never was", code="not_found")
        headers = {"Cache-Control": "private, max-age=3600", "X-Content-Type-Options": "nosniff"}
        return Response(found[1], media_type=found[0], headers=headers)

    return router


async def _answered(
    desk: Desk, links: Links, request: Request, asked: ImageRequest, name: str, verb: str, sent: Uploaded
) -> Response:
    inbox, count = Inbox(), asked.partial_images if asked.stream and verb == "generate" else 0
    try:
        settings = asked.settings
    except ValueError as error:
        raise APIError(400, str(error), code="invalid_value") from error
    task = Task(
        asked.prompt, asked.n, asked.first_seed, settings, sent.images, sent.mask, asked.before, inbox.previews(count)
    )
    client = f"{request.client.host if request.client else ''} {asked.user[:100]}"
    job = desk.job(name, asked, task, verb, client)
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
        try:
            asked = ImageRequest.model_validate(words)
        except ValidationError as error:
            raise of_validation(error) from error
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
