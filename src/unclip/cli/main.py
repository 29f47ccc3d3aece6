"""The `unclip` command. What is heavy is imported inside the commands, so that `--help` is quick."""

from cyclopts import App

import unclip
from unclip.cli.add import add
from unclip.cli.classify import classify
from unclip.cli.compare_priors import compare_priors
from unclip.cli.data import data, pack, shapes
from unclip.cli.demo import demo
from unclip.cli.edit import edit, extend
from unclip.cli.evaluate import evaluate
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
)
for command in (train, add, generate, edit, extend, vary, blend, diff, invert, probe, classify, search, evaluate):
    app.command(command)
for command in (study, upsample, compare_priors, explain, info, data, pack, shapes, demo):
    app.command(command)
