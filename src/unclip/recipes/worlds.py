"""The drawn world as a data set of a run."""

import hashlib
import threading
from pathlib import Path

from unclip.data.prepare.read import read_about, reusable
from unclip.data.prepare.write import Prepared, write_prepared
from unclip.data.shapes.world import World
from unclip.recipes.settings.run import RunConfig

SCENES = 20_000
KIND = "drawn shapes"
"""Of data, as its report names it."""


def is_drawn(prepared: Path) -> bool:
    """Whether what was prepared there is such a world."""
    return (read_about(prepared) or {}).get("kind") == KIND


def prepare_world(
    world: World, out: Path, config: RunConfig, scenes: int = SCENES, stop: threading.Event | None = None
) -> Prepared:
    """Draws `scenes` captioned pictures into `out`, or opens them where they were drawn before.

    Raises KeyboardInterrupt soon after `stop` is set.
    """
    if world.size != config.size:
        raise ValueError(f"size = {config.size}: this world is drawn at {world.size} px; use --size {world.size}")
    fingerprint = hashlib.sha256(f"{world} {config.seed} {scenes}".encode()).hexdigest()
    if (done := reusable(out, world.size, fingerprint, {})) is not None:
        return done
    captions: list[tuple[str, ...]] = []

    def pictures():
        for picture, texts, _ in world.sample(scenes, config.seed):
            if stop is not None and stop.is_set():
                raise KeyboardInterrupt
            captions.append(texts)
            yield picture

    images = list(pictures())
    keys = [f"scene-{i:06d}" for i in range(scenes)]
    return write_prepared(out, images, captions, keys, KIND, fingerprint)
