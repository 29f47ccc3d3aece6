"""Which prior a model uses, by name: those that its run holds, and those that need no training."""

from dataclasses import dataclass, replace

from unclip.core.shown import shell_command
from unclip.core.typing import Float, Tensor
from unclip.data.prepare.write import load_prepared
from unclip.generation.text_to_image import TextToImage, require
from unclip.models.priors.autoregressive import AutoregressivePrior
from unclip.models.priors.base import PriorModel
from unclip.models.priors.contrastive import ContrastivePrior
from unclip.models.priors.diffusion import Prior
from unclip.models.priors.untrained import ConstantPrior, TextPrior
from unclip.runs.folder import RunFolder


@dataclass(frozen=True)
class PriorKind:
    """title: its name in tables. stage, module: where a run keeps it, and its class; None: nothing is trained."""

    title: str
    stage: str | None = None
    module: type[Prior] | type[AutoregressivePrior] | type[ContrastivePrior] | None = None


PRIORS = {
    "none": PriorKind("caption alone"),
    "text": PriorKind("text embedding"),
    "text-shifted": PriorKind("text embedding, shifted"),
    "autoregressive": PriorKind("autoregressive prior", "autoregressive_prior", AutoregressivePrior),
    "diffusion": PriorKind("diffusion prior", "prior", Prior),
    "contrastive": PriorKind("contrastive prior", "contrastive_prior", ContrastivePrior),
}
"""Every prior by name. text: the text embedding as the image embedding; text-shifted: moved by the mean gap between the
two; none: the decoder's null embedding, so that it has the caption alone."""
ADDED = {name: kind.stage for name, kind in PRIORS.items() if kind.stage and name != "diffusion"}
"""Priors that `unclip add` trains -> their stages."""
GAP = 2000
"""So many captions tell the mean text embedding."""


def with_prior(model: TextToImage, name: str) -> TextToImage:
    """The same model with another of its run's priors.

    Args:
        model: a loaded text-to-image model.
        name: "diffusion", "autoregressive", "contrastive", "text", "text-shifted" or "none" (docs/priors.md).

    Raises:
        ValueError: for an unknown name, for a prior that the run does not hold, and for captions that are gone.
    """
    if name not in PRIORS:
        raise ValueError(f"prior = {name!r}: known are {', '.join(PRIORS)}")
    if name == "diffusion":
        return model
    made_of = (ADDED[name],) if name in ADDED else ("prior",) if name == "text-shifted" else ()
    return replace(model, prior=_prior(model, name), prior_name=name, prior_stages=made_of)


def _prior(model: TextToImage, name: str) -> PriorModel:
    mean = require(model.prior, "prior").mean
    if name in ADDED:
        return _trained(model, name)
    if name == "none":
        decoder = require(model.decoder, "decoder")
        return ConstantPrior(decoder.statistics.inverse(decoder.null_embedding.detach()[None])[0], mean)
    return TextPrior(mean, None if name == "text" else mean - mean_text(model))


def _trained(model: TextToImage, name: str) -> PriorModel:
    folder, kind = _folder(model, name), PRIORS[name]
    assert kind.stage is not None and kind.module is not None
    found = model.stages.added(kind.stage, kind.module)
    if found is None:
        raise ValueError(
            f"prior = {name!r}: {folder.root} has none; train one: "
            f"{shell_command('unclip', 'add', kind.stage, '--run', folder.root)}"
        )
    return found


def mean_text(model: TextToImage) -> Float[Tensor, " d"]:
    """The mean text embedding of the run's captions (at most `GAP`, evenly spaced)."""
    data = _folder(model, "text-shifted").data
    if not (data / "captions.jsonl").exists():
        raise ValueError(f"prior = 'text-shifted': {data} is gone, and with it the captions; take --prior text")
    captions = load_prepared(data).captions
    some = [c[0] for c in captions[:: max(1, len(captions) // GAP)]]
    return model.embed_captions(some).float().mean(0)


def _folder(model: TextToImage, name: str) -> RunFolder:
    if model.folder is None:
        raise ValueError(f"prior = {name!r}: this model was not loaded from a run folder")
    return model.folder
