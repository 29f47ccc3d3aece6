"""The `unclip` command. What is heavy is imported inside the commands, so that `--help` is quick."""

import re

from cyclopts import App, ArgumentCollection, CoercionError, CycloptsError, UnknownOptionError
from rich.text import Text

import unclip
from unclip.cli.add import add
from unclip.cli.classify import classify
from unclip.cli.compare_priors import compare_priors
from unclip.cli.console import ERR, OUT, Screen, line
from unclip.cli.data import data, pack, shapes
from unclip.cli.demo import demo
from unclip.cli.edit import edit, extend
from unclip.cli.evaluate import evaluate
from unclip.cli.explain import explain
from unclip.cli.generate import generate
from unclip.cli.info import info
from unclip.cli.manipulate import blend, diff, invert, probe, vary
from unclip.cli.pack_run import pack_run
from unclip.cli.search import search
from unclip.cli.study import study
from unclip.cli.train import train
from unclip.cli.upsample import upsample

WORDS = ("generate", "edit", "extend", "search")
"""Commands that take a sentence, which may begin with a dash."""


def check_whole_numbers(app: App, commands: tuple[str, ...], arguments: ArgumentCollection) -> None:
    """Where a whole number is asked for, 2.5 is refused: cyclopts would round it."""
    for argument in arguments:
        if not {int, int | None} & {argument.hint}:
            continue
        for token in argument.tokens:
            if re.fullmatch(r"[+-]?\d+", token.value) is None:
                name = token.keyword or argument.name
                raise CoercionError(f"{name}: {token.value!r} is no whole number", argument=argument, token=token)


def told(error: CycloptsError) -> Text:
    """A command that cannot be understood, in one line."""
    words = " ".join(str(error).split())
    command, *_ = error.command_chain or ("",)
    if (
        isinstance(error, UnknownOptionError)
        and command in WORDS
        and " " in error.token.value + (error.token.keyword or "")
    ):
        words += f" Words that begin with a dash stand last, after --: unclip {command} --run RUN -- '-5 degrees'"
    return line(("error: ", "bold red"), words)


app = App(
    name="unclip",
    help="Train your own DALL-E 2 (unCLIP) from a folder of captioned images.",
    version=unclip.__version__,
    version_flags=["--version"],
    help_format="plaintext",  # Markdown would take a third of the time of --help to import
    console=Screen(OUT),
    error_console=Screen(ERR),
    error_formatter=told,
    config=check_whole_numbers,
)
for command in (train, add, generate, edit, extend, vary, blend, diff, invert, probe, classify, search, evaluate):
    app.command(command)
for command in (study, upsample, compare_priors, explain, info, data, pack, pack_run, shapes, demo):
    app.command(command)
