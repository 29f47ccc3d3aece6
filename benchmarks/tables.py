"""Prints tables of the documentation from the comparisons that the tests make. Needs the test extra.

    python benchmarks/tables.py schedules | samplers | orders

schedules  docs/schedules.md: what every schedule leaves at its end
samplers   docs/samplers.md: the worst difference to the schedulers of diffusers
orders     docs/samplers.md: error and order of convergence, error by number of evaluations
"""

import importlib
import sys
from pathlib import Path

TABLES = {
    "schedules": ("tests.diffusion.test_forward", ("rows",)),
    "samplers": ("tests.diffusion.test_against_diffusers", ("rows",)),
    "orders": ("tests.diffusion.test_samplers_order", ("rows", "few")),
}


def main(names: list[str]) -> None:
    """Prints the tables of these names."""
    if not names or not set(names) <= set(TABLES):
        sys.exit(f"usage: python benchmarks/tables.py {' | '.join(TABLES)}")
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # an installed package may ship a `tests`, too
    for name in names:
        module, functions = TABLES[name]
        for function in functions:
            print(*getattr(importlib.import_module(module), function)(), "", sep="\n")


if __name__ == "__main__":
    main(sys.argv[1:])
