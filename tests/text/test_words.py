"""Words that no caption holds are found by name."""

from unclip.text.words import unseen, words


def test_words_are_runs_of_letters_and_digits():
    assert words("A red heart, and a RED_heart (2x)!") == ["a", "red", "heart", "and", "2x"]
    assert words("Grüße, 你好") == ["grüße", "你好"]
    assert words("!?") == []


def test_unseen_words():
    captions = ["a red heart", "Two cups."]
    assert unseen(["a zebra with two Zebras", "red cups", "!?"], captions) == {
        "a zebra with two Zebras": ["zebra", "with", "zebras"]
    }
    assert unseen([], captions) == {}


def test_reading_stops_where_all_is_found():
    def endless():
        while True:
            yield "a red heart"

    assert unseen(["red heart"], endless()) == {}
