"""The weights that a stage starts from: those of another run, with room for the words and lengths of new captions."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from unclip.clip.text import TextTower
from unclip.core.disk import store
from unclip.core.shown import printable
from unclip.nn.lora import small_of
from unclip.nn.prior.caption_net import CaptionNet
from unclip.recipes.context import Context
from unclip.recipes.stages.base import Stage
from unclip.recipes.start.origin import origin_of, start_tokenizer
from unclip.recipes.start.settings import check_alike
from unclip.runs.lora import read_lora, write_lora
from unclip.runs.modules import check_finite
from unclip.text.extend import pieces


def take_start(ctx: Context, name: str, stage: Stage[nn.Module]) -> str:
    """Gives a stage the averaged weights that the run starts from, in the place of its first ones; returns what to
    tell.

    Statistics that embeddings and codes are standardised with are weights, too: what follows has learned to read them.
    Raises ValueError where the weights are gone, damaged, or of another network, classes or tokenizer.
    """
    config, kept = ctx.config, stage.kept(stage.module)
    origin = origin_of(ctx.folder, config)
    stored = store.load(origin.root / name, name)
    check_finite(origin.root / name, stored.tensors)
    there = type(stage.config).from_dict(stored.config, str(origin.root / name / store.HEAD))
    check_alike(name, stage.config.to_dict(), there.to_dict(), config.start)
    words = pieces(start_tokenizer(ctx.folder, config), ctx.tokenizer) if config.reads_captions else []
    try:
        kept.load_state_dict(small_of(kept.state_dict()) | grown(kept, stored.tensors, words))
    except RuntimeError as error:
        raise ValueError(
            f"{name}: the weights of {printable(config.start)} do not fit ({printable(error, 300)}); with a text "
            "encoder of a plugin, whose tables unclip cannot lengthen, take captions and a vocabulary no larger"
        ) from error
    return f"starts from the weights of {printable(config.start)}, model {config.start_hash}"


def take_finished(ctx: Context, stage: Stage[nn.Module], stored: store.Stored) -> None:
    """Gives a stage its own finished weights; those that small ones stand beside are the other run's.

    Raises ValueError as `take_start` does, and where the small ones are gone.
    """
    name, kept = stored.kind, stage.kept(stage.module)
    if not small_of(kept.state_dict()):
        kept.load_state_dict(stored.tensors)
        return
    take_start(ctx, name, stage)
    kept.load_state_dict(kept.state_dict() | read_lora(ctx.folder.lora / name).tensors)


def store_small(ctx: Context, name: str, kept: nn.Module) -> None:
    """Writes the small weights of a stage beside the run, where it has such."""
    config = ctx.config
    if small := small_of(kept.state_dict()):
        write_lora(ctx.folder.lora / name, small, config.lora, config.start, config.start_hash)


def grown(module: nn.Module, weights: Mapping[str, Tensor], words: Sequence[Sequence[int]]) -> dict[str, Tensor]:
    """Weights of a module with fewer tokens, or a shorter context, as `module` takes them; what it says of captions
    that were known does not change by a bit.

    A new token starts as the mean of the tokens that spelled it, a new position as the last one of a caption.
    words: for each further token those that spelled it.
    """
    found = dict(weights)
    for name, part in module.named_modules():
        prefix = f"{name}." if name else ""
        if isinstance(part, TextTower):
            table = found[f"{prefix}embedding.weight"]
            added = [table[list(spelled)].mean(0, keepdim=True) for spelled in words]
            found[f"{prefix}embedding.weight"] = torch.cat([table, *added])
            found[f"{prefix}position"] = _longer(found[f"{prefix}position"], part.position, part.config.context)
        elif isinstance(part, CaptionNet):
            found[f"{prefix}position"] = _longer(found[f"{prefix}position"], part.position, part.context)
    return found


def _longer(positions: Tensor, wanted: Tensor, context: int) -> Tensor:
    """Positions for captions of `context` tokens, and as many behind them as before."""
    more = max(0, len(wanted) - len(positions))
    of_captions, behind = positions[: context - more], positions[context - more :]
    return torch.cat([of_captions, of_captions[-1:].expand(more, -1), behind])
