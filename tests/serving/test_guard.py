import io
from pathlib import Path

import pytest
from PIL import Image
from tests.serving.conftest import Live, Serve
from tests.serving.test_clients import png


def code(answer: object) -> tuple[int, str | None]:
    return answer.status_code, answer.json()["error"]["code"]  # pyright: ignore


def test_a_key_is_wanted_where_one_is_set(serve: Serve):
    live = serve(api_key="sécret")
    assert code(live.draw()) == (401, "invalid_api_key")
    for wrong in ("Bearer other", "Basic x", "Bearer", ""):
        assert live.ask("GET", "/v1/models", headers={"Authorization": wrong}).status_code == 401
    right = {"Authorization": b"Bearer " + "sécret".encode()}
    assert live.ask("GET", "/v1/models", headers=right).status_code == 200
    assert live.ask("GET", "/metrics").status_code == 401
    assert live.ask("GET", "/healthz").status_code == 200 and live.ask("GET", "/readyz").status_code == 200


def test_other_hosts_and_other_pages_are_refused(serve: Serve):
    live = serve(hosts=("pictures.example",), cors=("https://good.example",))
    assert code(live.ask("GET", "/healthz", headers={"Host": "evil.example"})) == (403, "unknown_host")
    assert live.ask("GET", "/healthz", headers={"Host": "pictures.example:80"}).status_code == 200
    assert code(live.ask("GET", "/v1/models", headers={"Origin": "https://evil.example"})) == (403, "origin")
    allowed = live.ask("GET", "/v1/models", headers={"Origin": "https://good.example"})
    assert allowed.headers["access-control-allow-origin"] == "https://good.example"
    assert live.ask("GET", "/v1/models", headers={"Origin": live.base}).status_code == 200


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"", "empty"),
        (b"<svg/>", "SVG"),
        (b"nothing", "no image"),
        (png()[:60], "image"),
        (b"x" * 10_000_001, "10,000,000"),
    ],
)
def test_an_upload_that_is_no_image(live: Live, data: bytes, told: str):
    answer = live.ask("POST", "/v1/images/variations", files={"image": ("a.png", data, "image/png")})
    assert answer.status_code == 400 and answer.json()["error"]["param"] == "image"
    assert told in answer.json()["error"]["message"]


def test_formats_and_pixels(serve: Serve):
    live, data = serve(pixels=10_000), io.BytesIO()
    Image.new("RGB", (64, 64)).save(data, "GIF")
    told = live.ask("POST", "/v1/images/variations", files={"image": data.getvalue()}).json()["error"]["message"]
    assert "GIF" in told
    told = live.ask("POST", "/v1/images/variations", files={"image": png(101)}).json()["error"]["message"]
    assert "pixels" in told
    assert live.draw(size="101x101").json()["error"]["param"] == "size"


def test_bodies_that_are_none(live: Live):
    for content in (b"", b"{", b"[1]", b'"x"', b"null", b'{"prompt": 3}', b"\xff"):
        answer = live.ask(
            "POST", "/v1/images/generations", content=content, headers={"Content-Type": "application/json"}
        )
        assert answer.status_code == 400 and set(answer.json()["error"]) == {"message", "type", "param", "code"}, (
            content
        )
    assert live.ask("POST", "/v1/images/edits", content=b"x").json()["error"]["param"] == "image"
    assert live.ask("POST", "/v1/images/edits", data={"prompt": "a"}).json()["error"]["param"] == "image"
    assert live.ask("GET", "/nowhere").json()["error"]["code"] == "not_found"
    assert live.ask("GET", "/v1/images/edits").json()["error"]["code"] == "method_not_allowed"


def test_a_body_that_is_too_large_is_not_read(live: Live):
    content = b'{"prompt": "' + b"a" * 172_000_000 + b'"}'
    answer = live.ask("POST", "/v1/images/generations", content=content, headers={"Content-Type": "application/json"})
    assert code(answer) == (413, "too_large")


def test_own_names_only(serve: Serve):
    assert code(serve(strict=True).draw(model="dall-e-2")) == (404, "model_not_found")


def test_moderation(serve: Serve):
    live = serve(moderation="tests.serving.test_guard:no_cats")
    assert code(live.draw(prompt="a red cat")) == (400, "content_policy_violation")
    assert code(live.draw(prompt="a dog", negative_prompt="cat")) == (400, "content_policy_violation")
    assert live.draw(prompt="a red circle").status_code == 200
    answer = live.ask(
        "POST", "/v1/images/diffs", data={"prompt": "a dog", "before": "a cat"}, files={"image": ("a.png", png())}
    )
    assert code(answer) == (400, "content_policy_violation")


@pytest.mark.parametrize(
    ("where", "why"),
    [
        ("tests.serving.test_guard", "MODULE:FUNCTION, or the name of an entry point .*none is installed"),
        ("nothing.here:at_all", "--moderation nothing.here:at_all: does not import: ModuleNotFoundError"),
        ("tests.serving.test_guard:no_dogs", "does not import: AttributeError"),
    ],
)
def test_a_moderation_that_is_not_there(serve: Serve, where: str, why: str):
    with pytest.raises(ValueError, match=why):
        serve(moderation=where)


def test_a_moderation_by_the_entry_point_of_a_package(serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    package = tmp_path / "kind_words-1.0.dist-info"
    package.mkdir()
    (package / "METADATA").write_text("Metadata-Version: 2.1\nName: kind_words\nVersion: 1.0\n", encoding="utf-8")
    said = "[unclip.moderation]\nkind = tests.serving.test_guard:no_cats\n"
    (package / "entry_points.txt").write_text(said, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    assert code(serve(moderation="kind").draw(prompt="a cat")) == (400, "content_policy_violation")


def test_a_moderation_that_fails_lets_nothing_through(serve: Serve):
    answer = serve(moderation="tests.serving.test_guard:broken").draw(prompt="a dog")
    assert answer.status_code == 500 and answer.json()["error"]["type"] == "server_error"


def no_cats(prompt: str) -> str | None:
    return "no cats here" if "cat" in prompt else None


def broken(prompt: str) -> str | None:
    raise ConnectionError(f"cannot ask about {prompt}")


def test_figures_are_counted(live: Live):
    live.draw()
    text = live.ask("GET", "/metrics").text
    assert 'unclip_requests_total{route="/v1/images/generations",status="200"}' in text
    assert "unclip_images_waiting 0.0" in text
