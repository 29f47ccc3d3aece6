import io

import numpy as np
import pytest
from PIL import Image

from unclip.images.files import KEY, read_about
from unclip.serving.links import Links
from unclip.serving.pictures import Encoding, fitted
from unclip.serving.tasks import hole_of, transparent


def drawn(width: int = 32, height: int = 32) -> Image.Image:
    image = Image.new("RGB", (width, height), "red")
    image.info[KEY] = {"seed": 3}
    return image


@pytest.mark.parametrize(("side", "inner"), [((64, 64), (64, 64)), ((16, 16), (16, 16)), ((100, 50), (50, 50))])
def test_an_image_is_resized_whole_and_keeps_what_made_it(side: tuple[int, int], inner: tuple[int, int]):
    image = fitted(drawn(), side)
    red = np.asarray(image)[..., 1] == 0
    assert image.size == side and red.any(0).sum() == inner[0] and red.any(1).sum() == inner[1]
    assert image.info[KEY] == {"seed": 3}


def test_formats():
    for name in ("png", "jpeg", "webp"):
        data = Encoding(name, 50, (40, 40)).bytes(drawn())
        with Image.open(io.BytesIO(data)) as image:
            assert (image.format or "").lower() == name and image.size == (40, 40)
    assert len(Encoding("jpeg", 5).bytes(drawn())) < len(Encoding("jpeg", 95).bytes(drawn()))


def test_a_png_says_what_made_it(tmp_path_factory: pytest.TempPathFactory):
    file = tmp_path_factory.mktemp("png") / "a.png"
    file.write_bytes(Encoding().bytes(fitted(drawn(), (64, 64))))
    assert read_about(file) == {"seed": 3}


def test_masks_as_openais_clients_and_as_others_make_them():
    mask = Image.new("RGBA", (4, 4), "black")
    assert not transparent(mask) and not transparent(drawn())
    mask.putpixel((1, 2), (0, 0, 0, 0))
    assert transparent(mask)
    hole = np.asarray(hole_of(mask))
    assert hole[2, 1] == 255 and hole.sum() == 255
    white = Image.new("L", (4, 4), 255)
    assert hole_of(white) is white


def test_links_end_after_an_hour_or_where_there_are_too_many():
    now = 0.0
    links = Links(lifetime=60.0, most=10, clock=lambda: now)
    first = links.add("image/png", b"12345")
    assert links.get(first) == ("image/png", b"12345") and links.get("other") is None
    second = links.add("image/png", b"123456")
    assert links.get(first) is None and links.get(second) is not None
    now = 61.0
    assert links.get(second) is None
