"""The `unclip` command. What is heavy is imported inside the commands, so that `--help` is quick."""

from collections.abc import Callable

from cyclopts import App, CycloptsError, Group, Parameter, UnknownOptionError
from rich.text import Text

import unclip
from unclip.cli.arguments.numbers import strict_number
from unclip.cli.arguments.plugin import pluggable
from unclip.cli.drawing.edit import edit, extend
from unclip.cli.drawing.generate import generate
from unclip.cli.drawing.manipulate import blend, diff, invert, probe, vary
from unclip.cli.drawing.upsample import upsample
from unclip.cli.inspection.classify import classify
from unclip.cli.inspection.data import data, pack, shapes
from unclip.cli.inspection.diagnose import diagnose
from unclip.cli.inspection.info import info
from unclip.cli.inspection.pack_run import pack_run
from unclip.cli.inspection.search import search
from unclip.cli.measurement.compare import compare
from unclip.cli.measurement.compare_priors import compare_priors
from unclip.cli.measurement.doctor import doctor
from unclip.cli.measurement.evaluate import evaluate
from unclip.cli.measurement.explain import explain
from unclip.cli.measurement.study import study
from unclip.cli.screen.console import ERR, OUT, Screen, line
from unclip.cli.serving.serve import serve
from unclip.cli.sharing.course import course
from unclip.cli.sharing.export import export
from unclip.cli.sharing.push import push
from unclip.cli.sharing.take_in import import_
from unclip.cli.training.add import add
from unclip.cli.training.demo import demo
from unclip.cli.training.distill import distill
from unclip.cli.training.train import train

WORDS = ("generate", "edit", "extend", "search")
"""Commands that take a sentence, which may begin with a dash."""


def usage_error(error: CycloptsError) -> Text:
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
    default_parameter=Parameter(converter=strict_number),
    console=Screen(OUT),
    error_console=Screen(ERR),
    error_formatter=usage_error,
)
GROUPS: dict[str, tuple[Callable[..., None], ...]] = {
    "Train": (doctor, train, add, distill, demo),
    "Look at data, pack it, draw some": (data, pack, shapes),
    "Draw": (generate, upsample),
    "Serve": (serve,),
    "Work on images": (edit, extend, vary, blend, diff, invert),
    "Ask a model about images": (classify, search, probe),
    "Measure, explain": (info, diagnose, evaluate, compare, compare_priors, study, explain, course),
    "Hand on, take in": (pack_run, export, push, import_),
}
"""What the commands are for, in the order in which `unclip --help` shows them."""
PLAIN = (data, pack, shapes, demo, pack_run, course)
"""Those that read no settings of a user's and build no network."""
for number, (purpose, commands) in enumerate(GROUPS.items()):
    group = Group(purpose, sort_key=number)
    for place, command in enumerate(commands):
        app.command(command if command in PLAIN else pluggable(command), group=group, sort_key=place)
