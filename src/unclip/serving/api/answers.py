"""The bodies of answers, as OpenAI's clients read them; beside that the seeds, the model, and the size as drawn."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from PIL import Image

from unclip.images.files import KEY
from unclip.serving.api.desk import Drawn
from unclip.serving.api.fields import ImageRequest
from unclip.serving.links import Links
from unclip.serving.pictures import Encoding

CELL = 8
"""An image counts as a token for each square of so many pixels, as it was drawn."""


@dataclass(frozen=True)
class Answers:
    """links: keeps what is fetched by its address; address: from a link's token to a URL."""

    links: Links
    address: Callable[[str], str]

    async def images(self, asked: ImageRequest, drawn: Drawn, uploads: int = 0) -> dict[str, Any]:
        """The whole answer."""
        data = [await self._item(asked, image) for image in drawn.images]
        return {"created": int(time.time()), "data": data, **facts(asked, drawn), "usage": usage(drawn, uploads)}

    async def _item(self, asked: ImageRequest, image: Image.Image) -> dict[str, Any]:
        if asked.response_format == "b64_json":
            said = {"b64_json": await asyncio.to_thread(asked.encoding.base64, image)}
        else:
            data = await asyncio.to_thread(asked.encoding.bytes, image)
            token = self.links.add(f"image/{asked.output_format}", data)
            said = {"url": self.address(f"{token}.{asked.output_format}")}
        return {**said, "seed": image.info[KEY]["seed"]}


def facts(asked: ImageRequest, drawn: Drawn) -> dict[str, Any]:
    """What an answer says of its images. size: of the file; native_size: as the model drew it."""
    first = drawn.images[0]
    native = f"{first.width}x{first.height}"
    file = of_file(asked.encoding, first)
    return {"model": drawn.model, "native_size": native, **file, "warnings": drawn.warnings}


def of_file(encoding: Encoding, image: Image.Image) -> dict[str, str]:
    """What is said of an image as it is written."""
    width, height = encoding.side or image.size
    size = f"{width}x{height}"
    return {"size": size, "output_format": encoding.format, "quality": "auto", "background": "opaque"}


def usage(drawn: Drawn, uploads: int = 0) -> dict[str, Any]:
    """Tokens of the prompt, and of the images in and out."""
    given, made = uploads * cells(drawn.native), len(drawn.images) * cells(drawn.native)
    details = {"text_tokens": drawn.tokens, "image_tokens": given}
    total = drawn.tokens + given
    return {"input_tokens": total, "input_tokens_details": details, "output_tokens": made, "total_tokens": total + made}


def cells(side: int) -> int:
    """What an image of this side counts as."""
    return max(1, side // CELL) ** 2


def preview(encoding: Encoding, image: Image.Image, index: int, number: int) -> dict[str, Any]:
    """The body of a partial image's event: `index` counts the previews, `number` the images of the request."""
    return {
        "b64_json": encoding.base64(image),
        "partial_image_index": index,
        "image_index": number,
        "created_at": int(time.time()),
        **of_file(encoding, image),
    }
