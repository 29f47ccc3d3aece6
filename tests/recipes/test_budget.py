"""Previews: when they are drawn, and what is kept for those to come."""

from unclip.recipes.budget import LOOKS, PREVIEWS, due, previews, reserved
from unclip.recipes.stages import DecoderRecipe
from unclip.training.plan import Plan


def test_previews_between_the_first_and_the_last_are_drawn_where_they_cost_little():
    """Four of 8 seconds took 32 of the 94 seconds of a decoder whose steps had 9 of them."""
    brief, hour = Plan(seconds=94.0), Plan(seconds=3600.0)
    assert previews(brief, 0.0) == previews(brief, 1.8) == previews(hour, 70.0) == PREVIEWS
    assert previews(brief, 2.0) == previews(hour, 73.0) == (0.06, 1.0)


def test_by_steps_all_are_drawn_and_where_it_may_stop_for_copies_further_ones():
    assert previews(Plan(steps=10), 1e6) == PREVIEWS
    assert set(previews(Plan(seconds=10.0), 1e6, often=True)) == {*PREVIEWS, *LOOKS}


def test_what_is_kept_for_those_to_come():
    assert (due(0.0, 0.3, PREVIEWS), due(0.3, 1.0, PREVIEWS), due(0.2, 0.3, PREVIEWS)) == (2, 2, 0)
    assert reserved(DecoderRecipe(), 8.0, still=1) == 8.0 * (1 + DecoderRecipe.gate_previews)
