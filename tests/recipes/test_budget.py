"""Sample grids: when they are drawn, and what is kept for those to come."""

from unclip.recipes.budget import GRIDS, LOOKS, due, grids, reserved
from unclip.recipes.stages import DecoderRecipe
from unclip.training.plan import Plan


def test_grids_between_the_first_and_the_last_are_drawn_where_they_cost_little():
    """Four of 8 seconds took 32 of the 94 seconds of a decoder whose steps had 9 of them."""
    brief, hour = Plan(seconds=94.0), Plan(seconds=3600.0)
    assert grids(brief, 0.0) == grids(brief, 1.8) == grids(hour, 70.0) == GRIDS
    assert grids(brief, 2.0) == grids(hour, 73.0) == (0.06, 1.0)


def test_by_steps_all_are_drawn_and_where_it_may_stop_for_copies_further_ones():
    assert grids(Plan(steps=10), 1e6) == GRIDS
    assert set(grids(Plan(seconds=10.0), 1e6, often=True)) == {*GRIDS, *LOOKS}


def test_what_is_kept_for_those_to_come():
    assert (due(0.0, 0.3, GRIDS), due(0.3, 1.0, GRIDS), due(0.2, 0.3, GRIDS)) == (2, 2, 0)
    assert reserved(DecoderRecipe(), 8.0, still=1) == 8.0 * (1 + DecoderRecipe.gate_previews)
