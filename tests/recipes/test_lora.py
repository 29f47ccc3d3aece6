"""`--from RUN --lora RANK`: a run is trained by small weights, which are a file of their own beside it."""

import json
import shutil
import threading
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from tests.recipes.test_start import SCENES, Renamed, begun, notes, train
from tests.short import STAGES, losses, short

import unclip
from unclip.core.disk import store
from unclip.data.shapes.world import World
from unclip.models.decoder import Decoder
from unclip.nn.lora import merged
from unclip.recipes.events import Progress
from unclip.recipes.run import train_stages
from unclip.recipes.settings.run import RunConfig, stored_config
from unclip.recipes.start.settings import settings_from
from unclip.runs.folder import RunFolder
from unclip.runs.lora import read_lora
from unclip.runs.modules import load_stage, model_hash

RANK = 2


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("lora") / "trained"
    train(World(32, scenes=SCENES), folder, short(2))
    return folder


def config(run: Path, steps: int = 3) -> RunConfig:
    small = settings_from(RunFolder(run), str(run), RANK)
    return replace(begun(run, steps), lora=RANK, vocabulary=small.vocabulary)


@pytest.fixture(scope="module")
def adapted(trained: Path) -> Path:
    out = trained.parent / "adapted"
    told = train(Renamed(), out, config(trained))
    assert "starts from the weights of" in notes(told)
    return out


def test_the_run_is_the_other_run_and_its_small_weights(trained: Path, adapted: Path) -> None:
    for name in STAGES:
        small = read_lora(adapted / "lora" / name)
        assert small.scale == 1.0 and any(bool(v.any()) for k, v in small.tensors.items() if "lora_B" in k)
        base, now = (store.load(folder / name).tensors for folder in (trained, adapted))
        both = merged(base, small.tensors)
        assert now.keys() == base.keys()
        for key, value in now.items():
            assert (value - both[key]).abs().max() <= 1e-6, key
        moved = {key for key, value in now.items() if not torch.equal(value, base[key])}
        assert moved and moved <= {f"{k.removesuffix('.lora_A.weight')}.weight" for k in small.tensors}
        size = (adapted / "lora" / name / "adapter_model.safetensors").stat().st_size
        assert size < 0.7 * (adapted / name / store.WEIGHTS).stat().st_size  # of networks that are tiny themselves
    assert (adapted / "tokenizer.json").read_bytes() == (trained / "tokenizer.json").read_bytes()


def test_beside_the_other_run_they_draw_what_the_run_draws(trained: Path, adapted: Path, tmp_path: Path) -> None:
    alone = shutil.copytree(adapted / "lora", tmp_path / "style")
    whole, beside = unclip.load(adapted), unclip.load(trained, lora=alone)
    assert beside.hash not in (whole.hash, model_hash(RunFolder(trained)))
    prompt, settings = ["zeppelin a red circle"], unclip.Settings()
    drawn = [m.sample_images(prompt, [3], settings) for m in (whole, beside, unclip.load(trained))]
    assert (drawn[0] - drawn[1]).abs().max() < 1e-4 < (drawn[0] - drawn[2]).abs().max()
    none = unclip.load(trained, lora=unclip.Lora(alone, 0.0)).sample_images(prompt, [3], settings)
    assert torch.equal(none, drawn[2])
    assert beside.generate(prompt)[0].info["unclip"]["lora"] == 1.0


def test_peft_reads_the_file(trained: Path, adapted: Path) -> None:
    peft = pytest.importorskip("peft")
    here = load_stage(adapted, "decoder", Decoder)
    base = load_stage(trained, "decoder", Decoder)
    theirs = peft.PeftModel.from_pretrained(base, str(adapted / "lora" / "decoder")).eval()
    whole = theirs.merge_and_unload().state_dict()
    for key, value in here.state_dict().items():
        assert (whole[key] - value).abs().max() < 1e-6, key


def test_what_peft_wrote_is_read(trained: Path, tmp_path: Path) -> None:
    peft = pytest.importorskip("peft")
    base = load_stage(trained, "decoder", Decoder)
    how = peft.LoraConfig(r=4, lora_alpha=8, target_modules=["qkv", "to_tokens"], init_lora_weights=False)
    theirs = peft.get_peft_model(base, how)
    theirs.save_pretrained(str(tmp_path / "style" / "decoder"))
    model = unclip.load(trained, kind=unclip.TextToImage, lora=tmp_path / "style")
    assert model.decoder is not None
    whole = theirs.merge_and_unload().state_dict()
    for key, value in model.decoder.state_dict().items():
        assert (whole[key] - value).abs().max() < 1e-6, key


def test_a_kill_costs_nothing(trained: Path, adapted: Path, tmp_path: Path) -> None:
    cut, stop = tmp_path / "cut", threading.Event()
    for event in train_stages(Renamed(), cut, config(trained), stop, force=True):
        if isinstance(event, Progress) and (event.stage, event.report.step) == ("prior", 1):
            stop.set()
    train(Renamed(), cut, stored_config(cut / "run.toml"))
    for name in STAGES:
        assert store.load(cut / name).sha256 == store.load(adapted / name).sha256
        assert losses(cut, name) == losses(adapted, name)


def test_it_is_trained_on_where_its_checkpoints_are_gone(trained: Path, adapted: Path, tmp_path: Path) -> None:
    run = shutil.copytree(adapted, tmp_path / "run")
    for name in STAGES:
        for place in RunFolder(run).checkpoint(name):
            shutil.rmtree(place, ignore_errors=True)
    told = list(train_stages(Renamed(), run, stored_config(run / "run.toml"), threading.Event(), True, 1.0))
    assert "goes on from its finished weights at step 3" in notes(told)
    for name in STAGES:
        both = merged(store.load(trained / name).tensors, read_lora(run / "lora" / name).tensors)
        now = store.load(run / name).tensors
        assert all((now[key] - value).abs().max() < 1e-6 for key, value in both.items())


def test_what_cannot_be(trained: Path, adapted: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="lora = 2: small weights stand beside trained ones; say whose: --from RUN"):
        replace(short(1), lora=2)
    with pytest.raises(ValueError, match="--lora 2: small weights stand beside trained ones"):
        unclip.Start(lora=2)
    with pytest.raises(ValueError, match="lora = 2: a vae is no network that denoises"):
        RunConfig(model="vae", size=32, start="x", lora=2)
    with pytest.raises(ValueError, match="holds no small weights"):
        unclip.load(trained, lora=trained)
    small = shutil.copytree(adapted / "lora", tmp_path / "lora")
    (small / "decoder").rename(small / "ddpm")
    with pytest.raises(ValueError, match="small weights for a ddpm, and this model has none"):
        unclip.load(trained, lora=small)
    (small / "ddpm").rename(small / "decoder")
    head = small / "decoder" / "adapter_config.json"
    table = json.loads(head.read_text(encoding="utf-8"))
    head.write_text(json.dumps(table | {"use_dora": True}), encoding="utf-8")
    with pytest.raises(ValueError, match="use_dora = True: unclip reads plain LoRA alone"):
        unclip.load(trained, lora=small)
    head.write_text(json.dumps(table), encoding="utf-8")
    shutil.copyfile(small / "clip" / "adapter_model.safetensors", small / "decoder" / "adapter_model.safetensors")
    with pytest.raises(ValueError, match="adapter_model.safetensors: made for another model"):
        unclip.load(trained, lora=small)
    (small / "decoder" / "adapter_model.safetensors").write_bytes(b"x")
    with pytest.raises(ValueError, match="no safetensors file"):
        unclip.load(trained, lora=small)
