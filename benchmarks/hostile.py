"""Feeds hostile images, archives and metadata to the commands that read them, and counts what comes back.

    python benchmarks/hostile.py [--count 1000] [--seed 0]

Each case is a folder or file made by (seed, number): images with forged headers, flipped bytes, bombs, other formats
under false names, hostile text; tars and Parquet files that are cut, forged, too large or badly named; captions with
control characters. `unclip data`, `unclip info` and the reader of edited images are called on it, as a person would.
A case is good where each call ends by itself after 20 seconds of computing at the most, exits with 0 or 2, prints no
traceback and no control character, and the process grows by less than 500 MB. Exits with 1 where a case is not good.
"""

import argparse
import contextlib
import gzip
import importlib
import io
import json
import random
import resource
import shutil
import signal
import struct
import sys
import tarfile
import tempfile
import traceback
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngInfo

MOST_MB = 500
SECONDS, WAITING = 20, 300
CLOCKS = ((signal.SIGPROF, signal.ITIMER_PROF, SECONDS), (signal.SIGALRM, signal.ITIMER_REAL, WAITING))
CONTROLS = {chr(c) for c in range(32)} - {"\n"} | {"\x7f", "\u202e", "\u2028"}


class Hang(BaseException):
    """A call that did not end by itself; no OSError, which a command would tell in a line."""


def picture(rng: random.Random, kind: str = "png", size: int = 40) -> bytes:
    """A sound image of random pixels."""
    pixels = np.random.default_rng(rng.getrandbits(32)).integers(0, 256, (size, size, 3), dtype=np.uint8)
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, {"jpg": "jpeg", "tif": "tiff"}.get(kind, kind))
    return out.getvalue()


def flipped(rng: random.Random, data: bytes) -> bytes:
    """1 to 30 bytes changed."""
    changed = bytearray(data)
    for _ in range(rng.randint(1, 30)):
        changed[rng.randrange(len(changed))] = rng.randrange(256)
    return bytes(changed)


def chunk(name: bytes, body: bytes) -> bytes:
    """A PNG chunk with a right checksum."""
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def forged_png(rng: random.Random) -> bytes:
    """A PNG whose header promises what its data do not hold."""
    width, height = (rng.choice([0, 1, 7, 4000, 12_000, 65_535, 2**31 - 1]) for _ in range(2))
    depth, colour = rng.choice([1, 2, 4, 8, 16, 3, 200]), rng.choice([0, 2, 3, 4, 6, 7, 255])
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, rng.choice([0, 1, 9]))
    body = zlib.compress(bytes(rng.choice([0, 10, 10_000])))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


def bomb_png(rng: random.Random) -> bytes:
    """A real image of one colour, small on disk and huge in memory."""
    return _bomb_png(rng.choice([6000, 9000, 12_000]))


@cache
def _bomb_png(side: int) -> bytes:
    row = zlib.compressobj(9)
    data = b"".join(row.compress(bytes(1 + side)) for _ in range(side)) + row.flush()
    header = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


HOSTILE_TEXT = (
    "[]", "{", "null", "1e999", '"\\ud800"', '{"command": "curl http://x | sh"}', '{"prompt": "\\u001b[2J", "seed": 1}',
    '{"seed": "x", "model": 7, "sampling": [], "stages": 3}', '{"model": "../../etc", "prompt": ["a"], "n": 1e300}',
    '{"made": {"command": "rm -rf", "of": ["/"], "options": {"x": {}}}, "model": "a"}', "{" * 20_000, "A" * 3_000_000,
)  # fmt: skip


def texted_png(rng: random.Random) -> bytes:
    """A sound PNG whose text says what it should not."""
    about = PngInfo()
    text = rng.choice(HOSTILE_TEXT)
    about.add_itxt("unclip", text, zip=rng.random() < 0.3)
    if rng.random() < 0.3:
        about.add_text("workflow", "w" * rng.choice([10, 2_000_000]), zip=True)
    out = io.BytesIO()
    Image.new("RGB", (40, 40), "red").save(out, "png", pnginfo=about)
    return out.getvalue()


STRANGERS = (
    b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 40 40\n(x) run\n", b"%PDF-1.7\n", b"<svg xmlns='x' width='9'/>", b"",
    b"\x00" * 64, b"GIF89a\xff\xff\xff\xff\x00\x00\x00", b"RIFF\xff\xff\xff\xffWEBPVP8 ", b"II*\x00\xff\xff\xff\xff",
    b"P6 99999 99999 255\n", b"\x00\x00\x00 ftypheic", b"BM\xff\xff\xff\x7f", b"qoif\xff\xff\xff\xff",
)  # fmt: skip
NAMES = (
    "a.png",
    "\x1b[31mred.png",
    "x\u202egnp.png",
    "-rf.png",
    "[bold].png",
    "a\nb.png",
    "é.png",
    "e\u0301.png",
    " .png",
)
CAPTIONS = (
    "a cup",
    "\x1b]0;owned\x07",
    "\u202etxet",
    "[/bold]",
    "\x00",
    "",
    "a" * 100_000,
    "\ud800".encode("utf-8", "surrogatepass"),
)


def pictures(rng: random.Random, place: Path) -> None:
    """A folder of captioned images, some of them hostile."""
    makers: list[Callable[[random.Random], bytes]] = [
        forged_png,
        texted_png,
        lambda r: flipped(r, picture(r, r.choice(["png", "jpg", "webp", "gif", "bmp", "tif"]))),
        lambda r: picture(r)[: r.randrange(1, 400)],
        lambda r: r.choice(STRANGERS),
        lambda r: picture(r, r.choice(["jpg", "bmp", "tif", "ppm"])),
    ]
    if rng.random() < 0.03:
        makers = [bomb_png]
    for i in range(rng.randint(1, 4)):
        name = f"{i}-{rng.choice(NAMES)}"
        if rng.random() < 0.3:
            name = name.removesuffix("png") + rng.choice(["jpg", "webp", "gif", "tiff", "jfif", "eps"])
        (place / name).write_bytes(rng.choice(makers)(rng))
        caption = rng.choice(CAPTIONS)
        (place / name).with_suffix(".txt").write_bytes(
            caption if isinstance(caption, bytes) else caption.encode("utf-8", "replace")
        )
    (place / "good.png").write_bytes(picture(rng))
    (place / "good.txt").write_text("a good one", encoding="utf-8")


def metadata(rng: random.Random, place: Path) -> None:
    """Sound images with hostile metadata."""
    (place / "0.png").write_bytes(picture(rng))
    lines = [json.dumps({"file_name": "0.png", "text": "a cup"})]
    for _ in range(rng.randint(1, 5)):
        row = {
            "file_name": rng.choice(
                ["0.png", "../../etc/passwd", "/etc/passwd", "\x1b[31m", 7, None, ["0.png"], "0.png\x00"]
            )
        }
        row["text"] = rng.choice(["a", ["a", "b"], {"a": 1}, 5, None, "\u202eabc", "x" * 50_000])  # pyright: ignore
        lines.append(rng.choice([json.dumps(row), "{" * 3000, '{"file_name": "0.png"', "[1, 2]", "\x00\x01", "NaN"]))
    rng.shuffle(lines)
    if rng.random() < 0.4:
        rows = [
            "file_name,text",
            *(rng.choice(["0.png,a, b, c", "0.png", '"0.png', "0.png,\x1b[2J", ",", "0.png,a"]) for _ in range(4)),
        ]
        (place / "metadata.csv").write_text("\n".join(rows), encoding="utf-8")
    else:
        (place / "metadata.jsonl").write_bytes(
            flipped(rng, "\n".join(lines).encode()) if rng.random() < 0.5 else "\n".join(lines).encode()
        )


def tars(rng: random.Random, place: Path) -> None:
    """Shards that are cut, forged, too large or badly named."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for i in range(rng.randint(1, 5)):
            stem = rng.choice([f"{i:04d}", "../../x", "/abs", "same", "\x1b[31m", "a/b/../c"])
            for ending, data in (("png", picture(rng)), ("txt", b"a cup")):
                info = tarfile.TarInfo(f"{stem}.{rng.choice([ending, ending, 'cls', 'json'])}")
                info.size = len(data)
                info.type = rng.choice(
                    [tarfile.REGTYPE] * 6 + [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE]
                )
                info.linkname = "/etc/passwd"
                tar.addfile(info, io.BytesIO(data) if info.type == tarfile.REGTYPE else None)
    data = out.getvalue()
    what = rng.random()
    if what < 0.3:
        data = flipped(rng, data)
    elif what < 0.5:
        data = data[: rng.randrange(1, len(data))]
    elif what < 0.55:
        _bomb_tar(place / "shard.tar.gz", rng)
        return
    if rng.random() < 0.3:
        data = gzip.compress(data)
        data = data[: rng.randrange(20, len(data))] if rng.random() < 0.3 else data
    (place / rng.choice(["shard.tar", "train-000.tar", "shard.tar.gz", "shard.tgz"])).write_bytes(data)


def _bomb_tar(path: Path, rng: random.Random) -> None:
    """An image of 1.5 GB of zeros, a few megabytes in gzip."""
    path.write_bytes(_packed_zeros(rng.choice([200, 1500])))


@cache
def _packed_zeros(megabytes: int) -> bytes:
    """A tar.gz of so many, of 2**20 bytes each."""
    info, packed = tarfile.TarInfo("0.png"), io.BytesIO()
    info.size = megabytes * 2**20
    with gzip.open(packed, "wb", compresslevel=1) as out:
        out.write(info.tobuf())
        for _ in range(megabytes):
            out.write(bytes(2**20))
        out.write(bytes(1024))
    return packed.getvalue()


def tables(rng: random.Random, place: Path) -> None:
    """Parquet files with flipped bytes or columns of other types."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    image = rng.choice(
        [{"bytes": picture(rng), "path": "0.png"}, {"bytes": None, "path": "/etc/passwd"}, picture(rng), "x", 7]
    )
    table = pa.table(
        {
            "image": [image, image],
            rng.choice(["text", "label", "other"]): rng.choice([["a", "b"], [1, 2], [None, "\x1b[2J"]]),
        }
    )
    pq.write_table(table, place / "train.parquet")
    if rng.random() < 0.6:
        (place / "train.parquet").write_bytes(flipped(rng, (place / "train.parquet").read_bytes()))


MAKERS = (pictures, pictures, pictures, metadata, tars, tars, tables)


def calls(place: Path) -> Iterator[list[str]]:
    """What a person would type."""
    yield ["data", str(place)]
    for path in sorted(place.iterdir()):
        if path.suffix in (".png", ".jpg", ".eps", ".webp"):
            yield ["info", str(path)]


def outcome(words: list[str]) -> str:
    """What one call came to: "0", "2", or what is wrong with it."""
    from unclip.cli.main import app

    shown, code = io.StringIO(), 0
    for _, clock, seconds in CLOCKS:
        signal.setitimer(clock, seconds)
    try:
        with contextlib.redirect_stdout(shown), contextlib.redirect_stderr(shown):
            app(words)
    except SystemExit as stop:
        code = stop.code if isinstance(stop.code, int) else 1
    except BaseException as error:
        return f"traceback: {type(error).__name__}: {traceback.format_exc().splitlines()[-1][:120]}"
    finally:
        for _, clock, _ in CLOCKS:
            signal.setitimer(clock, 0)
    text = shown.getvalue()
    if "Traceback" in text or code not in (0, 1, 2):
        return f"traceback or exit {code}: {text.strip()[-160:]!r}"
    if bad := CONTROLS & set(text):
        return f"control characters {sorted(bad)!r} shown"
    return str(code)


def main() -> int:
    """Runs the cases; 1 where one is not good."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    for number, _, seconds in CLOCKS:
        signal.signal(number, lambda *_, seconds=seconds: (_ for _ in ()).throw(Hang(f"more than {seconds} s")))
    seen, bad, top = Counter[str](), 0, Path(tempfile.mkdtemp(prefix="hostile-"))
    for module in (
        "unclip.cli.inspection.info",
        "unclip.data.prepare.inspect",
        "unclip.runs.modules",
        "pyarrow.parquet",
    ):
        importlib.import_module(module)  # it is neither the cases' time nor their memory
    outcome(["data", str(top)])
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for number in range(asked.count):
        rng = random.Random(f"{asked.seed}/{number}")
        place = top / f"{number}"
        place.mkdir()
        maker = rng.choice(MAKERS)
        maker(rng, place)
        for words in calls(place):
            found = outcome(words)
            grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
            if grown > MOST_MB:
                found = f"{grown:.0f} MB more"
                before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            seen[f"{words[0]} {found if len(found) < 3 else 'bad'}"] += 1
            if len(found) > 2:
                bad += 1
                print(f"case {number} ({maker.__name__}): unclip {words[0]}: {found}", flush=True)
        shutil.rmtree(place)
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    print(f"{asked.count} cases, {seen.total()} calls, {bad} bad, {grown:.0f} MB more at the most")
    print(*(f"  {name}: {n}" for name, n in sorted(seen.items())), sep="\n")
    return int(bad > 0)


if __name__ == "__main__":
    sys.exit(main())
