"""What a server may be told, and what it allows."""

from dataclasses import dataclass
from pathlib import Path

from unclip.runs.lora import Lora

MEGA = 1_000_000
LOOPBACK = ("127.0.0.1", "localhost", "[::1]", "::1")


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches an address."""
    return host in LOOPBACK or host.startswith("127.")


@dataclass(frozen=True)
class ServeOptions:
    """All that `unclip serve` may be told.

    Args:
        runs: what is served, as --run names it; the first is the one that is meant by an alias or no name.
        host: the address it listens on.
        port: and the port.
        api_key: what clients must send as `Authorization: Bearer KEY`; "": nothing.
        strict: whether only the models' own names are known, not those of OpenAI's.
        slots: images that are drawn at once.
        waiting: images that may wait.
        memory: bytes of weights that are held at once; the least used model is given up beyond that.
        cors: origins of pages that may ask, besides the server's own.
        hosts: further names that the server is reached by, as behind a proxy.
        prompt: characters of a prompt.
        n: images a request.
        upload: bytes of an uploaded image.
        pixels: of an uploaded image, and of an answer.
        moderation: "module:function", or an entry point's name: called with each prompt, negative prompt and text of
            what an image shows, it returns why they are refused, or None.
        log_prompts: whether the log says what was asked for.
        beside: small weights; the first run with each of them is a further model.
        watch: further runs, which may still train, that the page shows.
    """

    runs: tuple[str | Path, ...] = ()
    host: str = "127.0.0.1"
    port: int = 8000
    api_key: str = ""
    strict: bool = False
    slots: int = 8
    waiting: int = 64
    memory: int = 2000 * MEGA
    cors: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()
    prompt: int = 1000
    n: int = 10
    upload: int = 10 * MEGA
    pixels: int = 4096 * 4096
    moderation: str = ""
    log_prompts: bool = False
    beside: tuple[Lora, ...] = ()
    watch: tuple[str | Path, ...] = ()

    @property
    def known_hosts(self) -> frozenset[str]:
        """What a request's Host header may say, without the port. An address for all ("0.0.0.0") is no name."""
        own = () if self.host in ("0.0.0.0", "::") else (self.host,)
        return frozenset(name.lower() for name in (*LOOPBACK, *own, *self.hosts))
