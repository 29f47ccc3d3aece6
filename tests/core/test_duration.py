import pytest

from unclip.core.config.duration import seconds, words


@pytest.mark.parametrize(
    "text, length",
    [
        ("90s", 90),
        ("30m", 1800),
        ("2h", 7200),
        ("1h30m", 5400),
        ("1.5h", 5400),
        ("8 min", 480),
        ("1H", 3600),
    ],
)
def test_forms(text: str, length: float):
    assert seconds(text) == length


@pytest.mark.parametrize("text", ["", "0s", "0m", "-5m", "3x", "m", "1m2h", "1..5m", "soon", "inf", "nan", "1e3"])
def test_nonsense_is_told(text: str):
    with pytest.raises(ValueError, match="write it like 90s, 30m, 2h"):
        seconds(text)


@pytest.mark.parametrize("length", [0.0, 1.0, 59.0, 60.0, 61.0, 3599.0, 3600.0, 86400.0])
def test_words_are_read_back(length: float):
    text = words(length)
    assert length == 0 or seconds(text) == length - length % (60 if length >= 3600 else 1)


@pytest.mark.parametrize("text", ["20", " 1.5 "])
def test_a_number_asks_for_its_unit(text: str):
    with pytest.raises(ValueError, match=f"no unit; write {text.strip()}s, {text.strip()}m or {text.strip()}h"):
        seconds(text)
