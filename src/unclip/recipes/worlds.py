"""The drawn world as a data set of a run."""

import hashlib
from pathlib import Path

from unclip.data.prepare import Prepared, load_prepared, write_prepared
from unclip.data.prepared import read_about
from unclip.data.shapes_world import World
from unclip.recipes.config import RunConfig

SCENES = 20_000
KIND = "drawn shapes"
"""Of data, as its report names it."""


def is_drawn(prepared: Path) -> bool:
    """Whether what was prepared there is such a world."""
    return (read_about(prepared) or {}).get("kind") == KIND


def prepare_world(world: World, out: Path, config: RunConfig, scenes: int = SCENES) -> Prepared:
    """Draws `scenes` captioned pictures into `out`, or opens them where they were drawn before."""
    if world.size != config.size:
        raise ValueError(f"size = {config.size}: this world is drawn at {world.size} px; use --size {world.size}")
    fingerprint = hashlib.sha256(f"{world} {config.seed} {scenes}".encode()).hexdigest()
    about = read_about(out)
    if about is not None and about["fingerprint"] == fingerprint:
        return load_prepared(out)
    captions: list[tuple[str, ...]] = []

    def pictures():
        for picture, texts, _ in world.sample(scenes, config.seed):
            captions.append(texts)
            yield picture

    images = list(pictures())
    keys = [f"scene-{i:06d}" for i in range(scenes)]
    return write_prepared(out, images, captions, keys, KIND, fingerprint)
