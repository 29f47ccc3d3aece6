"""CLIP embeddings and codes of all images of a run, kept beside the weights that made them."""

from collections.abc import Callable
from contextlib import suppress

import torch

from unclip.clip.model import CLIP
from unclip.core.disk import store
from unclip.core.typing import Images, Tensor, Vectors
from unclip.data.loader import to_tensor
from unclip.data.prepare.write import Prepared
from unclip.models.autoencoder.model import Autoencoder
from unclip.runs.folder import RunFolder

BATCH = 64
"""Images or captions that CLIP sees at once: four times as many took 300 MB more at 32 px, the most of a whole run, and
were no faster."""


def run_embeddings(folder: RunFolder, clip: CLIP, prepared: Prepared, device: str, precision: str) -> Vectors:
    """[n, d] on the CPU, in the data's order; made once, and again where CLIP or the data changed."""
    by = {"clip": store.sha256(folder.root / "clip" / store.WEIGHTS)}
    return _kept(folder, "embeddings", by, prepared, clip.embed_images, (device, precision))


def run_latents(
    folder: RunFolder, autoencoder: Autoencoder, sha256: str, prepared: Prepared, device: str, precision: str
) -> Images:
    """Means and log-variances of all images' codes, stacked, [n, 2 c, h, w] on the CPU; kept in the same way.

    sha256: of the autoencoder's weights.
    """

    def look(images: Images) -> Tensor:
        return autoencoder.encode(images).moments

    return _kept(folder, "latents", {"autoencoder": sha256}, prepared, look, (device, precision))


def _kept(
    folder: RunFolder,
    name: str,
    by: dict[str, str],
    prepared: Prepared,
    look: Callable[[Images], Tensor],
    on: tuple[str, str],
) -> Tensor:
    """name: of what is kept. by: the network that makes it, and its weights' SHA-256. on: device and precision."""
    made_from = {**by, "pictures": len(prepared)}
    place = folder.root / "checkpoints" / name
    with suppress(store.Damaged):  # or not there: made anew
        kept = store.load(place, name.capitalize())
        if kept.config == made_from:
            return kept.tensors[name]
    seen = _look(prepared, look, *on)
    if not bool(torch.isfinite(seen).all()):
        raise ValueError(
            f"{folder.root}: what its {' and '.join(by)} makes of the images is not finite, so nothing can be trained "
            "on it; its training diverged: train it with a lower learning rate and another --out"
        )
    with suppress(OSError, ValueError), folder.writing():  # of use, not needed: the run may be read-only, or busy
        store.save(place, name.capitalize(), made_from, {name: seen})
    return seen


@torch.no_grad()
def _look(prepared: Prepared, look: Callable[[Images], Tensor], device: str, precision: str) -> Tensor:
    parts = (to_tensor(prepared.images[i : i + BATCH]).to(device) for i in range(0, len(prepared), BATCH))
    with torch.autocast(torch.device(device).type, torch.bfloat16, enabled=precision == "bfloat16"):
        return torch.cat([look(part).cpu() for part in parts])


def data_folder(folder: RunFolder | None) -> RunFolder:
    """A model's run folder, which has its data. Raises ValueError where there is none, or the data are gone."""
    if folder is None or not (folder.data / "prepared.json").exists():
        if folder is not None and folder.sealed:
            raise ValueError(f"{folder.root}: ships without images, and this needs a run's own; name a run of yours")
        place = "this model" if folder is None else str(folder.data)
        raise ValueError(
            f"{place}: the run's prepared images are gone, and this needs them; the same `unclip train` command "
            "again prepares them (what is trained stays)"
        )
    return folder
