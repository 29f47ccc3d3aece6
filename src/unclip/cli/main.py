"""The `unclip` command. What is heavy is imported inside the commands, so that `--help` is quick."""

from collections.abc import Callable

from cyclopts import App, Group, Parameter

import unclip
from unclip.cli.add import add
from unclip.cli.classify import classify
from unclip.cli.compare_priors import compare_priors
from unclip.cli.data import data, pack, shapes
from unclip.cli.demo import demo
from unclip.cli.edit import edit, extend
from unclip.cli.evaluate import evaluate
from unclip.cli.exact import exact
from unclip.cli.explain import explain
from unclip.cli.generate import generate
from unclip.cli.info import info
from unclip.cli.manipulate import blend, diff, invert, probe, vary
from unclip.cli.search import search
from unclip.cli.study import study
from unclip.cli.train import train
from unclip.cli.upsample import upsample

app = App(
    name="unclip",
    help="Train your own DALL-E 2 (unCLIP) from a folder of captioned images.",
    version=unclip.__version__,
    version_flags=["--version"],
    help_format="plaintext",  # Markdown would take a third of the time of --help to import
    default_parameter=Parameter(converter=exact),
)
GROUPS: dict[str, tuple[Callable[..., None], ...]] = {
    "Train": (train, add, demo),
    "Look at data, pack it, draw some": (data, pack, shapes),
    "Draw": (generate, upsample),
    "Work on pictures": (edit, extend, vary, blend, diff, invert),
    "Ask a model about pictures": (classify, search, probe),
    "Measure and explain": (info, evaluate, compare_priors, study, explain),
}
"""What the commands are for, in the order in which `unclip --help` shows them."""
for number, (purpose, commands) in enumerate(GROUPS.items()):
    group = Group(purpose, sort_key=number)
    for place, command in enumerate(commands):
        app.command(command, group=group, sort_key=place)
