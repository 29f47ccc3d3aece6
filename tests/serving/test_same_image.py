"""One seed is one image, whoever asks: the command line, Python, a server alone and one that draws others beside it."""

import base64
import io
import threading
from pathlib import Path

import numpy as np
from PIL import Image
from tests.cli.conftest import Call, call
from tests.serving.conftest import Live, Serve

import unclip

__all__ = ["call"]
ASKED = {"prompt": "a red circle", "seed": 7, "num_inference_steps": 12}


def pixels(live: Live, **more: object) -> list[np.ndarray]:
    answer = live.draw(**ASKED, **more)
    assert answer.status_code == 200, answer.text
    found = [Image.open(io.BytesIO(base64.b64decode(each["b64_json"]))) for each in answer.json()["data"]]
    assert all('"prompt": "a red circle"' in image.info["unclip"] for image in found)
    return [np.asarray(image) for image in found]


def test_the_same_image_everywhere(serve: Serve, run: Path, call: Call, tmp_path: Path):
    live = serve()
    [alone] = pixels(live)
    [python] = unclip.load(run).generate(["a red circle"], seed=7, settings=unclip.Settings(steps=12))
    assert call("generate", "a red circle", "--run", run, "--seed", 7, "--steps", 12, "--out", tmp_path).code == 0
    assert np.array_equal(alone, np.asarray(python))
    assert np.array_equal(alone, np.asarray(Image.open(tmp_path / "a-red-circle-7.png")))
    assert np.array_equal(alone, pixels(live, n=3)[0])


def test_the_same_image_in_a_batch_of_others(serve: Serve):
    live = serve(slots=12)
    [alone] = pixels(live)
    others = [
        threading.Thread(target=live.draw, kwargs={"n": 2, "num_inference_steps": 30, "guidance_scale": scale})
        for scale in (1, 3, 5)
    ]
    for each in others:
        each.start()
    found: list[np.ndarray] = []
    while any(each.is_alive() for each in others):
        found += pixels(live)
    sizes = live.server.desk.engine.sizes
    assert max(sizes) > 2 and all(np.array_equal(alone, each) for each in found)
