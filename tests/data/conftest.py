"""Tiny images, and folders of them, made on the spot."""

import io
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image


def encode(color: tuple[int, int, int] = (255, 0, 0), size: tuple[int, int] = (9, 7), form: str = "PNG") -> bytes:
    """An image of one colour."""
    return save(Image.new("RGB", size, color), form)


def save(image: Image.Image, form: str = "PNG", **how: object) -> bytes:
    """An encoded image."""
    out = io.BytesIO()
    image.save(out, form, **how)
    return out.getvalue()


def noise(width: int, height: int, seed: int = 0) -> Image.Image:
    """An image that does not compress, so that it can be cut short."""
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(pixels)


@pytest.fixture
def metadata_folder(tmp_path: Path) -> Callable[..., Path]:
    """Makes an image folder with metadata.jsonl of n good pairs, the last `damaged` of them cut short."""

    def make(n: int, damaged: int = 0) -> Path:
        folder = tmp_path / "photos"
        folder.mkdir(exist_ok=True)
        lines = []
        for number in range(n):
            data = save(noise(12, 10, number))
            (folder / f"{number:03d}.png").write_bytes(data[:200] if number >= n - damaged else data)
            lines.append(json.dumps({"file_name": f"{number:03d}.png", "text": f"image number {number}"}))
        (folder / "metadata.jsonl").write_text("\n".join(lines), encoding="utf-8")
        return folder

    return make
