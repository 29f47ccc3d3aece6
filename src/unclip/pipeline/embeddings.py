"""CLIP embeddings of all pictures of a run, kept beside the weights that made them."""

from contextlib import suppress

import torch

from unclip.clip.model import CLIP
from unclip.core import store
from unclip.core.typing import Vectors
from unclip.data.loader import to_tensor
from unclip.data.prepare import Prepared
from unclip.pipeline.run_folder import RunFolder

BATCH = 256


def run_embeddings(folder: RunFolder, clip: CLIP, prepared: Prepared, device: str, precision: str) -> Vectors:
    """[n, d] on the CPU, in the data's order; made once, and again where CLIP or the data changed."""
    made_from = {"clip": store.sha256(folder.clip / store.WEIGHTS), "pictures": len(prepared)}
    place = folder.root / "checkpoints" / "embeddings"
    if place.exists():
        kept = store.load(place, "Embeddings")
        if kept.config == made_from:
            return kept.tensors["embeddings"]
    embeddings = _embed(clip, prepared, device, precision)
    with suppress(OSError):  # a run that may only be read
        store.save(place, "Embeddings", made_from, {"embeddings": embeddings})
    return embeddings


@torch.no_grad()
def _embed(clip: CLIP, prepared: Prepared, device: str, precision: str) -> Vectors:
    parts = (to_tensor(prepared.images[i : i + BATCH]).to(device) for i in range(0, len(prepared), BATCH))
    with torch.autocast(device, torch.bfloat16, enabled=precision == "bfloat16"):
        return torch.cat([clip.embed_images(part).cpu() for part in parts])


def data_folder(folder: RunFolder | None) -> RunFolder:
    """A model's run folder, which has its data. Raises ValueError where there is none, or the data are gone."""
    if folder is None or not (folder.data / "prepared.json").exists():
        place = "this model" if folder is None else str(folder.data)
        raise ValueError(
            f"{place}: the run's prepared pictures are gone, and this needs them; the same `unclip train` command "
            "again prepares them (what is trained stays)"
        )
    return folder
