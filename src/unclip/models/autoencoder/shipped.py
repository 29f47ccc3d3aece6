"""The autoencoder that ships: trained once, for hours, on images of many kinds (docs/decoder.md)."""

from functools import cache
from pathlib import Path

from unclip.core.disk import store
from unclip.models.autoencoder.model import Autoencoder
from unclip.nn.autoencoder.coder import CoderConfig

KIND = "autoencoder"
FOLDER = Path(__file__).parent / "weights"
SHIPPED = "17ab90dab9b33f1b7173b83854ba3b2246867919e0270339cdbe3c01d2190d88"
"""SHA-256 over settings and weights. Each run keeps a copy of its own, so a later one does not change what it draws."""


@cache
def shipped_coder() -> CoderConfig:
    """Its settings."""
    return CoderConfig.from_dict(_stored().config, str(FOLDER / store.HEAD))


def shipped_autoencoder() -> Autoencoder:
    """It, frozen. Raises ValueError where this installation's is damaged."""
    stored = _stored()
    autoencoder = Autoencoder(shipped_coder())
    autoencoder.load_state_dict({name: value.float() for name, value in stored.tensors.items()})
    return autoencoder.eval().requires_grad_(False)


@cache
def _stored() -> store.Stored:
    try:
        stored = store.load(FOLDER, KIND)
    except store.Damaged as error:
        raise store.Damaged(f"{error}; install unclip again") from error
    if stored.identity != SHIPPED:
        raise ValueError(
            f"{FOLDER / store.WEIGHTS}: not the autoencoder that this unclip was published with (hash "
            f"{stored.identity}, expected {SHIPPED}); install unclip again"
        )
    return stored
