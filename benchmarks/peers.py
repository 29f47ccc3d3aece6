"""Ours beside others that draw without captions: the same images, the same minutes, the same judges.

    python benchmarks/peers.py train NAME SETTING DATA OUT --minutes 30 [--later]
    python benchmarks/peers.py draw NAME SETTING DATA OUT
    python benchmarks/peers.py score DATA OUT

NAME: ours, diffusers or denoising-diffusion-pytorch; SETTING: default, small, best (or tiny, for a test). DATA: a
folder of images, of which OUT/data is prepared at 32 px; 80 % are trained on, 10 % judge, 10 % are left for choices.

train keeps the averaged weights after 2, 5, 10, 20 and 30 minutes of training and draws 512 pictures of each (--later
leaves that to draw). Learning rates are planned over --horizon minutes, whatever --minutes says: a later call with
more minutes goes on where the one before has stopped. draw also draws by the last weights with 10, 25, 50 and 250
steps. What would take longer than --most seconds is drawn with fewer pictures, or not at all, and says so. score prints
Markdown tables and writes OUT/scores.json and OUT/sheet.png. docs/records.md says what it needs and has found.
"""

import argparse
import importlib
from pathlib import Path

from peer_kinds import scoring, tables
from peer_kinds.campaign import train
from peer_kinds.drawing import draw_marks, draw_steps
from peer_kinds.protocol import SETTINGS, Job, Peer

from unclip.core import machine
from unclip.core.disk import atomic, store
from unclip.data.prepare.splits import copies, split_rows
from unclip.data.prepare.write import prepare
from unclip.data.source import open_source
from unclip.images.files import save_picture

PEERS = {
    "ours": ("ours", "Ours"),
    "diffusers": ("diffusers_recipe", "Diffusers"),
    "denoising-diffusion-pytorch": ("denoising_diffusion", "DenoisingDiffusion"),
}
"""Name -> module of peer_kinds, and the class in it."""
HELD_OUT = 0.1
"""A tenth to judge by, for a Frechet distance wants more images than there are features."""


def main() -> None:
    """Trains, draws or scores."""
    asked = arguments().parse_args()
    machine.prepare_memory()
    prepared = prepare(open_source(asked.data, captioned=False), asked.out / "data", asked.size, 1.0, captioned=False)
    splits = split_rows(prepared.keys, copies(prepared), HELD_OUT)
    job = Job(prepared, splits, 60 * asked.horizon)
    if asked.what == "score":
        found = scoring.score(job, asked.out)
        atomic.write_atomic(asked.out / "scores.json", store.to_json(found))
        save_picture(scoring.sheet(job, asked.out, found), asked.out / "sheet.png")
        print(tables.tables(found), end="")
        return
    if asked.what == "train" and not 0 < asked.minutes <= asked.horizon:
        raise SystemExit(f"--minutes {asked.minutes:g}: more than 0, and at most --horizon {asked.horizon:g}")
    work(peer(asked.name, asked.setting, job), job, asked)


def work(who: Peer, job: Job, asked: argparse.Namespace) -> None:
    """Trains and draws, or draws alone; says each line as it comes."""
    place = asked.out / f"{asked.name}-{asked.setting}"
    if asked.what == "train":
        for line in train(who, job, place, asked.minutes):
            print(line, flush=True)
    if asked.what == "draw" or not asked.later:
        for line in draw_marks(who, job, place, asked.most):
            print(line, flush=True)
    if asked.what == "draw":
        for line in draw_steps(who, job, place, asked.most):
            print(line, flush=True)


def peer(name: str, setting: str, job: Job) -> Peer:
    """The peer of this name; its packages are imported only now."""
    module, kind = PEERS[name]
    return getattr(importlib.import_module(f"peer_kinds.{module}"), kind)(setting, job)


def arguments() -> argparse.ArgumentParser:
    """What can be typed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="what", required=True)
    for what in ("train", "draw", "score"):
        command = commands.add_parser(what)
        if what != "score":
            command.add_argument("name", choices=[*PEERS])
            command.add_argument("setting", choices=SETTINGS)
            command.add_argument("--most", type=float, default=600.0, help="seconds for one set of pictures")
        command.add_argument("data", type=Path)
        command.add_argument("out", type=Path)
        command.add_argument("--size", type=int, default=32)
        command.add_argument("--horizon", type=float, default=30.0, help="minutes of the whole plan")
        if what == "train":
            command.add_argument("--minutes", type=float, default=30.0)
            command.add_argument("--later", action="store_true", help="draw nothing yet")
    return parser


if __name__ == "__main__":
    main()
