"""pip's own report of what it would install, as a requirements file with the SHA-256 of each wheel (`make lock`)."""

import json
import sys
from pathlib import Path

HEAD = """\
# constraints.txt with the SHA-256 of each file, for pip install --require-hashes -r constraints-hashed.txt
# The wheels of {python}, {system}, {machine}. Made by `make lock`.
"""


def lock(report: Path) -> str:
    """The lines of a report; raises KeyError where a package has no hash."""
    found = json.loads(report.read_text(encoding="utf-8"))
    about = found["environment"]
    python = f"Python {about['python_version']}"
    lines = []
    for package in found["install"]:
        name, version = package["metadata"]["name"], package["metadata"]["version"].partition("+")[0]
        lines.append(f"{name}=={version} --hash=sha256:{package['download_info']['archive_info']['hashes']['sha256']}")
    head = HEAD.format(python=python, system=about["platform_system"], machine=about["platform_machine"])
    return head + "\n".join(sorted(lines, key=str.lower)) + "\n"


if __name__ == "__main__":
    sys.stdout.write(lock(Path(sys.argv[1])))
