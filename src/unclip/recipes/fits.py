"""Whether a run's settings make networks, and whether these fit into this machine: asked before anything is written."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from torch import nn

from unclip.clip.model import CLIP, CLIPConfig
from unclip.core.disk.sizes import FLOAT, Bounded, TooLarge, free_memory
from unclip.core.noise import initial_weights
from unclip.core.shown import shown
from unclip.models.autoencoder.model import Autoencoder
from unclip.models.classifier import ClassifierConfig, NoisyClassifier
from unclip.models.decoder import Decoder
from unclip.models.priors.diffusion import Prior, PriorConfig
from unclip.nn.prior.caption_net import PriorNetConfig
from unclip.recipes.settings.run import RunConfig
from unclip.recipes.stages.clip import HEAD, clip_config
from unclip.recipes.stages.decoder import decoder_config
from unclip.runs.folder import UPSAMPLERS
from unclip.runs.modules import UNBUILT

COPIES = 5
"""Of each weight while it trains: itself, its gradient, two moments, its average."""


@dataclass(frozen=True)
class Longest:
    """A tokenizer as large as the settings allow; the real one is learned from captions."""

    size: int
    context: int


def check_networks(config: RunConfig) -> None:
    """Raises ValueError that names the stage where its settings make no network, or one too large for this machine."""
    for stage, build in networks(config):
        try:
            with initial_weights(0, "measured"), within_memory(stage, untouched=True):
                build()
        except NoRoom:
            raise
        except ValueError as error:
            raise ValueError(f"{stage}: {error}") from error
        except UNBUILT as error:
            raise ValueError(f"{stage}: no network can be built of these settings ({shown(error, 200)})") from error


class NoRoom(ValueError):
    """A network is too large for this machine."""


@contextmanager
def within_memory(stage: str, untouched: bool = False) -> Iterator[None]:
    """Raises NoRoom where what is built inside could not be trained in the memory that is left; see `Bounded`."""
    free = free_memory()
    try:
        with Bounded(free / FLOAT / COPIES, untouched):
            yield
    except TooLarge as error:
        raise NoRoom(
            f"{stage}: these settings make a network of {error}, and training takes {COPIES * FLOAT} bytes for each; "
            f"this machine has {free / 2**30:.1f} GB left: take smaller widths, fewer layers or blocks"
        ) from error


def networks(config: RunConfig) -> Iterator[tuple[str, Callable[[], nn.Module]]]:
    """Stage -> what builds its network; for what depends on the captions, the largest there may be."""
    for name in set(config.added) & set(UPSAMPLERS):
        yield f"{name}.network", config.recipe(name).network.build  # pyright: ignore[reportAttributeAccessIssue]
    if "classifier" in config.added:
        yield "classifier", lambda: NoisyClassifier(ClassifierConfig(classes=2, widths=config.classifier.widths))
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
