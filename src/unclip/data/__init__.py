"""Images with captions: find them, check them, prepare them once, and hand them out in batches."""

from typing import TYPE_CHECKING

from unclip.core.lazy import lazy

if TYPE_CHECKING:
    from unclip.data.item import Item as Item
    from unclip.data.item import Source as Source
    from unclip.data.loader import Order as Order
    from unclip.data.loader import to_pixels as to_pixels
    from unclip.data.loader import to_tensor as to_tensor
    from unclip.data.moons import two_moons as two_moons
    from unclip.data.prepare.write import Prepared as Prepared
    from unclip.data.prepare.write import load_prepared as load_prepared
    from unclip.data.prepare.write import prepare as prepare
    from unclip.data.shapes.world import World as World
    from unclip.data.source import open_source as open_source

_HOMES = {
    "open_source": "source",
    "Item": "item",
    "Source": "item",
    "Prepared": "prepare.write",
    "load_prepared": "prepare.write",
    "prepare": "prepare.write",
    "Order": "loader",
    "to_pixels": "loader",
    "to_tensor": "loader",
    "two_moons": "moons",
    "World": "shapes.world",
}
"""Public name -> the module below that it is imported from when it is first used."""
__all__ = [*_HOMES]  # pyright: ignore[reportUnsupportedDunderAll]
__getattr__ = lazy(__name__, _HOMES)
