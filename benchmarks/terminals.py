"""Every command of a run as a process of its own, under other encodings, 40 columns and a closed pipe: the same files?

    python benchmarks/terminals.py RUN            # a finished text-to-image run with its data, as runs/demo
    python benchmarks/terminals.py RUN --only generate vary

Prints a line a command and setting, and exits with 1 where a file differs. A few minutes on two cores.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

WORDS = "ein grüner Würfel ❤ :heart: [b]x[/b]"
SETTINGS = {
    "utf-8": {"PYTHONIOENCODING": "utf-8"},
    "ascii": {"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0", "LC_ALL": "C", "PYTHONCOERCECLOCALE": "0"},
    "cp1252": {"PYTHONIOENCODING": "cp1252"},
    "latin-1": {"PYTHONIOENCODING": "latin-1"},
    "40 columns": {"COLUMNS": "40"},
    "closed pipe": {},
    "no stdout": {},
}
"""Name -> what is set in the environment; a default encoding that is not UTF-8 is told by -X warn_default_encoding."""


def commands(run: Path, picture: Path, mask: Path) -> dict[str, list[str]]:
    """Each command that reads or writes something, with few steps; OUT stands for the folder that it writes to."""
    few = ["--run", str(run), "--steps", "2", "--out", "OUT"]
    return {
        "shapes": ["shapes", "OUT/é", "-n", "5"],
        "data": ["data", str(run.parent / "no such data é")],
        "info": ["info", str(run)],
        "generate": ["generate", WORDS, "-n", "3", *few],
        "vary": ["vary", str(picture), "-n", "2", *few],
        "blend": ["blend", str(picture), str(picture), "-n", "2", *few],
        "diff": ["diff", str(picture), "--to", WORDS, "-n", "2", *few],
        "invert": ["invert", str(picture), *few],
        "probe": ["probe", str(picture), "--labels", WORDS, "x", *few],
        "edit": ["edit", str(picture), WORDS, "--mask", str(mask), "-n", "1", *few],
        "extend": ["extend", str(picture), WORDS, "--right", "0.5", "-n", "1", *few],
        "classify": ["classify", str(picture), "--labels", WORDS, "x", "--run", str(run)],
        "search": ["search", WORDS, "--run", str(run), "--out", "OUT"],
        "evaluate": ["evaluate", str(run), "-n", "2", "--json", "OUT/é.json"],
        "pack-run": ["pack-run", str(run), "OUT/é"],
    }


def result(words: list[str], setting: str, out: Path) -> tuple[int, dict[str, bytes]]:
    """The exit code of a command, and the files that it wrote."""
    typed = [word.replace("OUT", str(out)) for word in words]
    process = [sys.executable, "-X", "warn_default_encoding", "-m", "unclip", *typed]
    environment = {**os.environ, **SETTINGS[setting]}
    if setting == "no stdout":
        process = ["sh", "-c", 'exec "$@" >&-', "sh", *process]
    if setting == "closed pipe":
        reader, writer = os.pipe()
        os.close(reader)
        done = subprocess.run(process, env=environment, stdout=writer, stderr=subprocess.PIPE)
        os.close(writer)
    else:
        done = subprocess.run(process, env=environment, capture_output=True)
    for line in done.stderr.decode(errors="replace").splitlines():
        if "Traceback" in line or ("EncodingWarning" in line and "unclip" in line):
            print(f"  {line}")
            return 99, {}
    files = sorted(p for p in out.rglob("*") if p.is_file()) if out.exists() else []
    return done.returncode, {str(p.relative_to(out)): p.read_bytes() for p in files}


def main() -> int:
    """1 where anything differs."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("run", type=Path)
    parser.add_argument("--only", nargs="*", default=[])
    asked = parser.parse_args()
    wrong = 0
    with tempfile.TemporaryDirectory() as place:
        from PIL import Image

        picture, mask = Path(place) / "ü.png", Path(place) / "mask.png"
        Image.new("RGB", (32, 32), "red").save(picture)
        hole = Image.new("L", (32, 32))
        hole.paste(255, (0, 0, 16, 32))
        hole.save(mask)
        for name, words in commands(asked.run.resolve(), picture, mask).items():
            if asked.only and name not in asked.only:
                continue
            right = None
            for setting in SETTINGS:
                out = Path(place) / "out"
                found = result(words, setting, out)
                right = right or found
                wrong += found != right
                told = "" if found == right else "  DIFFERS"
                print(f"{name:10} {setting:12} exit {found[0]}, {len(found[1])} files{told}")
                if out.exists():
                    out.rename(Path(place) / f"{name}-{setting}")
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
