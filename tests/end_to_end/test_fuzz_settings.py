"""The short form of benchmarks/fuzz_settings.py: nothing that is typed or forged ends in a traceback."""

import re
import subprocess
import sys
from pathlib import Path

FUZZ = Path(__file__).resolve().parents[2] / "benchmarks" / "fuzz_settings.py"


def test_what_is_typed_or_forged_is_refused_in_one_line_or_taken():
    done = subprocess.run([sys.executable, FUZZ, "--count", "50", "--seed", "10"], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert [int(count) > 25 for count in re.findall(r"'refused': (\d+)", done.stdout)] == [True, True]
