"""Random settings out of their range, through the command line's own parsing; forged files of runs, through loading.

    python benchmarks/fuzz_settings.py [--count 2000] [--seed 0]

Counts what came of each: refused in one line that names the setting and its value (or the file); taken, because what
was drawn is possible; a traceback; a hang. Says how much memory was taken beyond the start. Ends with 1 where there was
a traceback, a hang, a line that names nothing, or more than 500 MB.
"""

import argparse
import json
import random
import resource
import signal
import sys
import tempfile
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import tomli_w

import unclip
from unclip.cli.inspection.info import show_run
from unclip.cli.main import app
from unclip.cli.training.train import choose
from unclip.clip.model import CLIP, CLIPConfig
from unclip.clip.text import TextConfig
from unclip.clip.vision import VisionConfig
from unclip.core.disk import store
from unclip.core.noise import initial_weights
from unclip.models.decoder import Decoder, DecoderConfig
from unclip.models.priors.diffusion import Prior, PriorConfig
from unclip.nn.backbones.unet import UNetConfig
from unclip.nn.prior.caption_net import PriorNetConfig
from unclip.recipes.presets import PRESETS
from unclip.recipes.settings.run import stored_config, write_settings
from unclip.runs.folder import RunFolder
from unclip.text.tokenizer import Tokenizer

SECONDS, WAITING = 20, 300
"""A case that computes for longer hangs, or that takes longer by the clock."""
MEMORY = 500
"""MB beyond the start."""
NUMBERS = (-8, -1, 0, 1, 3, 7, 10**6, 60_000, 10**12, 10**400, 2**63, -(2**63), 0.5, -0.5, 1e300, -1e300, 1e-300)
WORDS = (float("nan"), float("inf"), float("-inf"), True, False, None, "", "x", "nan", "../..", "\x1b[31m", "é" * 500)
TABLES = ({}, {"kind": "os.system"}, {"kind": ["x"]}, {"a": {"b": 1}})
LISTS = ([], [1], [60_000, 60_000], [-1, 2], ["a"], [[]], [0] * 5000)
EVIL: tuple[Any, ...] = (*NUMBERS, *WORDS, *TABLES, *LISTS)
"""What a forger writes in the place of a value."""


STAGES = ("clip", "prior", "decoder")


class Hang(BaseException):
    """A case did not end; other programs may have the cores, so the clock alone does not tell."""


@contextmanager
def limited() -> Iterator[None]:
    """Ends what hangs."""

    def ring(*_: object) -> None:
        raise Hang

    clocks = ((signal.SIGPROF, signal.ITIMER_PROF, SECONDS), (signal.SIGALRM, signal.ITIMER_REAL, WAITING))
    before = {number: signal.signal(number, ring) for number, _, _ in clocks}
    for _, clock, seconds in clocks:
        signal.setitimer(clock, seconds)
    try:
        yield
    finally:
        for number, clock, _ in clocks:
            signal.setitimer(clock, 0)
            signal.signal(number, before[number])


def leaves(table: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The paths of all values of tables and lists."""
    parts = table.items() if isinstance(table, dict) else enumerate(table) if isinstance(table, list) else ()
    return [path, *(leaf for key, part in parts for leaf in leaves(part, (*path, key)))] if path else [
        leaf for key, part in parts for leaf in leaves(part, (key,))
    ]  # fmt: skip


def as_toml(value: Any) -> str:
    """A value as a person would type it after `=`."""
    if isinstance(value, float):
        return str(value)
    return "none" if value is None else tomli_w.dumps({"v": value}).partition("=")[2].strip().replace("\n", "")


def wrong_words(draw: random.Random) -> tuple[list[str], str]:
    """The words of an `unclip train` with a setting that can hardly be, and what its error must name."""
    name = draw.choice(list(PRESETS))
    table = PRESETS[name](draw.choice((32, 64))).to_dict()
    path = [str(part) for part in draw.choice(leaves(table)) if not isinstance(part, int)]
    value = draw.choice([value for value in EVIL if not isinstance(value, dict) or value])
    if draw.random() < 0.15:
        path[-1] = path[-1][:-1] + draw.choice("xyz")  # a slip of the hand
    words = ["train", "shapes", "--out", "nowhere", "--preset", name, "--set", f"{'.'.join(path)}={as_toml(value)}"]
    return words, path[-1]


def parsed(words: list[str]) -> None:
    """What `unclip train` does before it begins."""
    command, bound, _ = app.parse_args(words, exit_on_error=False, print_error=False)
    assert command.__name__ == "train"
    of = bound.arguments
    choose(of["data"], of["out"], of["given"], "train", {})


def make_run(folder: Path) -> RunFolder:
    """A finished run of networks that have learned nothing, small enough to be loaded hundreds of times."""
    run, config = RunFolder(folder), PRESETS["tiny"](32)
    write_settings(run.settings, config)
    tokenizer = Tokenizer.train(["a red heart", "two blue cats"], 300)
    tokenizer.save(run.tokenizer)
    text = TextConfig(tokenizer.size, tokenizer.context, 32, 1, 1)
    clip = CLIPConfig(text, VisionConfig(32, stem=(8, 16), width=32, layers=1, heads=1), 16)
    net = UNetConfig(patch=4, widths=(16,), blocks=(1,), attention=(True,), head_width=16, embedding=32, fine=0)
    net = UNetConfig(**{**vars(net), "vector_width": 16 + 32, "token_width": 32})
    prior = PriorConfig(network=PriorNetConfig(16, 32, tokenizer.context, 32, 1, 1))
    decoder = DecoderConfig(net, size=32, embedding_width=16, text=text)
    with initial_weights("fuzz"):
        made = {"clip": (clip, CLIP(clip)), "prior": (prior, Prior(prior)), "decoder": (decoder, Decoder(decoder))}
    for stage, (settings, module) in made.items():
        store.save(folder / stage, stage, settings.to_dict(), module.state_dict())
    metrics = {"parameters": 1000, "steps": 10, "seconds": 1.5}
    for stage in ("data", "tokenizer", *STAGES):
        run.finish(stage, {"passed": True, "why": "made", "metrics": metrics | {"tokens": 300, "context": 8}})
    return run


def forged(path: Path, draw: random.Random) -> str:
    """The text of a file with one thing about it changed."""
    text = path.read_text(encoding="utf-8")
    if draw.random() < 0.2:
        return broken(text, draw)
    import tomllib

    is_json = path.suffix == ".json"
    table = json.loads(text) if is_json else tomllib.loads(text)
    *way, last = draw.choice(leaves(table))
    inner = table
    for key in way:
        inner = inner[key]
    fate = draw.random()
    if fate < 0.15 and isinstance(inner, dict):
        del inner[last]
    elif fate < 0.3 and isinstance(inner, dict):
        inner[draw.choice(("tpyo", "kind", "", "__class__", "model"))] = draw.choice(EVIL)
    else:
        inner[last] = draw.choice(EVIL)
    if is_json:
        return json.dumps(table)
    return tomli_w.dumps(without_none(table))


def without_none(part: Any) -> Any:
    """TOML has no null."""
    if isinstance(part, dict):
        return {str(k): without_none(v) for k, v in part.items() if v is not None}
    return [without_none(v) for v in part if v is not None] if isinstance(part, list) else part


def broken(text: str, draw: random.Random) -> str:
    """Cut, flipped, doubled, or something else altogether."""
    place = draw.randrange(len(text))
    return draw.choice(
        (
            text[:place],
            text[:place] + chr(draw.randrange(1, 0x2FF)) + text[place + 1 :],
            text[place:],
            text + text,
            "[" * 100_000,
            "",
            "3",
            '{"a": ' * 3000,
            "null",
            text.replace("1", "9" * 5000, 1),
        )
    )


def damaged(data: bytes, draw: random.Random) -> bytes:
    """Weights cut short, with other bytes, or with another head."""
    length = int.from_bytes(data[:8], "little")
    head, rest = data[8 : 8 + length], data[8 + length :]
    fate = draw.random()
    if fate < 0.2:
        return data[: draw.randrange(len(data))]
    if fate < 0.5:
        changed = bytearray(data)
        for _ in range(draw.randint(1, 20)):
            changed[draw.randrange(draw.choice((8, 8 + length, len(data))))] = draw.randrange(256)
        return bytes(changed)
    table = json.loads(head)
    *way, last = draw.choice(leaves(table))
    inner = table
    for key in way:
        inner = inner[key]
    if fate < 0.6 and isinstance(inner, dict):
        del inner[last]
    else:
        inner[last] = draw.choice((*EVIL, "F32", "F64", "BF16", "I8", "BOOL"))
    forged_head = json.dumps(table).encode()
    told = len(forged_head) if draw.random() < 0.9 else draw.choice((0, 7, 2**31, 2**63, 2**64 - 1))
    return told.to_bytes(8, "little") + forged_head + rest


def sealed(folder: Path) -> None:
    """Writes the right hashes beside what was forged, so that not they but what reads it must find it."""
    place = folder / store.HEAD
    try:
        head = json.loads(place.read_text(encoding="utf-8"))
        head["sha256"][store.WEIGHTS] = store.sha256(folder / store.WEIGHTS)
        head["sha256"][store.HEAD] = store._digest(head)
    except (ValueError, TypeError, KeyError, RecursionError):
        return
    place.write_text(json.dumps(head), encoding="utf-8")


def load_forged(run: RunFolder, draw: random.Random) -> tuple[Callable[[], None], str]:
    """Forges a file of the run and says how it is read; the error must name the file, or the folder."""
    files = [run.settings, run.root / "state.json", run.tokenizer]
    files += [run.root / stage / name for stage in STAGES for name in (store.HEAD, store.WEIGHTS)]
    path = draw.choice(files)
    if path.name == store.WEIGHTS:
        path.write_bytes(damaged(path.read_bytes(), draw))
    else:
        path.write_text(forged(path, draw), encoding="utf-8", errors="replace")
    if path.parent.name in STAGES and draw.random() < 0.6:
        sealed(path.parent)

    def read() -> None:
        stored_config(run.settings)
        show_run(run.root, lambda *_, **__: None)
        unclip.load(run.root, "cpu")

    return read, run.root.name


def outcome(act: Callable[[], None], name: str) -> str:
    """What came of a case; "traceback" and "hang" are wrong, and so is "unnamed"."""
    try:
        with limited():
            act()
    except Hang:
        return "hang"
    except (ValueError, OSError) as error:
        line = str(error)
        return "refused" if name in line and "\n" not in line and "\x1b" not in line else f"unnamed: {line[:300]!r}"
    except BaseException as error:
        return "".join(traceback.format_exception(error)[-3:]) if type(error).__module__ != "cyclopts" else "refused"
    return "taken"


def settings_cases(count: int, seed: int) -> Iterator[tuple[str, str]]:
    """(what was typed, what came of it) for `count` settings."""
    for number in range(count):
        words, name = wrong_words(random.Random(f"{seed} settings {number}"))
        yield " ".join(words)[:300], outcome(lambda words=words: parsed(words), name)


def forged_cases(count: int, seed: int) -> Iterator[tuple[str, str]]:
    """The same for forged files."""
    with tempfile.TemporaryDirectory(prefix="unclip-forged-") as folder:
        run = make_run(Path(folder))
        kinds = (".json", ".toml", ".safetensors")
        files = {path: path.read_bytes() for path in run.root.rglob("*") if path.suffix in kinds}
        for number in range(count):
            act, name = load_forged(run, random.Random(f"{seed} forged {number}"))
            changed = next(map(str, other(files)), "nothing")
            yield f"case {number}: {changed}", outcome(act, name)
            for path in [*other(files)]:
                path.write_bytes(files[path])


def other(files: dict[Path, bytes]) -> Iterator[Path]:
    """Those that hold something else now."""
    return (path for path, data in files.items() if not path.exists() or path.read_bytes() != data)


def memory() -> float:
    """The most that this process has held, MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> int:
    """Runs both kinds and prints the counts."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--count", type=int, default=2000)
    options.add_argument("--seed", type=int, default=0)
    asked, wrong = options.parse_args(), 0
    start = memory()
    for kind, cases in (("settings", settings_cases), ("forged files", forged_cases)):
        found: Counter[str] = Counter()
        for what, came in cases(asked.count, asked.seed):
            good = came in ("refused", "taken")
            found[came if good or came == "hang" else "unnamed" if came.startswith("unnamed") else "traceback"] += 1
            wrong += not good
            if not good:
                print(f"{kind}: {what}\n    {came}", flush=True)
        print(f"{kind}: {dict(found)}, {memory() - start:.0f} MB more than at the start", flush=True)
    return int(wrong > 0 or memory() - start > MEMORY)


if __name__ == "__main__":
    sys.exit(main())
