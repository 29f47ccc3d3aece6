"""Networks as ONNX graphs: onnxruntime computes what torch does, and draws for a run that has them."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from tests.cli.conftest import Call
from tests.fakes import draw
from tests.short import finished

import unclip
from unclip.core.condition import Condition
from unclip.core.disk import store
from unclip.runs.exported import network_of

onnx = pytest.importorskip("onnx")
ort = pytest.importorskip("onnxruntime")
pytest.importorskip("onnxscript")
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run that has its graphs."""
    return finished(tmp_path_factory.mktemp("onnx") / "run")


@pytest.fixture(scope="module")
def exported(run: Path) -> Path:
    """Its graphs; written by a process of its own, for torch cannot trace through the checks of shapes of the tests."""
    words = [sys.executable, "-m", "unclip", "export", str(run), "--to", "onnx", "--out", str(run / "onnx")]
    done = subprocess.run(words, capture_output=True, text=True, timeout=900, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    told = done.stdout.replace("\n", " ")
    assert "prior" in told and "decoder" in told and "times as fast" in told and "pictures differ by" in told
    return run / "onnx"


def pictures(model: unclip.TextToImage, prompts: list[str]) -> torch.Tensor:
    return model.sample_images(prompts, range(len(prompts)), unclip.Settings(steps=4))


def test_they_draw_for_the_run(run: Path, exported: Path, call: Call, tmp_path: Path) -> None:
    fast, plain = (unclip.load(run, kind=unclip.TextToImage) for _ in range(2))
    assert sorted(fast.stages.graphs) == ["decoder", "prior"]
    for module, _ in plain.stages.named().values():
        if (network := network_of(module)) is not None:
            del network.forward
    for prompts in (["a red circle"], ["a large blue square and a small red circle", "a circle", "a red circle"]):
        assert (pictures(fast, prompts) - pictures(plain, prompts)).abs().max() < 1e-3
    assert fast.hash == plain.hash and fast.generate(["a red circle"])[0].info["unclip"]["graphs"] == [
        "prior",
        "decoder",
    ]
    assert call("generate", "a red circle", "--run", run, "--out", tmp_path, "--steps", 2).code == 0


def test_a_graph_is_a_whole_file_that_onnxruntime_alone_computes(run: Path, exported: Path) -> None:
    file = exported / "decoder.onnx"
    onnx.checker.check_model(str(file), full_check=True)
    assert str(Path(unclip.__file__).parent).encode() not in file.read_bytes()
    session = ort.InferenceSession(str(file), providers=["CPUExecutionProvider"])
    model = unclip.load(run, kind=unclip.TextToImage)
    assert model.decoder is not None
    prompts = ["a circle", "a large red square", "a circle"]
    ids, mask = model.tokenizer(prompts)
    cond, _ = model.decoder.conditions(model.embed_prompts(prompts, [0, 1, 2]), ids, mask)
    x, level = draw(3, *model.decoder.shape), torch.tensor([-2.0, 0.0, 2.0])
    network = network_of(model.decoder)
    assert network is not None
    del network.forward
    given = {"x": x, "log_snr": level, "vector": cond.vector, "tokens": cond.tokens, "mask": cond.mask}
    [found] = session.run(None, {name: value.numpy() for name, value in given.items() if value is not None})
    with torch.no_grad():
        assert (torch.from_numpy(found) - network(x, level, cond)).abs().max() < 1e-4


def test_what_it_was_not_written_for_torch_computes(run: Path, exported: Path) -> None:
    model = unclip.load(run, kind=unclip.TextToImage)
    network = network_of(model.decoder) if model.decoder else None
    assert network is not None and model.decoder is not None
    x = draw(1, *model.decoder.shape).requires_grad_()
    config = model.decoder.config.network
    cond = Condition(
        vector=torch.zeros(1, config.vector_width), tokens=torch.zeros(1, 5, config.token_width)
    )  # no mask
    out = network(x, torch.zeros(1), cond)
    assert out.requires_grad


def test_of_other_weights_or_damaged(run: Path, exported: Path) -> None:
    head, file = exported / "onnx.json", exported / "decoder.onnx"
    about, weights = head.read_text(encoding="utf-8"), file.read_bytes()
    try:
        table = json.loads(about)
        assert table["stages"]["decoder"]["identity"] == store.identity(run / "decoder")
        table["stages"]["decoder"]["identity"] = "another"
        head.write_text(json.dumps(table), encoding="utf-8")
        assert unclip.load(run).stages.graphs == ["prior"]
        head.write_text(about, encoding="utf-8")
        file.write_bytes(weights[:-1])
        with pytest.raises(ValueError, match=r"decoder.onnx: damaged or gone .*delete"):
            unclip.load(run)
    finally:
        head.write_text(about, encoding="utf-8")
        file.write_bytes(weights)


def test_what_does_not_denoise_is_refused(call: Call, run: Path, tmp_path: Path) -> None:
    done = call("export", run, "--to", "onnx", "--class", "x", "--out", tmp_path / "out")
    assert done.code == 2 and "a graph is told its class with each image" in done.err
