"""What every stage of one run shares: folder, settings, data, and what is finished already."""

import hashlib
import threading
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

from torch import nn

from unclip.clip.model import CLIP
from unclip.core import processes
from unclip.core.disk import store
from unclip.core.typing import Images, Tensor, Vectors
from unclip.data.item import Item
from unclip.data.prepare.inspect import Examined, examine
from unclip.data.prepare.splits import Splits
from unclip.data.prepare.write import Prepared, load_prepared, prepare
from unclip.data.source import Source
from unclip.data.stream.reader import Stream
from unclip.data.stream.sample import Sample
from unclip.data.stream.shards import Shards, open_shards
from unclip.data.stream.texts import read_texts
from unclip.models.autoencoder.model import Autoencoder
from unclip.recipes.settings.run import RunConfig
from unclip.recipes.splits import splits_of
from unclip.runs.embeddings import Look, moments, run_embeddings, run_latents
from unclip.runs.folder import RunFolder
from unclip.runs.modules import load_stage, read_tokenizer
from unclip.text.tokenizer import Tokenizer

M = TypeVar("M", bound=nn.Module)

MOST_CLASSES = 1000


@dataclass
class Context:
    """One training run in progress. source: where its data come from, where it was named.

    modules: the finished stages that were asked for. coded: SHA-256 of an autoencoder -> the codes by it, of the last.
    """

    folder: RunFolder
    config: RunConfig
    prepared: Prepared
    device: str
    precision: str
    stop: threading.Event = field(default_factory=threading.Event)
    source: Source | None = None
    modules: dict[str, nn.Module] = field(default_factory=dict[str, nn.Module])
    coded: dict[str, Images] = field(default_factory=dict[str, Images])

    @cached_property
    def shards(self) -> Shards | None:
        """The shards that the run streams; None where all its images are prepared."""
        return open_shards(self.folder.data)

    @cached_property
    def captions(self) -> Sequence[tuple[str, ...]]:
        """Of each image; of a stream those of the images that are prepared, and of the first that are trained on."""
        return (
            self.prepared.captions if self.shards is None else [*self.prepared.captions, *read_texts(self.folder.data)]
        )

    @property
    def trained(self) -> int:
        """How many images are trained on; of a stream about so many."""
        return len(self.splits.train) if self.shards is None else self.shards.images

    def stream(self, batch: int, classes: Collection[str] | None = None, larger: int = 0) -> Stream | None:
        """Batches of the shards that the run streams; None where it streams none.

        classes: first captions that an image may have, where they are its class. larger: another size, in px, and that
        of the smallest images.
        """
        if self.shards is None:
            return None
        config, size = self.config, larger or self.config.size

        def look(item: Item) -> Examined:
            found = examine(item, size, config.captioned, larger, **config.look)
            if classes is None or found.pixels is None or item.captions[0] in classes:
                return found
            why = f'its class "{item.captions[0]}" is none of the {len(classes):,} that the first shards have'
            return replace(found, pixels=None, problem=why)

        return Stream(self.shards, look, batch, config.seed, 1.0 if larger else config.max_bad, write=processes.leads())

    @cached_property
    def splits(self) -> Splits:
        """The rows of the data to train on, for validation, and for the test."""
        return splits_of(self.folder, self.prepared, self.config)

    def prepared_at(self, size: int) -> Prepared:
        """The data at another size, in a folder of its own; images that are smaller are left out.

        Raises ValueError where the data have to be named for that, and where no image is so large.
        """
        place = self.folder.root / f"data-{size}"
        if not processes.leads():  # the first one has made them
            return load_prepared(place)
        with self.folder.writing():
            return self._prepared_at(size, place)

    def _prepared_at(self, size: int, place: Path) -> Prepared:
        source = self.source if self.shards is None else Sample(self.shards)
        if source is not None:
            captioned, look = self.config.captioned, self.config.look
            return prepare(source, place, size, 1.0, captioned, minimum=size, stop=self.stop, **look)
        if (place / "prepared.json").exists():
            return load_prepared(place)
        raise ValueError(f"the run's images are wanted at {size} px: name the data, as unclip add STAGE DATA --run RUN")

    @cached_property
    def classes(self) -> tuple[str, ...]:
        """The names of the classes, in the order of their numbers: the first captions of all images that are known.

        Raises ValueError where they are too many to be classes.
        """
        names = sorted({captions[0] for captions in self.captions})
        if len(names) > MOST_CLASSES:
            raise ValueError(
                f"--classes: {len(names):,} different captions (as {names[0]!r}) are not classes, {MOST_CLASSES:,} at "
                "most can be; sort the images into class folders, or leave --classes out"
            )
        return tuple(names)

    @cached_property
    def tokenizer(self) -> Tokenizer:
        """The tokenizer of the run. Raises ValueError where it is not the one that the run began with."""
        record = self.folder.state()["tokenizer"]
        return read_tokenizer(self.folder, int(record["metrics"]["context"]), record.get("sha256"))[0]

    @property
    def began(self) -> dict[str, Any]:
        """How data and tokenizer ended, with the tokenizer's SHA-256: without it a stage is of no use."""
        return {name: record for name, record in self.folder.state().items() if name in ("data", "tokenizer")}

    @property
    def clip(self) -> CLIP:
        """The finished CLIP, frozen."""
        return self.finished("clip", CLIP)

    def finished(self, name: str, kind: type[M]) -> M:
        """A finished stage, frozen. kind: the class of its module. Raises ValueError where it is damaged."""
        if name not in self.modules:
            self.modules[name] = load_stage(self.folder, name, kind, self.device)
        module = self.modules[name]
        assert isinstance(module, kind), f"{name} is a {type(module).__name__}"
        return module

    @cached_property
    def embeddings(self) -> Vectors:
        """CLIP embeddings of all images, in the data's order; kept on disk beside the weights that made them."""
        return run_embeddings(self.folder, self.clip, self.prepared, self.device, self.precision, self.stop)

    @cached_property
    def latents(self) -> Images:
        """Means and log-variances of the codes of all images by the run's autoencoder, kept in the same way."""
        autoencoder = self.finished("autoencoder", Autoencoder)
        sha = store.sha256(self.folder.root / "autoencoder" / store.WEIGHTS)
        return run_latents(self.folder, autoencoder, sha, self.prepared, self.device, self.precision, self.stop)

    @property
    def embedded(self) -> Vectors | Callable[[Images], Vectors]:
        """The embeddings of all images; of a stream what makes them of a batch."""
        return self.embeddings if self.shards is None else self._seen(self.clip.embed_images)

    @property
    def encoded(self) -> Images | Callable[[Images], Images]:
        """The latents of all images; of a stream what makes them of a batch."""
        return self.latents if self.shards is None else self._seen(moments(self.finished("autoencoder", Autoencoder)))

    def coded_by(self, autoencoder: Autoencoder) -> Images | Callable[[Images], Images]:
        """The same by an autoencoder that is no stage of the run."""
        return self.codes_by(autoencoder) if self.shards is None else self._seen(moments(autoencoder.to(self.device)))

    def _seen(self, see: Callable[[Images], Tensor]) -> Look:
        return Look(see, self.device, self.precision)

    def codes_by(self, autoencoder: Autoencoder) -> Images:
        """The same by an autoencoder that is no stage of the run: the one that its decoder holds."""
        digest = hashlib.sha256()
        for name, value in sorted(autoencoder.state_dict().items()):
            digest.update(name.encode() + value.detach().cpu().contiguous().numpy().tobytes())
        sha = digest.hexdigest()
        if sha not in self.coded:
            looks = autoencoder.to(self.device)
            found = run_latents(self.folder, looks, sha, self.prepared, self.device, self.precision, self.stop)
            self.coded = {sha: found}
        return self.coded[sha]
