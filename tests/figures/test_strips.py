import itertools
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from unclip.diffusion.samplers import Step
from unclip.diffusion.schedules import LinearBeta
from unclip.figures import strips


def pixels(path: Path) -> np.ndarray:
    with Image.open(path) as picture:
        return np.asarray(picture.convert("RGB")).astype(float)


@pytest.mark.parametrize("side", [32, 64])
def test_noising_goes_from_the_picture_to_noise(tmp_path: Path, side: int):
    gray = torch.full((2, 3, side, side), 0.5)
    table = LinearBeta(1e-3, 0.2, T=100)
    strips.noising_strip(gray, tmp_path / "a.png", table)
    strips.noising_strip(gray, tmp_path / "b.png", table)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    sheet, shown = pixels(tmp_path / "a.png"), side * (strips.SIDE // side)
    for row in range(2):  # the jumps are above, the chain of single steps is below
        low = sheet.shape[0] - strips.GAP - (1 - row) * (shown + strips.GAP)
        states = sheet[low - shown : low]
        columns = [
            states[:, (end := states.shape[1] - strips.GAP - i * (shown + strips.GAP)) - shown : end]
            for i in reversed(range(len(strips.TIMES)))
        ]
        spread = [column.std() for column in columns]
        assert spread[0] == 0
        assert all(b > a for a, b in itertools.pairwise(spread[:6]))
        assert columns[0].mean() == pytest.approx(255 * 0.75, abs=1)


@pytest.mark.parametrize("steps, columns", [(1, 1), (2, 2), (9, 9), (16, 9), (1000, 9)])
def test_denoising_shows_first_and_last(steps: int, columns: int):
    made = [Step(torch.zeros(1, 3, 32, 32), torch.zeros(1, 3, 32, 32), torch.tensor(0.0)) for _ in range(steps)]
    chosen = [number for number, _ in strips._spread(made, strips.MOST)]
    assert len(chosen) == columns == len(set(chosen))
    assert (chosen[0], chosen[-1]) == (1, steps)


def test_denoising_strip(tmp_path: Path):
    black, white = -torch.ones(2, 3, 32, 32), torch.ones(2, 3, 32, 32)
    strips.denoising_strip((Step(black, white, torch.tensor(float(i))) for i in range(3)), tmp_path / "d.png")
    sheet = pixels(tmp_path / "d.png")
    x = sheet.shape[1] - 50
    assert sheet[strips.LETTERS + 2 * strips.GAP + 48, x].tolist() == [0, 0, 0]
    assert sheet[-50, x].tolist() == [255, 255, 255]


def test_no_steps(tmp_path: Path):
    with pytest.raises(ValueError, match="at least one"):
        strips.denoising_strip([], tmp_path / "d.png")
