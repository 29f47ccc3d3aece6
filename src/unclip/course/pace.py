"""How long a unit trains: as long as it says, or a share of that."""

import math
import os

NAME = "UNCLIP_COURSE_SCALE"
"""Of the environment: by what every number of steps in a unit is multiplied, and 1 where it is not set."""


def scaled(steps: int, least: int = 2) -> int:
    """A number of training steps, multiplied by UNCLIP_COURSE_SCALE: 0.01 for a short form, 4 for better pictures.

    Args:
        steps: what the unit takes.
        least: never fewer than this.

    Raises:
        ValueError: where the variable is no number above 0.
    """
    said = os.environ.get(NAME, "1")
    try:
        scale = float(said)
    except ValueError:
        scale = math.nan
    if not 0 < scale < math.inf:
        raise ValueError(f"{NAME} = {said!r}: expected a number above 0, as 0.1 for a tenth of the steps")
    return max(least, round(steps * scale))
