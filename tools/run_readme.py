"""Runs every command and every block of Python of the README in its order, in the folder that one stands in.

Beside `runs/demo`, which `make demo` makes. Budgets are cut, so gates may say no (exit code 1): what has to hold is
that no line is refused and none breaks.

    python -m tools.run_readme --budget 30s
"""

import argparse
import subprocess
import sys

from tests.architecture.pages import blocks, commands

ALLOWED = (0, 1)
"""Exit codes: done, or a gate said no."""


def shortened(words: list[str], budget: str) -> list[str]:
    """A command with less time, which goes on after a gate, and fewer images to score."""
    found = [budget if before == "--budget" else word for before, word in zip(["", *words], words, strict=False)]
    found += ["--force"] if found[0] == "train" else []
    return [*found, "--bpd-pictures", "8"] if "--bpd" in found else found


def main() -> int:
    """0 where every line did what it says."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--budget", default="30s")
    budget = options.parse_args().budget
    lines = [[sys.executable, "-m", "unclip", *shortened(words, budget)] for words in commands("README.md")]
    headless = "from PIL import Image\nImage.Image.show = lambda *a, **k: None\n"
    lines += [[sys.executable, "-c", headless + code] for code in blocks("README.md", "python")]
    broken = 0
    for line in lines:
        print(f"::group::{' '.join(line[2:])}", flush=True)
        code = subprocess.run(line, check=False).returncode
        print(f"exit code {code}\n::endgroup::", flush=True)
        broken += code not in ALLOWED
    print(f"{len(lines)} lines, {broken} broken")
    return min(1, broken)


if __name__ == "__main__":
    sys.exit(main())
