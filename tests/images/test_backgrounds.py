"""What a run laid behind transparent images is laid behind those that its model is given."""

from pathlib import Path

from PIL import Image
from tests.latents.gaussian import SIZE, gaussian

from unclip.latents.invert import read_source
from unclip.runs.folder import RunFolder
from unclip.runs.modules import Stages


def test_a_model_sees_pictures_on_the_background_of_its_run(tmp_path: Path) -> None:
    icon, model = Image.new("RGBA", (SIZE, SIZE), (255, 255, 255, 0)), gaussian()
    assert model.background == "white"
    (tmp_path / "run.toml").write_text('background = "black"\n', encoding="utf-8")
    model.stages = Stages(RunFolder(tmp_path))
    assert model.background == "black"
    assert read_source(model, icon).images.max() == -1
