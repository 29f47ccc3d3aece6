"""`unclip serve`: finished models behind the OpenAI Images API, and a page to play with."""

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from unclip.cli.arguments.beside import SCALE, small
from unclip.cli.arguments.device import on_device
from unclip.cli.errors import guarded

PACKAGES = {
    "fastapi": "fastapi",
    "fastapi_offline": "fastapi-offline",
    "greenlet": "greenlet",
    "uvicorn": "uvicorn",
    "python_multipart": "python-multipart",
    "prometheus_client": "prometheus-client",
}
"""What is imported -> the package that holds it: the extra `serve`."""


@Parameter(name="*")
@dataclass(frozen=True)
class Access:
    """Who may ask, and from where."""

    api_key: Annotated[
        str | None, Parameter(help="What clients must send as their API key.", env_var="UNCLIP_API_KEY")
    ] = None
    insecure: Annotated[
        bool, Parameter(help="Listen beyond this machine without a key: whoever reaches it may draw.", negative="")
    ] = False
    allow_host: Annotated[
        tuple[str, ...], Parameter(help="A further name that it is reached by, as behind a proxy.", negative="")
    ] = ()
    cors: Annotated[
        tuple[str, ...],
        Parameter(help="A web origin whose pages may ask it, as https://example.org.", negative=""),
    ] = ()
    strict: Annotated[
        bool, Parameter(help="Know the runs' own names only, not dall-e-2, gpt-image-1 ...", negative="")
    ] = False
    moderation: Annotated[
        str, Parameter(help="MODULE:FUNCTION or an entry point, called with each prompt: returns why it is refused.")
    ] = ""
    log_prompts: Annotated[bool, Parameter(help="Write prompts into the log.", negative="")] = False

    def check(self, host: str) -> None:
        """Raises ValueError where anybody on the network could draw, and nobody has said that this is meant."""
        from unclip.serving.options import is_loopback

        if not is_loopback(host) and not (self.api_key or self.insecure):
            raise ValueError(
                f"--host {host}: other machines could reach it; give --api-key KEY (or UNCLIP_API_KEY), or say "
                "--insecure"
            )


@Parameter(name="*")
@dataclass(frozen=True)
class Limits:
    """How much at once."""

    slots: Annotated[int, Parameter(help="Images that are drawn at once.")] = 8
    waiting: Annotated[int, Parameter(help="Images that may wait; beyond that clients are told to come back.")] = 64
    memory: Annotated[int, Parameter(help="MB of weights held at once; the least used run is given up beyond.")] = 2000
    longest_prompt: Annotated[int, Parameter(help="Characters that a prompt may have.")] = 1000

    def check(self) -> None:
        """Raises ValueError for a limit below 1."""
        if min(vars(self).values()) < 1:
            raise ValueError("--slots, --waiting, --memory and --longest-prompt are whole numbers from 1")


@guarded
@on_device
def serve(
    *runs: Annotated[Path, Parameter(help="Finished runs, or box:NAME; by default the model that ships with unclip.")],
    host: Annotated[str, Parameter(help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, Parameter(help="The port to listen on.")] = 8000,
    lora: Annotated[
        tuple[Path, ...],
        Parameter(
            help="Small weights of a run that was trained with --lora: the first run with them is a further model, "
            "called as that run.",
            negative="",
        ),
    ] = (),
    lora_scale: SCALE = None,
    watch: Annotated[
        tuple[Path, ...], Parameter(help="A run, finished or not, whose training the page shows.", negative="")
    ] = (),
    access: Access = Access(),
    limits: Limits = Limits(),
) -> None:
    """Serve models to OpenAI clients (base_url=http://127.0.0.1:8000/v1), with a page at /.

    Ctrl-C or SIGTERM finishes what is being drawn, then ends. Example: unclip serve runs/mine --port 8000
    """
    check_packages()
    access.check(host)
    limits.check()
    if not 1 <= port <= 65535:
        raise ValueError(f"--port {port}: a port is a number from 1 to 65535")
    from unclip.cli.screen.console import stderr
    from unclip.serving.app import serve as serving
    from unclip.serving.options import MEGA, ServeOptions

    options = ServeOptions(
        runs=runs,
        beside=tuple(laid for path in lora or (None,) if (laid := small(path, lora_scale))),
        host=host,
        port=port,
        watch=watch,
        slots=limits.slots,
        waiting=limits.waiting,
        memory=limits.memory * MEGA,
        prompt=limits.longest_prompt,
        api_key=access.api_key or "",
        strict=access.strict,
        hosts=access.allow_host,
        cors=access.cors,
        moderation=access.moderation,
        log_prompts=access.log_prompts,
    )
    serving(options, lambda told: stderr().print(told))


def check_packages() -> None:
    """Raises ValueError that says what to install where the extra is missing."""
    from unclip.core.imports.missing import install

    if missing := [package for module, package in PACKAGES.items() if find_spec(module) is None]:
        raise ValueError(install("serving needs", *missing))
