"""A run that was trained on whole images is given whole images by whatever reads one for it."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from tests.latents.gaussian import SIZE, gaussian

from unclip.data.item import Item, held
from unclip.data.loader import to_tensor
from unclip.data.prepare.inspect import examine
from unclip.images.files import encoded
from unclip.images.read import read_image
from unclip.latents.invert import read_source
from unclip.latents.search import read_query
from unclip.runs.folder import RunFolder
from unclip.runs.modules import Stages


def wide() -> Image.Image:
    """Red at its ends, so that its middle alone has none."""
    image = Image.new("RGB", (3 * SIZE, SIZE), "white")
    image.paste("red", (2, 2, SIZE // 2, SIZE - 2))
    return image


def test_a_model_sees_images_as_its_run_was_trained_on_them(tmp_path: Path) -> None:
    model = gaussian()
    assert model.look == {"background": "white", "fit": "crop"}
    assert read_source(model, wide()).images.min() == 1, "the middle is white"
    (tmp_path / "run.toml").write_text('fit = "pad"\n', encoding="utf-8")
    model.stages = Stages(RunFolder(tmp_path))
    prepared = examine(Item("wide.png", held(encoded(wide(), ".png")), ("red",)), SIZE, fit="pad").pixels
    assert prepared is not None and (prepared[..., 1] < 60).any()
    assert torch.equal(read_source(model, wide()).images, to_tensor(prepared[None]))
    wide().save(tmp_path / "wide.png")
    query = read_query(model, str(tmp_path / "wide.png"), **model.look)
    assert not isinstance(query, str)
    size = query.images.shape[-1]
    assert torch.equal(query.images, read_image(wide(), size, fit="pad").images)
    (tmp_path / "run.toml").write_text('fit = "stretch"\n', encoding="utf-8")
    with pytest.raises(ValueError, match=r"run\.toml: fit = 'stretch': write crop"):
        _ = model.look


def test_the_longer_side_of_a_whole_image_must_be_large_enough() -> None:
    thin = Image.new("RGB", (40, 3), "white")
    assert read_image(thin, 32, fit="pad").side == 40
    with pytest.raises(ValueError, match="whose shorter side has at least 8"):
        read_image(thin, 32)
    with pytest.raises(ValueError, match="whose longer side has at least 8"):
        read_image(thin.resize((7, 3)), 32, fit="pad")
    assert np.ptp(np.asarray(thin)) == 0
