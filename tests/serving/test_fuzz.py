"""Bodies that no client sends: whatever comes, the answer is a 2xx, or a 4xx in OpenAI's shape."""

import json
import os
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.serving.conftest import Live
from tests.serving.test_clients import png

NAMES = [
    "prompt", "model", "n", "size", "response_format", "output_format", "output_compression", "stream",
    "partial_images", "user", "seed", "num_inference_steps", "guidance_scale", "negative_prompt", "sampler", "eta",
]  # fmt: skip
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
PLAUSIBLE = st.fixed_dictionaries(
    {"prompt": st.text(max_size=30), "num_inference_steps": st.integers(-1, 3)},
    optional={
        "n": st.integers(-1, 3) | st.sampled_from(["1", "x", ""]),
        "size": st.sampled_from(["32x32", "auto", "1x1", "0x5", "64X32", "x", "-1x-1"]),
        "guidance_scale": st.floats(allow_nan=False, allow_infinity=False) | st.just("1e400"),
        "sampler": st.sampled_from(["ddim", "heun", "consistency", "", "none"]),
        "eta": st.floats(0, 1) | st.just(7),
        "seed": st.integers(),
        "stream": st.sampled_from([True, "true", "no", 3]),
        "output_format": st.sampled_from(["png", "jpeg", "webp", "gif"]),
        "response_format": st.sampled_from(["url", "b64_json", "b64"]),
    },
)
FEW = settings(
    max_examples=int(os.environ.get("UNCLIP_FUZZ", "60")), deadline=None, suppress_health_check=list(HealthCheck)
)


def check(answer: Any) -> None:
    assert answer.status_code < 500, answer.text
    if answer.status_code >= 400:
        assert set(answer.json()["error"]) == {"message", "type", "param", "code"}


@FEW
@given(body=PLAUSIBLE | st.dictionaries(st.sampled_from(NAMES), JSON, max_size=6) | JSON)
def test_json(live: Live, body: object):
    content = json.dumps(body).encode()
    check(live.ask("POST", "/v1/images/generations", content=content, headers={"Content-Type": "application/json"}))


@FEW
@given(
    words=st.dictionaries(st.sampled_from(NAMES), st.text(max_size=12).filter(lambda t: t.isprintable()), max_size=5),
    data=st.binary(max_size=40) | st.just(png(32)) | st.binary(max_size=9).map(lambda junk: png(32)[:-9] + junk),
    field=st.sampled_from(["image", "image[]", "mask", "other"]),
    route=st.sampled_from(["edits", "variations"]),
)
def test_forms(live: Live, words: dict[str, str], data: bytes, field: str, route: str):
    said = {"num_inference_steps": "2", **words}
    check(live.ask("POST", f"/v1/images/{route}", data=said, files={field: ("a.png", data, "image/png")}))


@FEW
@given(
    kind=st.sampled_from(["application/json", "multipart/form-data", "multipart/form-data; boundary=x", "text/plain"]),
    content=st.binary(max_size=200) | st.just(b'--x\r\nContent-Disposition: form-data; name="image"\r\n\r\nb\r\n--x--'),
    route=st.sampled_from(["generations", "edits", "variations"]),
    token=st.text(st.characters(codec="ascii", exclude_categories=["C"]), max_size=20),
)
def test_headers(live: Live, kind: str, content: bytes, route: str, token: str):
    headers = {"Content-Type": kind, "Authorization": token.strip(), "X-Forwarded-For": token.strip()}
    check(live.ask("POST", f"/v1/images/{route}", content=content, headers=headers))
