from pathlib import Path

import torch
from tests.cli.conftest import Call

from unclip.core.disk import store
from unclip.recipes.settings.run import RunConfig, write_settings
from unclip.runs.folder import RunFolder


def test_an_unfinished_run(call: Call, tmp_path: Path):
    run = RunFolder(tmp_path / "run")
    write_settings(run.settings, RunConfig(seed=11))
    run.finish("data", {"passed": True, "why": "60 pairs", "metrics": {"pairs": 60}})
    run.finish("tokenizer", {"passed": True, "why": "350 tokens", "metrics": {}})
    metrics = {"parameters": 2336002, "steps": 1200, "seconds": 95.0, "r1": 0.25}
    run.finish("clip", {"passed": False, "why": "R@1 [low]", "metrics": metrics})
    done = call("info", run.root)
    assert done.code == 0, done.err
    assert "the stage 'prior' is missing" in done.out
    for words in ("2,336,002", "1,200", "1m35s", "failed", "R@1 [low]", "seed 11", "run.toml", "gone"):
        assert words in " ".join(done.out.split())
    assert "early weights" not in done.out and "can be added" not in done.out


def test_stages_that_were_begun_and_that_could_be_added(call: Call, tmp_path: Path):
    run = RunFolder(tmp_path / "run")
    write_settings(run.settings, RunConfig(added=("inpaint", "noisy_clip")))
    for stage in ("tokenizer", "clip", "prior", "decoder", "noisy_clip"):
        run.finish(stage, {"passed": True, "why": "", "metrics": {}})
        if stage != "tokenizer":
            store.save(run.root / stage, stage, {"of": {"kind": "Plain"}}, {"w": torch.ones(3)}, {"steps": 7})
    told = " ".join(call("info", run.root).out.split())
    assert "early weights of decoder, for --guidance-form auto: none" in told
    assert f"inpaint: begun, not finished; `unclip add inpaint --run {run.root}` goes on" in told
    assert "can be added: autoregressive_prior, contrastive_prior, distilled, upsampler" in told
    run.finish("upsampler", {"passed": True, "why": "", "metrics": {}})
    told = " ".join(call("info", run.root).out.split())
    assert "can be added: autoregressive_prior, contrastive_prior, distilled, inpaint_upsampler, upsampler2" in told
    told = call("info", run.root / "clip").out
    assert "3 numbers" in told and "steps 7" in told and "of        Plain" in told
    (run.root / "clip" / store.WEIGHTS).write_bytes(b"cut")
    done = call("info", run.root / "clip")
    assert done.code == 2 and "damaged" in done.err
