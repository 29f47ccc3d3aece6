"""CLIP embeddings and codes of all images of a run, kept in parts beside the weights that made them."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import Any

import torch

from unclip.clip.model import CLIP
from unclip.core.disk import atomic, store
from unclip.core.machine import computing
from unclip.core.typing import Images, Tensor, Vectors
from unclip.data.loader import to_tensor
from unclip.data.prepare.write import Prepared
from unclip.models.autoencoder.model import Autoencoder
from unclip.runs.folder import RunFolder

BATCH = 64
"""Images or captions that CLIP sees at once: four times as many took 300 MB more at 32 px, the most of a whole run, and
were no faster."""
PART = 4096
"""Images whose embeddings, or codes, are kept in one file: what an interruption costs."""


def run_embeddings(
    folder: RunFolder, clip: CLIP, prepared: Prepared, device: str, precision: str, stop: Event | None = None
) -> Vectors:
    """[n, d] on the CPU, in the data's order; made once, and again where CLIP or the data changed.

    They are kept in parts of `PART` images, and where it was interrupted it goes on behind the last whole one. Raises
    Interrupted soon after `stop` is set.
    """
    by = {"clip": store.sha256(folder.root / "clip" / store.WEIGHTS)}
    return _kept(folder, "embeddings", by, prepared, Look(clip.embed_images, device, precision, stop))


def run_latents(
    folder: RunFolder,
    autoencoder: Autoencoder,
    sha256: str,
    prepared: Prepared,
    device: str,
    precision: str,
    stop: Event | None = None,
) -> Images:
    """Means and log-variances of all images' codes, stacked, [n, 2 c, h, w] on the CPU; kept in the same way.

    sha256: of the autoencoder's weights.
    """
    look = Look(moments(autoencoder), device, precision, stop)
    return _kept(folder, "latents", {"autoencoder": sha256}, prepared, look)


def moments(autoencoder: Autoencoder) -> Callable[[Images], Images]:
    """What makes means and log-variances of images."""
    return lambda images: autoencoder.encode(images).moments


class Interrupted(KeyboardInterrupt):
    """It was to stop while embeddings or codes were made; the parts that are whole are kept."""


@dataclass(frozen=True)
class Look:
    """A frozen network that sees images, and on what device. stop: is set where it is to be interrupted."""

    see: Callable[[Images], Tensor]
    device: str
    precision: str
    stop: Event | None = None

    @torch.no_grad()
    def __call__(self, images: Images) -> Tensor:
        """What it makes of them, on its device. Raises Interrupted where it is to stop."""
        if self.stop is not None and self.stop.is_set():
            raise Interrupted
        with computing(self.device, self.precision):
            return self.see(images.to(self.device))


def _kept(folder: RunFolder, name: str, by: dict[str, str], prepared: Prepared, look: Look) -> Tensor:
    """name: of what is kept. by: the network that makes it, and its weights' SHA-256."""
    made_from = {**by, "pictures": len(prepared)}
    place = folder.root / "checkpoints" / name
    if (whole := _read(place, name, made_from)) is not None:  # as one file, as earlier versions did
        return whole
    if store.exists(place):  # of other weights
        with suppress(OSError, ValueError), folder.writing():
            atomic.remove(place)
    found = torch.empty(0)
    for start in range(0, len(prepared), PART):
        seen = _part(folder, name, {**made_from, "from": start, "to": min(start + PART, len(prepared))}, prepared, look)
        if not start:
            found = torch.empty(len(prepared), *seen.shape[1:], dtype=seen.dtype)
        found[start : start + PART] = seen
    return found


def _part(folder: RunFolder, name: str, made_from: dict[str, Any], prepared: Prepared, look: Look) -> Tensor:
    """The images of one part: read, or made and kept."""
    start, stop = int(made_from["from"]), int(made_from["to"])
    place = folder.root / "checkpoints" / name / f"{start // PART:05d}"
    if (seen := _read(place, name, made_from)) is not None:
        return seen
    images = (prepared.images[i : min(i + BATCH, stop)] for i in range(start, stop, BATCH))
    seen = torch.cat([look(to_tensor(some)).cpu() for some in images])
    if not bool(torch.isfinite(seen).all()):
        by = " and ".join(key for key in made_from if key not in ("pictures", "from", "to"))
        raise ValueError(
            f"{folder.root}: what its {by} makes of the images is not finite, so nothing can be trained on it; its "
            "training diverged: train it with a lower learning rate and another --out"
        )
    with suppress(OSError, ValueError), folder.writing():  # of use, not needed: the run may be read-only, or busy
        store.save(place, name.capitalize(), made_from, {name: seen})
    return seen


def _read(place: Path, name: str, made_from: dict[str, Any]) -> Tensor | None:
    """What is kept there; None where that is damaged, of other weights, or not there: it is made anew then."""
    with suppress(store.Damaged):
        kept = store.load(place, name.capitalize())
        if kept.config == made_from:
            return kept.tensors[name]
    return None


def data_folder(folder: RunFolder | None, instead: str = "name a run that was trained here") -> RunFolder:
    """A model's run folder, which has its data. instead: what to do where a run never had any.

    Raises ValueError where there is none, or the data are gone.
    """
    if folder is None or not (folder.data / "prepared.json").exists():
        if folder is not None and folder.sealed:
            raise ValueError(f"{folder.root}: ships without images, and this needs a run's own; name a run of yours")
        if folder is not None and not folder.splits.exists():
            raise ValueError(
                f"{folder.data}: not there: this run was imported, or handed on without its images, and this needs "
                f"them; {instead}"
            )
        place = "this model" if folder is None else str(folder.data)
        raise ValueError(
            f"{place}: the run's prepared images are gone, and this needs them; the same `unclip train` command "
            "again prepares them (what is trained stays)"
        )
    return folder
