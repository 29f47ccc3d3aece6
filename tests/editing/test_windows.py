"""Windows over a canvas: all of it in the end, each beside what is known."""

import numpy as np
import pytest

from unclip.editing.windows import windows


def canvas(height: int, width: int, top: int, left: int, known: tuple[int, int] = (16, 16)) -> np.ndarray:
    found = np.zeros((height, width), dtype=bool)
    found[top : top + known[0], left : left + known[1]] = True
    return found


CANVASES = {
    "right": (canvas(16, 24, 0, 0), 1),
    "right twice as far": (canvas(16, 32, 0, 0), 2),
    "left and right": (canvas(16, 32, 0, 8), 2),
    "all sides": (canvas(32, 32, 8, 8), 8),
    "all sides, far": (canvas(48, 48, 16, 16), 24),
    "a little": (canvas(16, 19, 0, 3), 1),
    "a wide image, down": (canvas(24, 40, 0, 0, (16, 40)), 4),
    "odd": (canvas(29, 31, 5, 9), 11),
}


@pytest.mark.parametrize("known, count", CANVASES.values(), ids=CANVASES.keys())
def test_everything_is_painted_beside_what_is_known(known: np.ndarray, count: int):
    before, places = known.copy(), list(windows(known, 16))
    assert np.array_equal(known, before)
    assert len(places) == count
    for place in places:
        assert known[place].shape == (16, 16)
        assert 0.5 <= known[place].mean() < 1
        known[place] = True
    assert known.all()


def test_no_window_and_nothing_known_are_refused():
    with pytest.raises(ValueError, match="20 x 10 px holds no window of 16 x 16"):
        list(windows(np.ones((10, 20), dtype=bool), 16))
    with pytest.raises(ValueError, match="nothing is known"):
        list(windows(np.zeros((16, 16), dtype=bool), 16))
    assert not list(windows(np.ones((16, 20), dtype=bool), 16))
