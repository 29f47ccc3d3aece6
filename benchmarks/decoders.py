"""The decoder of a finished run trained anew by another preset, on the same CLIP, prior, data and splits.

    python benchmarks/decoders.py RUN OUT --preset codes-tiny --steps 500

OUT is a run like any other, for `unclip evaluate` and `unclip compare`; prints what training says.
"""

import argparse
import shutil
from dataclasses import replace
from pathlib import Path

from unclip.core import machine
from unclip.data.prepare.read import load_prepared
from unclip.recipes.context import Context
from unclip.recipes.events import Progress
from unclip.recipes.presets import PRESETS
from unclip.recipes.settings.run import RunConfig, retrained, stored_config, write_settings
from unclip.recipes.stage_run import StageRun
from unclip.recipes.stages import DecoderRecipe
from unclip.runs.folder import RunFolder
from unclip.runs.pack import copy_model

EVERY = 25
"""Steps between two lines."""


def copy(run: RunFolder, out: RunFolder) -> None:
    """Copies all of a run but its decoder, and what only its training left."""
    copy_model(run, out.root, [name for name in run.stages if name != DecoderRecipe.name])
    shutil.copytree(run.data, out.data)
    shutil.copyfile(run.splits, out.splits)
    out.forget(DecoderRecipe.name)


def settings(run: RunFolder, preset: str, steps: int) -> RunConfig:
    """The run's, with the decoder of the preset; one thread, so that a core is enough."""
    config = stored_config(run.settings)
    decoder = retrained(PRESETS[preset](config.size).of(DecoderRecipe), steps=steps)
    return replace(config.using(decoder=decoder), workers=1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--preset", required=True, choices=sorted(PRESETS))
    parser.add_argument("--steps", type=int, required=True)
    asked = parser.parse_args()
    machine.prepare_memory()
    run = RunFolder(asked.out)
    with run.writing():
        copy(RunFolder(asked.run), run)
        config = settings(run, asked.preset, asked.steps)
        write_settings(run.settings, config)
        ctx = Context(run, config, load_prepared(run.data), machine.device(), config.precision)
        for event in StageRun(ctx, DecoderRecipe.name).events():
            if not isinstance(event, Progress) or event.report.step % EVERY == 0:
                print(event, flush=True)


if __name__ == "__main__":
    main()
