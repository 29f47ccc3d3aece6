"""Train your own DALL-E 2 (unCLIP) from a folder of captioned images.

`import unclip` is cheap: torch is imported when `unclip.load` is first used.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from unclip.pipeline.load import load as load

__version__ = "0.1.0"
__all__ = ["__version__", "load"]


def __getattr__(name: str) -> Any:
    if name == "load":
        from unclip.pipeline.load import load

        return load
    raise AttributeError(f"module 'unclip' has no attribute {name!r}")
