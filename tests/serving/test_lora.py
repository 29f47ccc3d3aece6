"""Small weights beside a served run: a model of its own name."""

import base64
import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.fakes import draw
from tests.serving.conftest import Live, Serve

import unclip
from unclip.models.decoder import Decoder
from unclip.nn.lora import adapt, small_of
from unclip.runs.lora import write_lora


@pytest.fixture
def style(run: Path, tmp_path: Path) -> Path:
    """Small weights for the run's decoder that change what it draws."""
    decoder = unclip.load_stage(run, "decoder", Decoder).requires_grad_(True)  # it is read frozen
    adapt(decoder, 2)
    small = {name: draw(*value.shape, key=i) for i, (name, value) in enumerate(small_of(decoder.state_dict()).items())}
    write_lora(tmp_path / "style" / "lora" / "decoder", small, 2, str(run), "")
    return tmp_path / "style"


def drawn(live: Live, model: str) -> np.ndarray:
    answer = live.draw(model=model, seed=7, num_inference_steps=4)
    assert answer.status_code == 200, answer.text
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(answer.json()["data"][0]["b64_json"]))))


def test_a_run_with_small_weights_is_a_further_model(serve: Serve, run: Path, style: Path) -> None:
    half = unclip.Lora(style, 0.5)
    live = serve(beside=(half,))
    assert [model["id"] for model in live.ask("GET", "/v1/models").json()["data"]][:2] == ["mine", "style"]
    assert live.ask("GET", "/watch/runs").json() == ["mine"]
    settings = unclip.Settings(steps=4)
    [own], [laid] = (
        unclip.load(run, lora=lora).generate(["a red circle"], seed=7, settings=settings) for lora in (None, half)
    )
    assert np.array_equal(drawn(live, "mine"), np.asarray(own))
    assert np.array_equal(drawn(live, "style"), np.asarray(laid))
    assert not np.array_equal(np.asarray(own), np.asarray(laid))


def test_what_cannot_be_is_told_at_the_start(serve: Serve, style: Path) -> None:
    (style / "lora" / "decoder").rename(style / "lora" / "ddpm")
    with pytest.raises(ValueError, match="small weights for a ddpm, and this model has none"):
        serve(beside=(unclip.Lora(style),))
    (style / "lora" / "ddpm").rename(style / "lora" / "decoder")
    with pytest.raises(ValueError, match="two models are called style; rename one of the folders"):
        serve(beside=(unclip.Lora(style), unclip.Lora(style / "lora")))
