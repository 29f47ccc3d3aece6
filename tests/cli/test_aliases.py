"""Options of diffusers' training scripts."""

import subprocess
import sys
from pathlib import Path

import pytest

from unclip.cli.arguments.aliases import translated


@pytest.mark.parametrize(
    "typed, meant",
    [
        ("train DATA --out RUN --size 32", "train DATA --out RUN --size 32"),
        ("generate --resolution 32", "generate --resolution 32"),
        ("train --train_data_dir DATA --output_dir RUN --resolution 32", "train DATA --out RUN --size 32"),
        ("train --output_dir=RUN --train_data_dir=DATA", "train DATA --out RUN"),
        ("train D --model ddpm --train_batch_size 8", "train D --model ddpm --set ddpm.train.batch=8"),
        ("train D --preset ddpm-cifar10 --max_train_steps 9", "train D --preset ddpm-cifar10 --set ddpm.train.steps=9"),
        ("train D --model=latent --learning_rate 1e-4", "train D --model=latent --set latent.train.optim.lr=1e-4"),
        ("train D --learning_rate 1e-4", "train D --set decoder.train.optim.lr=1e-4"),
        ("train D --mixed_precision bf16 --seed 1", "train D --precision bfloat16 --seed 1"),
        ("train D --mixed_precision no --center_crop --random_flip", "train D --precision float32"),
        ("train D --resume_from_checkpoint latest --out RUN", "train D --out RUN"),
        ("train D --resolution", "train D --resolution"),
    ],
)
def test_each_is_put_as_unclip_calls_it(typed: str, meant: str):
    words, notes = translated(typed.split())
    assert words == meant.split()
    theirs = [word for word in typed.split() if "_" in word or word.startswith("--resolution")]
    told = len([word for word in theirs if word.startswith("--")]) if words != typed.split() else 0
    assert len(notes) == told


def test_they_are_told_in_a_line(tmp_path: Path):
    line = [sys.executable, "-m", "unclip", "train", "--train_data_dir", str(tmp_path / "none"), "--output_dir", "RUN"]
    done = subprocess.run([*line, "--resolution", "32"], capture_output=True, text=True, cwd=tmp_path, check=False)
    assert done.returncode == 2
    assert "--resolution 32 is called --size 32 here" in done.stderr
    assert f"error: {tmp_path / 'none'}" in done.stderr
