"""Snippets for dall-e-2, unchanged but for base_url, by the real client."""

import asyncio
import base64
import io
from pathlib import Path

import httpx
import openai
import pytest
from PIL import Image
from tests.serving.conftest import Live

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


@pytest.fixture
def client(live: Live) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{live.base}/v1", api_key="any", max_retries=0)


def opened(found: object) -> Image.Image:
    assert isinstance(found, str)
    return Image.open(io.BytesIO(base64.b64decode(found)))


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    Image.new("RGB", (64, 64), "red").save(tmp_path / "picture.png")
    hole = Image.new("RGBA", (64, 64), "red")
    hole.paste((0, 0, 0, 0), (8, 8, 40, 40))
    hole.save(tmp_path / "mask.png")
    return tmp_path / "picture.png"


def test_generate(client: openai.OpenAI):
    answer = client.images.generate(model="dall-e-2", prompt="a red circle", n=2, size="256x256")
    assert answer.data is not None and answer.size == "256x256" and answer.usage is not None
    assert [opened(each.b64_json).size for each in answer.data] == [(256, 256)] * 2
    assert answer.usage.total_tokens == answer.usage.input_tokens + answer.usage.output_tokens > 0


def test_an_address_is_fetched(client: openai.OpenAI):
    answer = client.images.generate(model="dall-e-3", prompt="a red circle", response_format="url")
    assert answer.data is not None and answer.data[0].url is not None and answer.data[0].b64_json is None
    got = httpx.get(answer.data[0].url)
    assert got.headers["content-type"] == "image/png" and Image.open(io.BytesIO(got.content)).size == (32, 32)
    assert httpx.get(answer.data[0].url[:-9] + "x.png").json()["error"]["code"] == "not_found"


def test_a_variation(client: openai.OpenAI, picture: Path):
    with picture.open("rb") as file:
        answer = client.images.create_variation(model="dall-e-2", image=file, n=2, size="1024x1024")
    assert answer.data is not None and opened(answer.data[1].b64_json).size == (1024, 1024)


def test_an_edit_keeps_what_the_mask_does_not_free(client: openai.OpenAI, picture: Path):
    with picture.open("rb") as file, (picture.parent / "mask.png").open("rb") as mask:
        answer = client.images.edit(model="dall-e-2", image=file, mask=mask, prompt="a blue square", n=1)
    assert answer.data is not None
    edited = opened(answer.data[0].b64_json).convert("RGB")
    assert edited.size == (64, 64)
    assert edited.getpixel((60, 60)) == (255, 0, 0) and edited.getpixel((20, 20)) != (255, 0, 0)


def test_an_edit_without_a_mask_follows_the_words(client: openai.OpenAI, picture: Path):
    answer = client.images.edit(model="gpt-image-1", image=[picture], prompt="a blue square", n=2)
    assert answer.data is not None and len(answer.data) == 2


def test_streams_show_images_out_of_the_noise(client: openai.OpenAI):
    stream = client.images.generate(
        model="gpt-image-1", prompt="a red circle", stream=True, partial_images=3, extra_body={"num_inference_steps": 8}
    )
    events = list(stream)
    assert [event.type for event in events] == ["image_generation.partial_image"] * 3 + ["image_generation.completed"]
    assert [getattr(event, "partial_image_index", None) for event in events] == [0, 1, 2, None]
    assert len({event.b64_json for event in events}) == 4


def test_an_edit_streams_its_end(client: openai.OpenAI, picture: Path):
    events = list(client.images.edit(model="gpt-image-1", image=picture, prompt="a blue square", stream=True))
    assert [event.type for event in events] == ["image_edit.completed"] and opened(events[0].b64_json).size == (32, 32)


def test_the_asynchronous_client(live: Live):
    async def ask() -> list[int]:
        async with openai.AsyncOpenAI(base_url=f"{live.base}/v1", api_key="any", max_retries=0) as client:
            asked = [client.images.generate(prompt="a red circle", extra_body={"seed": i}) for i in range(3)]
            answers = await asyncio.gather(*asked)
        return [answer.data[0].model_dump()["seed"] for answer in answers if answer.data]

    assert asyncio.run(ask()) == [0, 1, 2]


def test_models(client: openai.OpenAI):
    assert [model.id for model in client.models.list().data] == ["mine"]
    assert client.models.retrieve("dall-e-2").id == "dall-e-2"
    with pytest.raises(openai.NotFoundError, match="does not exist"):
        client.models.retrieve("other")


@pytest.mark.parametrize(
    ("said", "param"),
    [
        ({"n": 0}, "n"),
        ({"n": 11}, "n"),
        ({"prompt": "  "}, "prompt"),
        ({"prompt": "x" * 1001}, "prompt"),
        ({"size": "large"}, "size"),
        ({"size": "0x64"}, "size"),
        ({"size": "99999x99999"}, "size"),
        ({"output_format": "svg"}, "output_format"),
        ({"stream": True, "partial_images": 4}, "partial_images"),
        ({"extra_body": {"sampler": "none"}}, "sampler"),
        ({"extra_body": {"num_inference_steps": 0}}, "num_inference_steps"),
        ({"extra_body": {"eta": 2}}, "eta"),
    ],
)
def test_what_cannot_be_is_said_in_openais_shape(client: openai.OpenAI, said: dict[str, object], param: str):
    with pytest.raises(openai.BadRequestError) as error:
        client.images.generate(**{"prompt": "a red circle", **said})  # pyright: ignore
    assert error.value.param == param and error.value.type == "invalid_request_error"
    assert isinstance(error.value.body, dict) and set(error.value.body) == {"message", "type", "param", "code"}


def test_an_unknown_model(client: openai.OpenAI):
    with pytest.raises(openai.NotFoundError, match="served: mine") as error:
        client.images.generate(prompt="a red circle", model="stable-diffusion")
    assert error.value.code == "model_not_found"
