"""Each example runs as it stands, and does what it says."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = sorted((Path(__file__).resolve().parents[1] / "examples").glob("*.py"))
NEAR = 0.1
"""Mean distance of samples to the moons, which are as far as 1 from each other; noise is 0.5 away from them."""


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_example(path: Path):
    done = subprocess.run([sys.executable, str(path)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    distances = [float(found) for found in re.findall(r"distance.* (\d\.\d+)$", done.stdout, re.MULTILINE)]
    assert distances and max(distances) < NEAR, done.stdout
