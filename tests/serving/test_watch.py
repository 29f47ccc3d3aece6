from pathlib import Path

import pytest
from tests.serving.conftest import Live, Serve
from tests.short import short

from unclip.recipes.settings.run import write_settings
from unclip.serving.watched import POINTS, curve


@pytest.fixture
def unfinished(tmp_path: Path) -> Path:
    """A run whose CLIP trains; one line of its log was cut by a kill."""
    run = tmp_path / "young"
    (run / "logs").mkdir(parents=True)
    write_settings(run / "run.toml", short(1))
    (run / "logs" / "clip.jsonl").write_text('{"step": 1, "loss": 2.0, "images_per_s": 9}\n{"step": 2, "lo')
    return run


def stages(live: Live, name: str) -> dict[str, dict[str, object]]:
    found = live.ask("GET", f"/watch/runs/{name}").json()
    return {stage["name"]: stage for stage in found["stages"]}


def test_a_finished_run_and_one_that_trains(serve: Serve, unfinished: Path):
    live = serve(watch=(unfinished,))
    assert live.ask("GET", "/watch/runs").json() == ["mine", "young"]
    done, young = stages(live, "mine"), stages(live, "young")
    assert [each["state"] for each in done.values()] == ["finished"] * 3 and "retrieval" in str(done["clip"]["why"])
    assert [each["state"] for each in young.values()] == ["training", "waiting", "waiting"]
    assert young["clip"]["curve"] == [[1, 2.0]] and young["clip"]["images_per_s"] == 9


def test_images_are_found_by_the_names_that_are_listed_and_no_others(serve: Serve):
    live = serve()
    [first, *_] = live.ask("GET", "/watch/runs/mine").json()["images"]
    assert live.ask("GET", f"/watch/runs/mine/images/{first}").headers["content-type"] == "image/png"
    for path in (
        "mine/images/..%2Frun.toml",
        "mine/images/none.png",
        "other/images/a.png",
        "mine/reports/%2E%2E%2Fx",
        "other",
    ):
        assert live.ask("GET", f"/watch/runs/{path}").status_code == 404


def test_the_key_is_wanted(serve: Serve):
    assert serve(api_key="k").ask("GET", "/watch/runs").status_code == 401


def test_a_folder_that_does_not_exist_is_refused(serve: Serve, tmp_path: Path):
    with pytest.raises(ValueError, match="no such folder"):
        serve(watch=(tmp_path / "none",))


def test_runs_of_one_name_are_told_apart_and_one_is_there_once(serve: Serve, run: Path, tmp_path: Path):
    others = [tmp_path / "a" / "mine", tmp_path / "b" / "a" / "mine"]
    for other in others:
        other.mkdir(parents=True)
    live = serve(watch=(run, *others))
    names = ["mine", "mine of a", "mine of a of b"]
    assert live.ask("GET", "/watch/runs").json() == names
    assert [live.ask("GET", f"/watch/runs/{name}").status_code for name in names] == [200] * 3


def test_a_curve_is_short_whatever_the_log():
    lines = [{"step": i, "loss": float(i)} for i in range(1, 1001)] + [{"step": 1001, "loss": float("nan")}]
    points = list(curve(lines))
    assert len(points) == POINTS and points[0] == (3.0, 3.0)
