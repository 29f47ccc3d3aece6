"""Whether a run's settings make networks, and whether these fit into this machine: asked before anything is written."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from torch import nn

from unclip.clip.model import CLIP, CLIPConfig
from unclip.core.bounded import FLOAT, Bounded, TooLarge, free_memory
from unclip.core.noise import initial_weights
from unclip.core.shown import shown
from unclip.models.autoencoder import Autoencoder
from unclip.models.decoder import Decoder
from unclip.models.prior import Prior, PriorConfig
from unclip.nn.caption_net import PriorNetConfig
from unclip.pipeline.stored import UNBUILT
from unclip.recipes.clip import HEAD, clip_config
from unclip.recipes.config import RunConfig
from unclip.recipes.decoder import decoder_config

COPIES = 5
"""Of each weight while it trains: itself, its gradient, two moments, its average."""


@dataclass(frozen=True)
class Longest:
    """A tokenizer as large as the settings allow; the real one is learned from captions."""

    size: int
    context: int


def check_networks(config: RunConfig) -> None:
    """Raises ValueError that names the stage where its settings make no network, or one too large for this machine."""
    free = free_memory()
    for stage, build in networks(config):
        try:
            with initial_weights(0, "measured"), Bounded(free / FLOAT / COPIES, untouched=True):
                build()
        except TooLarge as error:
            raise ValueError(
                f"{stage}: these settings make a network of {error}, and training them takes {COPIES * FLOAT} bytes "
                f"each; this machine has {free / 2**30:.1f} GB left: take smaller widths, fewer layers or blocks"
            ) from error
        except ValueError as error:
            raise ValueError(f"{stage}: {error}") from error
        except UNBUILT as error:
            raise ValueError(f"{stage}: no network can be built of these settings ({shown(error, 200)})") from error


def networks(config: RunConfig) -> Iterator[tuple[str, Callable[[], nn.Module]]]:
    """Stage -> what builds its network; for what depends on the captions, the largest there may be."""
    if config.model == "ddpm":
        yield "ddpm.network", config.ddpm.network.build
        return

    def clip() -> CLIPConfig:
        return clip_config(config.clip, config.size, Longest(config.vocabulary, config.longest_caption))

    yield "clip", lambda: CLIP(clip())
    if config.model == "latent":
        yield "autoencoder", lambda: Autoencoder(config.autoencoder.coder)
        yield "latent.network", config.latent.network.build
        return
    yield "prior", lambda: _prior(config, clip())
    yield "decoder", lambda: Decoder(decoder_config(config, clip()))


def _prior(config: RunConfig, clip: CLIPConfig) -> Prior:
    r = config.prior
    heads = max(1, r.width // HEAD)
    net = PriorNetConfig(clip.width, clip.text.width, config.longest_caption, r.width, r.layers, heads)
    return Prior(PriorConfig(net))
