"""`unclip add inpaint`: it starts as the run's decoder, can be stopped, is judged, and the run then edits with it."""

import threading
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from tests.short import events, short

import unclip
from unclip.core.disk import store
from unclip.data.shapes.world import World
from unclip.generation.settings import Settings
from unclip.images.files import KEY
from unclip.recipes.add import add_stage, with_stage
from unclip.recipes.events import Gate, Progress
from unclip.recipes.settings.run import RunConfig, retrained
from unclip.recipes.stages import InpaintRecipe
from unclip.recipes.stages.base import build
from unclip.runs.folder import RunFolder
from unclip.runs.modules import model_hash

HALF = Image.fromarray(np.where(np.arange(32)[None] < 16, 0, 255).repeat(32, 0).astype(np.uint8))


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run that learned next to nothing."""
    folder = tmp_path_factory.mktemp("inpaint") / "run"
    list(events(folder, short(2)))
    return folder


def config(run: Path, steps: int) -> RunConfig:
    made = with_stage(run, "inpaint")
    return made.using(inpaint=retrained(made.of(InpaintRecipe), steps=steps, batch=4))


def test_it_is_trained_judged_kept_and_used(run: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("unclip.recipes.stages.inpaint.PICTURES", 8)
    before = model_hash(RunFolder(run))
    picture = Image.fromarray(next(World(32).sample(1))[0])
    assert unclip.edit(unclip.load(run), picture, HALF, settings=Settings(steps=2))[0].info[KEY]["made"]["options"][
        "method"
    ] == "repaint"  # fmt: skip
    for event in add_stage(run, "inpaint", config(run, 6), threading.Event()):
        if isinstance(event, Progress) and event.report.step == 3:
            break  # killed: the checkpoint is that of step 2
    events = list(add_stage(run, "inpaint", config(run, 6), threading.Event()))
    assert [e.report.step for e in events if isinstance(e, Progress)] == [3, 4, 5, 6]
    [gate] = [e for e in events if isinstance(e, Gate)]
    assert gate.metrics["kept"] < 1e-5
    assert {"model", "base", "mean", "gap", "error", "seam", "seam_real"} <= set(gate.metrics)
    assert "error in holes" in gate.why and "of the decoder" in gate.why
    assert sorted(p.name for p in (run / "samples").glob("inpaint-*.png"))
    model = unclip.load(run)
    assert model.inpainter is not None and model.hash == before == model_hash(RunFolder(run))
    [after] = unclip.edit(model, picture, HALF, "a red circle", settings=Settings(steps=2))
    assert after.info[KEY]["made"]["options"]["method"] == "model"
    assert after.info[KEY]["stages"] == {n: store.load(run / n).sha256[:12] for n in ("clip", "prior", "inpaint")}
    with pytest.raises(ValueError, match="no early weights of its inpainting stage; .* method repaint"):
        unclip.edit(model, picture, HALF, settings=Settings(steps=2, form="auto"))
    [auto] = unclip.edit(model, picture, HALF, method="repaint", settings=Settings(steps=2, form="auto"))
    assert list(auto.info[KEY]["stages"]) == ["clip", "decoder", "early/decoder"]  # no prompt, so no prior
    assert [p.name for p in (run / "early").iterdir()] == ["decoder"]
    assert np.array_equal(np.asarray(after)[:, :16], np.asarray(picture)[:, :16])


def test_it_starts_as_the_run_s_decoder(run: Path):
    from unclip.core import machine
    from unclip.data.prepare.write import load_prepared
    from unclip.recipes.context import Context

    folder = RunFolder(run)
    ctx = Context(folder, config(run, 1), load_prepared(folder.data), machine.device(), "float32")
    made = build(ctx, "inpaint")
    decoder = store.load(run / "decoder").tensors
    own = {name.removeprefix("decoder."): value for name, value in made.module.state_dict().items()}
    for name, value in decoder.items():
        same = own[name] if own[name].shape == value.shape else own[name][:, : value.shape[1]]
        assert torch.equal(same, value), name
        assert own[name].shape == value.shape or not own[name][:, value.shape[1] :].any()
    assert all(p.requires_grad for p in made.module.parameters())
