from pathlib import Path

from tests.cli.conftest import Call

from unclip.pipeline.run_folder import RunFolder
from unclip.recipes.config import RunConfig, write_settings


def test_an_unfinished_run(call: Call, tmp_path: Path):
    run = RunFolder(tmp_path / "run")
    write_settings(run.settings, RunConfig(seed=11))
    run.finish("data", {"passed": True, "why": "60 pairs", "figures": {"pairs": 60}})
    run.finish("tokenizer", {"passed": True, "why": "350 tokens", "figures": {}})
    figures = {"parameters": 2336002, "steps": 1200, "seconds": 95.0, "r1": 0.25}
    run.finish("clip", {"passed": False, "why": "R@1 [low]", "figures": figures})
    done = call("info", run.root)
    assert done.code == 0, done.err
    assert "the stage 'prior' is missing" in done.out
    for words in ("2,336,002", "1,200", "1m35s", "failed", "R@1 [low]", "seed 11", "run.toml"):
        assert words in done.out
