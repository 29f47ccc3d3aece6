import json
from pathlib import Path

import pytest
from tests.cli.conftest import Call

from unclip.studies.diagnose import study
from unclip.studies.diagnose.check import Check


@pytest.mark.parametrize("verdict, code", [("good", 0), ("suspicious", 0), ("broken", 1)])
def test_a_table_and_json(call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, verdict: str, code: int):
    told = ("", "", "") if verdict == "good" else ("it lags", "It does [not] follow.", "unclip train DATA")
    check = Check("clip", "average", verdict, "3 times", "below 1", *told)  # pyright: ignore[reportArgumentType]
    monkeypatch.setattr(study, "diagnose", lambda run: iter([check]))
    done = call("diagnose", tmp_path / "run", "--json", tmp_path / "d.json")
    assert done.code == code, done.err
    kept = json.loads((tmp_path / "d.json").read_text(encoding="utf-8"))
    assert kept["checks"][0]["verdict"] == verdict
    if verdict == "good":
        assert "nothing is wrong" in done.out
        return
    assert done.out.splitlines()[0].endswith("clip: it lags (average: 3 times)")
    assert "clip, average: It does [not] follow. Next: unclip train DATA" in done.out


def test_a_folder_that_is_no_run(call: Call, tmp_path: Path):
    done = call("diagnose", tmp_path)
    assert done.code == 2 and "holds no run (no run.toml)" in done.err
