"""Images with captions: find them, check them, prepare them once, and hand them out in batches.

from unclip.data import Item, Source, World, load_prepared, open_source, two_moons
"""

from typing import TYPE_CHECKING

from unclip.core.imports.lazy import lazy

if TYPE_CHECKING:
    from unclip.data.degradation import BSR as BSR
    from unclip.data.degradation import Clean as Clean
    from unclip.data.degradation import Degradation as Degradation
    from unclip.data.degradation import GaussianBlur as GaussianBlur
    from unclip.data.item import Item as Item
    from unclip.data.item import Source as Source
    from unclip.data.loader import Order as Order
    from unclip.data.loader import to_pixels as to_pixels
    from unclip.data.loader import to_tensor as to_tensor
    from unclip.data.masks import MaskConfig as MaskConfig
    from unclip.data.masks import random_masks as random_masks
    from unclip.data.moons import two_moons as two_moons
    from unclip.data.prepare.inspect import DataReport as DataReport
    from unclip.data.prepare.inspect import inspect_source as inspect_source
    from unclip.data.prepare.read import Prepared as Prepared
    from unclip.data.prepare.read import load_prepared as load_prepared
    from unclip.data.shapes.world import World as World
    from unclip.data.source import open_source as open_source
else:
    __all__, __getattr__, __dir__ = lazy(
        __name__,
        {
            "unclip.data.source": "open_source",
            "unclip.data.item": "Source Item",
            "unclip.data.prepare.inspect": "inspect_source DataReport",
            "unclip.data.prepare.read": "load_prepared Prepared",
            "unclip.data.loader": "Order to_tensor to_pixels",
            "unclip.data.degradation": "Degradation Clean GaussianBlur BSR",
            "unclip.data.masks": "random_masks MaskConfig",
            "unclip.data.shapes.world": "World",
            "unclip.data.moons": "two_moons",
        },
    )
