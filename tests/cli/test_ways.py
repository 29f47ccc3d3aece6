"""The tables of ways fit a terminal of 80 columns, whatever they hold."""

from rich.console import Console

from unclip.cli.screen.prior_table import ways_table

RATE = {"fraction": 0.655, "error": 0.034, "n": 200}
COSINES = {"matched": -0.8123, "matched_error": 0.0123, "shuffled": -0.0321}
FULL = {
    "trained": 1576.3,
    "passed": False,
    "embedding": COSINES,
    "repeat": {"mean": 0.91, "error": 0.01},
    "repeat_less_cosine": {"mean": -0.2123, "error": 0.0123, "z": 123.4, "clear": True},
    "calibration": "calibrated within error",
    "ms": 112.3,
    "clip_score": COSINES,
    "kid": {"mean": 0.1234, "error": 0.0111},
    "exact": {"one_seen": RATE, "one_unseen": RATE, "two_seen": RATE},
}


DIFFERENCE = {"mean": -0.01234, "error": 0.00096, "z": -12.3, "clear": True}
CLOSE = {"mean": 0.00123, "error": 0.00096, "z": 1.2, "clear": False}


def shown(paired: dict, **ways: dict) -> str:
    console = Console(width=80)
    with console.capture() as caught:
        console.print(ways_table(ways, paired), highlight=False)
    return caught.get()


def test_every_figure_is_readable_in_80_columns():
    ways = {"prior + another's caption": FULL, "caption alone": {k: FULL[k] for k in ("clip_score", "kid", "exact")}}
    less = {"base": "prior + another's caption", "best": False, "less": {"caption alone": DIFFERENCE}}
    text = shown(dict.fromkeys(("cosine", "CLIP", "KID", "one_seen", "one_unseen"), less), **ways)
    assert "…" not in text and max(map(len, text.splitlines())) <= 80
    for figure in (
        "1,576 s",
        "gate failed",
        "-0.812 ± 0.012",
        "0.910",
        "112.3",
        "-0.212 ± 0.012",
        "123.4 ± 11.1",
        "66% ± 3%",
    ):
        assert figure in text, figure
    assert "-0.01234 ± 0.00096 z -12" in text and "-12.34 ± 0.96 z -12" in text
    embeddings, pictures = text.split("\nimages")
    assert "alone" not in embeddings and "alone" in pictures  # it has no embedding


def test_columns_that_nobody_has_are_left_out():
    text = shown({}, a={"clip_score": COSINES, "kid": FULL["kid"]})
    assert "trained" not in text and "seen" not in text and "CLIP" in text


def test_a_sentence_says_what_was_not_shown():
    less = {"base": "b", "best": True, "less": {"a": CLOSE, "c": DIFFERENCE}}
    text = " ".join(shown({"CLIP": less}, **{name: {"clip_score": COSINES} for name in "abc"}).split())
    assert "CLIP: best at b; clear (|z| > 3) at c (-0.01234 ± 0.00096); " in text
    assert "no difference shown between b and a (+0.00123 ± 0.00096)." in text
