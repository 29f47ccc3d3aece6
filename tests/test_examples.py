"""Each example runs as it stands, does what it says, and leaves an image."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image
from tests.short import finished

from unclip.data.shapes.world import World

FOLDER = Path(__file__).resolve().parents[1] / "examples"
NEAR = 0.1
"""Mean distance of samples to the moons, which are as far as 1 from each other; noise is 0.5 away from them."""


def run(place: Path, name: str, *words: str) -> str:
    """What an example prints."""
    done = subprocess.run([sys.executable, str(FOLDER / name), *words], cwd=place, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    drew = re.findall(r"^drew (\S+\.png)$", done.stdout, re.MULTILINE)
    assert drew, done.stdout
    for path in drew:
        with Image.open(place / path) as picture:
            assert len(picture.convert("RGB").getcolors(1 << 20) or ()) > 1, path
    return done.stdout


def test_every_example_is_here():
    tested = re.findall(r'"(0\d_\w+\.py)"', Path(__file__).read_text(encoding="utf-8"))
    assert sorted({*tested}) == sorted(path.name for path in FOLDER.glob("*.py"))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["01_two_moons.py", "02_own_sampler_and_schedule.py"])
def test_in_the_plane(tmp_path: Path, name: str):
    distances = [float(found) for found in re.findall(r"distance.* (\d\.\d+)$", run(tmp_path, name), re.MULTILINE)]
    assert distances and max(distances) < NEAR


@pytest.mark.slow
def test_ddpm_on_your_folder(tmp_path: Path):
    (tmp_path / "pictures").mkdir()
    for i, (pixels, *_) in enumerate(World(32).sample(60)):
        Image.fromarray(pixels).save(tmp_path / "pictures" / f"{i}.png")
    first = run(tmp_path, "03_ddpm_on_your_folder.py", "pictures")
    assert "data: 60 images" in first and "drew runs/ddpm/drawn-0.png" in first
    assert "drew runs/ddpm/drawn-1.png" in run(tmp_path, "03_ddpm_on_your_folder.py", "pictures")


@pytest.mark.slow
def test_own_backbone(tmp_path: Path):
    assert 'run.toml says: kind = "MixerConfig"' in run(tmp_path, "04_own_backbone.py")


@pytest.mark.slow
def test_own_data(tmp_path: Path):
    said = run(tmp_path, "05_own_data.py")
    assert "600 images were prepared" in said and "'class'" in said


@pytest.mark.slow
def test_editing(tmp_path: Path):
    finished(tmp_path / "run")
    assert "the left half is the same: True" in run(tmp_path, "06_editing.py", "run")
