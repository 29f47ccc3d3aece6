"""GET /page/about.json: what a form needs to know of the models and the limits."""

from typing import Any

from fastapi import APIRouter

from unclip.diffusion.samplers.named import NAMES
from unclip.generation.base import ImageModel
from unclip.generation.settings import noted
from unclip.generation.text_to_image import TextToImage
from unclip.serving.api.desk import Desk


def routes(desk: Desk) -> APIRouter:
    """The route."""
    router = APIRouter()

    @router.get("/page/about.json", include_in_schema=False)
    async def about() -> dict[str, Any]:
        held = {name: desk.library.models[name] for name in desk.library.held}
        models = [{"name": name, **(described(held[name]) if name in held else {})} for name in desk.library.names]
        limits = {"prompt": desk.options.prompt, "n": desk.options.n, "upload": desk.options.upload}
        return {"models": models, "samplers": list(NAMES), "limits": limits}

    return router


def described(model: ImageModel) -> dict[str, Any]:
    """What a form begins with."""
    how = model.sampling
    sizes = [model.size, *(e.size for e in model.enlargers)] if isinstance(model, TextToImage) else [model.size]
    guidance = noted(how.guidance)
    return {
        "size": sizes[-1],
        "steps": how.steps,
        "guidance": guidance if isinstance(guidance, int | float) else None,
        "edits": isinstance(model, TextToImage),
    }
