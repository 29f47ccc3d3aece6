"""A command of the terminal in a cell, so that a unit shows what one types and what that says."""

import os
import shlex
import subprocess
import sys


def terminal(command: str) -> None:
    """Runs a command of unclip, as typed in a terminal, and prints what it says.

    Args:
        command: its words, as "unclip info runs/mine".

    Raises:
        ValueError: for another program than unclip, and where the command fails, with what it said.
    """
    program, *words = shlex.split(command)
    if program != "unclip":
        raise ValueError(f"{command}: only commands of unclip are run here, not {program}")
    plain = {name: value for name, value in os.environ.items() if "COLOR" not in name}  # a notebook asks for colours
    done = subprocess.run(
        [sys.executable, "-m", "unclip", *words],
        capture_output=True,
        text=True,
        encoding="utf-8",
        env={**plain, "NO_COLOR": "1", "PYTHONIOENCODING": "utf-8"},
    )
    sys.stdout.write(f"$ {command}\n{done.stdout}")
    if done.returncode not in (0, 1):  # 1: a gate said no, which is an answer
        raise ValueError(f"{command}: {done.stderr.strip()}")
