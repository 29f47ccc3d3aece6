"""The bodies that other clients send, as read in their sources (docs/serve.md), and what each reads of the answer."""

import io

import pytest
from PIL import Image
from tests.serving.conftest import Live


def png(size: int = 64) -> bytes:
    data = io.BytesIO()
    Image.new("RGB", (size, size), "blue").save(data, "PNG")
    return data.getvalue()


JSON = {"Content-Type": "application/json"}
BODIES = {
    "Open WebUI": {"model": "dall-e-2", "prompt": "a", "n": 1, "size": "512x512", "response_format": "b64_json"},
    "Open WebUI, no size": {"model": "dall-e-2", "prompt": "a", "n": 1, "response_format": "b64_json"},
    "LibreChat": {
        "model": "gpt-image-1",
        "prompt": "a",
        "n": 1,
        "background": "auto",
        "output_format": "png",
        "output_compression": 100,
        "quality": "auto",
        "size": "auto",
    },
    "n8n": {
        "prompt": "a",
        "model": "dall-e-3",
        "response_format": "b64_json",
        "n": 1,
        "size": "1024x1024",
        "quality": "hd",
        "style": "vivid",
    },
    "Nextcloud": {"prompt": "a", "size": "1024x1024", "n": 2, "model": "gpt-image-1-mini"},
    "hard-coded": {"model": "gpt-image-1", "prompt": "a"},
    "LiteLLM": {
        "model": "mine",
        "prompt": "a",
        "n": 1,
        "user": "someone",
        "safety_identifier": "x",
        "moderation": "low",
    },
    "all null": {"prompt": "a", "n": None, "size": None, "quality": None, "stream": None, "seed": None},
}


@pytest.mark.parametrize("name", BODIES)
def test_generations(live: Live, name: str):
    answer = live.ask("POST", "/v1/images/generations", json=BODIES[name])
    assert answer.status_code == 200, answer.text
    found = answer.json()
    assert len(found["data"]) == (BODIES[name].get("n") or 1) and all(each["b64_json"] for each in found["data"])
    assert isinstance(found["created"], int)


def test_open_webui_edits_with_a_list_and_no_mask(live: Live):
    words = {"model": "dall-e-2", "prompt": "a red circle", "n": "1", "response_format": "b64_json"}
    files = [("image[]", ("a.png", png(), "image/png")), ("image[]", ("b.png", png(), "image/png"))]
    assert live.ask("POST", "/v1/images/edits", data=words, files=files).json()["data"][0]["b64_json"]


def test_n8n_sends_strings(live: Live):
    words = {"prompt": "a", "n": "2", "size": "64x64", "stream": "false", "output_compression": "80", "quality": "hd"}
    files = {"image": ("a.png", png(), "image/png"), "mask": ("m.png", png(), "image/png")}
    answer = live.ask("POST", "/v1/images/edits", data={**words, "output_format": "webp"}, files=files)
    assert answer.status_code == 400 and "nothing is to be painted" in answer.json()["error"]["message"]
    answer = live.ask("POST", "/v1/images/variations", data=words, files={"image": ("a.png", png(), "image/png")})
    assert len(answer.json()["data"]) == 2


def test_nextcloud_reads_the_models(live: Live):
    assert live.ask("GET", "/v1/models").json()["data"][0]["id"] == "mine"


def test_open_webui_as_a1111(live: Live):
    assert live.ask("GET", "/sdapi/v1/options").json()["sd_model_checkpoint"] == "mine"
    assert live.ask("POST", "/sdapi/v1/options", json={"sd_model_checkpoint": "x"}).status_code == 200
    body = {"prompt": "a red circle", "batch_size": 2, "width": 64, "height": 64, "steps": 3, "negative_prompt": ""}
    found = live.ask("POST", "/sdapi/v1/txt2img", json=body).json()
    assert len(found["images"]) == 2 and '"all_seeds"' in found["info"]


def test_a_body_of_the_a1111_that_cannot_be(live: Live):
    answer = live.ask("POST", "/sdapi/v1/txt2img", content=b'{"prompt": "\\ud800"}', headers=JSON)
    assert answer.status_code == 400 and answer.json()["error"]["param"] == "prompt"


def test_blends_and_diffs(live: Live):
    two = [("image[]", ("a.png", png(), "image/png")), ("image[]", ("b.png", png(), "image/png"))]
    assert len(live.ask("POST", "/v1/images/blends", data={"n": "3"}, files=two).json()["data"]) == 3
    one = live.ask("POST", "/v1/images/blends", data={"n": "3"}, files=two[:1])
    assert one.status_code == 400 and "two images" in one.json()["error"]["message"]
    words = {"before": "a red circle", "prompt": "a blue square", "n": "3"}
    assert len(live.ask("POST", "/v1/images/diffs", data=words, files=two[:1]).json()["data"]) == 3


def test_words_that_no_caption_has_are_told(live: Live):
    assert "'zebra'" in live.draw(prompt="a red zebra").json()["warnings"][0]
    assert live.draw(prompt="a small red circle").json()["warnings"] == []
