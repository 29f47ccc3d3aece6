"""Lengths of time as a person writes them: 90s, 30m, 2h, 1h30m; a plain number asks for its unit."""

import math
import re

from unclip.core.config.ranges import quote

_FORM = re.compile(r"(?:([\d.]+)h)?(?:([\d.]+)m(?:in)?)?(?:([\d.]+)s)?")


def seconds(text: str) -> float:
    """ "1h30m" -> 5400.0. Raises ValueError that names the forms."""
    if re.fullmatch(r"[\d.]+", text.strip()):
        raise ValueError(f"{text!r} has no unit; write {text.strip()}s, {text.strip()}m or {text.strip()}h")
    match = _FORM.fullmatch(text.strip().lower().replace(" ", ""))
    try:
        hours, minutes, rest = (float(part or 0) for part in match.groups()) if match else (0.0, 0.0, 0.0)
    except ValueError:
        hours = minutes = rest = 0.0
    total = 3600 * hours + 60 * minutes + rest
    if not 0 < total < math.inf:
        raise ValueError(f"{quote(text)} is not a length of time above 0; write it like 90s, 30m, 2h or 1h30m")
    return total


def words(length: float) -> str:
    """90 -> "1m30s"; `seconds` reads it back, to the second."""
    whole = max(0, round(length))
    hours, minutes, rest = whole // 3600, whole // 60 % 60, whole % 60
    if hours:
        return f"{hours}h{minutes:02d}m"
    return f"{minutes}m{rest:02d}s" if minutes else f"{rest}s"


def length(text: str, origin: str) -> float:
    """`seconds` of what was said there. Raises ValueError that names the origin."""
    try:
        return seconds(text)
    except ValueError as error:
        raise ValueError(f"{origin} {error}") from error
