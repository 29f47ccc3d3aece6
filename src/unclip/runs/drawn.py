"""The drawn world that a run was trained on: which pairs of colour and shape its images never show.

state.json says so beside the number of images, so that a packed run knows it, too. Where it does not, the run is older
than the sets of pairs, or was trained on a folder of `unclip shapes`: both leave out set 0.
"""

from collections.abc import Sequence
from dataclasses import replace

from unclip.data.item import Source
from unclip.data.prepare.read import read_about
from unclip.data.shapes.pairs import PAIR_SETS, Pair
from unclip.data.shapes.world import KIND, World
from unclip.runs.folder import RunFolder

UNSEEN = "unseen_pairs"


def unseen_record(source: Source | None) -> dict[str, list[Pair]]:
    """What is noted of the data beside their number; nothing of images that were not drawn."""
    return {UNSEEN: sorted(source.unseen_pairs)} if isinstance(source, World) else {}


def unseen_pairs(run: RunFolder) -> frozenset[Pair]:
    """The pairs that the run's drawn images never show. Raises ValueError where what is noted of them is damaged."""
    noted = run.state().get("data", {}).get("metrics", {}).get(UNSEEN)
    return PAIR_SETS[0] if noted is None else frozenset(_pair(pair, run) for pair in noted)


def _pair(pair: Sequence[object], run: RunFolder) -> Pair:
    if len(pair) != 2 or not all(isinstance(word, str) for word in pair):
        raise ValueError(f"{run.root / 'state.json'}: data: {UNSEEN} has {pair!r}; expected [colour, shape]")
    return str(pair[0]), str(pair[1])


def drawn_world(run: RunFolder, size: int) -> World | None:
    """The world whose scenes the run was trained on, with images of `size` px: what an exact score needs.

    None for other data, whose images cannot be read back.
    """
    about = read_about(run.data) or {}
    return World(size, held_out=unseen_pairs(run)) if about.get("kind") == KIND else None


def asked_world(source: Source, run: RunFolder, size: int) -> World | None:
    """The world that a run is to be scored on. A world that does not name the pairs it holds out takes those that the
    run has not seen. None for other data."""
    if not isinstance(source, World):
        return None
    held_out = unseen_pairs(run) if source.held_out is None else source.held_out
    return replace(source, size=size, held_out=held_out)
