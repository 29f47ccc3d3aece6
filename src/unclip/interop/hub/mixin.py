"""`PyTorchModelHubMixin` of `huggingface_hub` for single networks (extra `hub`): settings and weights, no run.

A whole run, with its tokenizer and all its stages, is handed on by `interop.hub.pretrained`.
"""

from functools import cache
from pathlib import Path
from typing import Any, TypeVar, get_type_hints

from torch import nn

from unclip.core.config.base import Config
from unclip.core.imports.missing import install

M = TypeVar("M", bound=nn.Module)


def hub_class(network: type[M], **card: Any) -> type[M]:
    """A class of networks that is a `PyTorchModelHubMixin`, too, as its authors would have written it.

        Net = unclip.hub_class(DiffusionUNet, license="apache-2.0")
        Net(DiffusionUNetConfig()).push_to_hub("me/net")
        net = Net.from_pretrained("me/net", revision="main")

    `save_pretrained` writes config.json, model.safetensors and a card; `from_pretrained` reads a folder or the Hub, and
    takes revision, cache_dir, token, local_files_only and force_download.

    Args:
        network: any class of unclip's, or of yours, that is built by settings, a `Config`, alone: `DiffusionUNet`,
            `UNet`, `DiT`, `CLIP`, `Autoencoder`, ...
        card: for the head of the card, as the mixin takes it: license, pipeline_tag, tags, language, ...

    Raises:
        ValueError: for a class that is not built by a `Config`, and without `huggingface_hub`.
    """
    settings = get_type_hints(network.__init__).get("config")
    if not (isinstance(settings, type) and issubclass(settings, Config)):
        raise ValueError(f"{network.__name__}: not built by settings alone, as __init__(self, config: MyConfig) is")
    made = _mixed(network, settings, tuple(sorted((name, _frozen(value)) for name, value in card.items())))
    return made  # pyright: ignore[reportReturnType]  # a class of both


def _frozen(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


@cache
def _mixed(network: type[nn.Module], settings: type[Config], card: tuple[tuple[str, Any], ...]) -> type[nn.Module]:
    try:
        from huggingface_hub import PyTorchModelHubMixin
    except ImportError as error:
        raise ValueError(install("a class for the Hub needs", "huggingface_hub")) from error
    said = {"library_name": "unclip", **{name: [*v] if isinstance(v, tuple) else v for name, v in card}}

    class Shared(network, PyTorchModelHubMixin, **said):
        """The network, and the Hub's three words."""

        def __init__(self, config: Any) -> None:
            known = isinstance(config, Config)  # from a file it is a table
            super().__init__(config if known else settings.from_dict(config, "config.json"))

        def save_pretrained(self, save_directory: str | Path, *, config: Any = None, **how: Any) -> str | None:
            """As the mixin's; the settings are written with the kind of each part, so that they can be read."""
            own: Any = self.config if config is None else config
            return super().save_pretrained(
                save_directory, config=own.to_dict() if isinstance(own, Config) else own, **how
            )

        @classmethod
        def _from_pretrained(cls, *, strict: bool = True, **how: Any) -> Any:
            """As the mixin's, but weights that do not fit are an error unless `strict` is off."""
            return super()._from_pretrained(strict=strict, **how)

    Shared.__name__, Shared.__qualname__, Shared.__module__ = network.__name__, network.__qualname__, network.__module__
    return Shared
