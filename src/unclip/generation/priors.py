"""Which prior a model uses, by name: those that its run holds, and those that need no training."""

from dataclasses import replace

from unclip.core.shown import typed
from unclip.core.typing import Float, Tensor
from unclip.data.prepare.write import load_prepared
from unclip.generation.text_to_image import TextToImage, there
from unclip.models.priors.autoregressive import AutoregressivePrior
from unclip.models.priors.base import PriorModel
from unclip.models.priors.contrastive import ContrastivePrior
from unclip.models.priors.untrained import ConstantPrior, TextPrior
from unclip.runs.folder import RunFolder

STAGES = {"autoregressive": "autoregressive_prior", "contrastive": "contrastive_prior"}
"""Priors that `unclip add` trains -> their stages."""
MODULES: dict[str, type[AutoregressivePrior] | type[ContrastivePrior]] = {
    "autoregressive": AutoregressivePrior,
    "contrastive": ContrastivePrior,
}
"""The same -> their modules."""
PRIORS = ("diffusion", *STAGES, "text", "text-shifted", "none")
"""Every name. text: the text embedding as the image embedding; text-shifted: moved by the mean gap between the two;
none: the decoder's null embedding, so that it has the caption alone."""
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
    made_of = (STAGES[name],) if name in STAGES else ("prior",) if name == "text-shifted" else ()
    return replace(model, prior=_prior(model, name), prior_name=name, prior_stages=made_of)


def _prior(model: TextToImage, name: str) -> PriorModel:
    mean = there(model.prior, "prior").mean
    if name in STAGES:
        return _trained(model, name)
    if name == "none":
        decoder = there(model.decoder, "decoder")
        return ConstantPrior(decoder.statistics.inverse(decoder.null_embedding.detach()[None])[0], mean)
    return TextPrior(mean, None if name == "text" else mean - mean_text(model))


def _trained(model: TextToImage, name: str) -> PriorModel:
    folder = _folder(model, name)
    found = model.stages.added(STAGES[name], MODULES[name])
    if found is None:
        raise ValueError(
            f"prior = {name!r}: {folder.root} has none; train one: "
            f"{typed('unclip', 'add', STAGES[name], '--run', folder.root)}"
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
