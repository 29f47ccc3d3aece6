"""The bodies that clients send, checked; JSON and the strings of a form alike."""

import re
import secrets
from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from unclip.diffusion.samplers import DDIM
from unclip.generation.settings import Settings
from unclip.serving.pictures import Encoding

SIZE = re.compile(r"(\d{1,5})[xX](\d{1,5})")
WHOLE = 2**53 - 1
"""The largest seed: beyond it, JavaScript's numbers lose digits."""


class ImageRequest(BaseModel):
    """What all three routes take. Fields of OpenAI's that mean nothing here are ignored, as are unknown ones."""

    model_config = ConfigDict(extra="ignore")

    prompt: str = ""
    model: str | None = None
    n: Annotated[int, Field(ge=1)] = 1
    size: str | None = None
    response_format: Literal["b64_json", "url"] = "b64_json"
    output_format: Literal["png", "jpeg", "webp"] = "png"
    output_compression: Annotated[int, Field(ge=0, le=100)] = 100
    stream: bool = False
    partial_images: Annotated[int, Field(ge=0, le=3)] = 0
    user: str = ""
    seed: Annotated[int, Field(ge=-1, le=WHOLE)] = -1
    num_inference_steps: Annotated[int, Field(ge=1, le=1000)] | None = None
    guidance_scale: Annotated[float, Field(ge=0, le=100, allow_inf_nan=False)] | None = None
    negative_prompt: str | None = None
    sampler: Annotated[str, Field(max_length=60)] | None = None
    before: str = ""
    eta: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)] | None = None

    @model_validator(mode="before")
    @classmethod
    def _left_out(cls, data: object) -> object:
        """null, and "" or "auto" where a word is chosen, mean what leaving it out means."""
        if not isinstance(data, Mapping):
            return data
        words = {name: value for name, value in data.items() if value is not None}
        return {
            name: value for name, value in words.items() if name in ("prompt", "before") or value not in ("", "auto")
        }

    @field_validator("size")
    @classmethod
    def _is_size(cls, value: str | None) -> str | None:
        if value is not None and not SIZE.fullmatch(value):
            raise ValueError("expected WIDTHxHEIGHT in pixels, as 64x64, or auto")
        return value

    @model_validator(mode="after")
    def _fits(self) -> "ImageRequest":
        if self.eta is not None and self.sampler not in (None, "ddim"):
            raise ValueError(f"eta = {self.eta:g}: goes with the sampler ddim, not with {self.sampler}")
        return self

    @field_validator("prompt", "negative_prompt", "before")
    @classmethod
    def _is_text(cls, value: str | None) -> str | None:
        if value is not None:
            try:
                value.encode()
            except UnicodeEncodeError:
                raise ValueError("holds half a character (a lone surrogate)") from None
        return value

    @property
    def side(self) -> tuple[int, int] | None:
        """(width, height) that was asked for."""
        found = SIZE.fullmatch(self.size or "")
        return (int(found[1]), int(found[2])) if found else None

    @property
    def encoding(self) -> Encoding:
        """How the answer is written."""
        return Encoding(self.output_format, self.output_compression, self.side)

    @property
    def first_seed(self) -> int:
        """The seed, or one by chance."""
        return self.seed if self.seed >= 0 else secrets.randbelow(2**31)

    @property
    def settings(self) -> Settings:
        """How to draw."""
        how = DDIM(self.eta) if self.eta is not None else self.sampler
        return Settings(
            steps=self.num_inference_steps,
            guidance=self.guidance_scale,
            sampler=how,
            negative=self.negative_prompt or None,
        )


class A1111Request(BaseModel):
    """The body of /sdapi/v1/txt2img, as far as it means something here."""

    model_config = ConfigDict(extra="ignore")

    prompt: str = ""
    negative_prompt: str = ""
    batch_size: Annotated[int, Field(ge=1)] = 1
    n_iter: Annotated[int, Field(ge=1)] = 1
    width: Annotated[int, Field(ge=1, le=4096)] | None = None
    height: Annotated[int, Field(ge=1, le=4096)] | None = None
    steps: Annotated[int, Field(ge=1, le=1000)] | None = None
    cfg_scale: Annotated[float, Field(ge=0, le=100, allow_inf_nan=False)] | None = None
    seed: Annotated[int, Field(ge=-1, le=WHOLE)] = -1

    def as_images(self) -> ImageRequest:
        """The same request to the Images API."""
        said = {
            "prompt": self.prompt,
            "negative_prompt": self.negative_prompt,
            "n": self.batch_size * self.n_iter,
            "size": f"{self.width}x{self.height}" if self.width and self.height else None,
            "num_inference_steps": self.steps,
            "guidance_scale": self.cfg_scale,
            "seed": self.seed,
        }
        return ImageRequest.model_validate(said)
